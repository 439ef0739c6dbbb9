package connito

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"path"

	"adit/internal/checkpoint"
	"adit/internal/subnet"
)

// sumsFile is in a checkpoint's directory, and says what its files were found to
// be while they were written. With it neither the commitment nor the upload has to
// read gigabytes again in phases of a minute.
const sumsFile = "sums.json"

// A Sum is what is known of a file since it was written.
type Sum struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // of its bytes, by which the Hub knows it
	Hash   string `json:"hash"`   // of its tensors, which commits to them
}

// A summing writer takes both sums of a file in the pass that writes it.
type summing struct {
	w       io.Writer
	bytes   hash.Hash
	size    int64
	tensors *digester // nil until they are shown
}

var _ checkpoint.Watcher = (*summing)(nil)

func (s *summing) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	s.bytes.Write(p[:n])
	s.size += int64(n)
	return n, err
}

// Watch implements [checkpoint.Watcher].
func (s *summing) Watch() checkpoint.Visitor {
	s.tensors = newDigester()
	return s.tensors
}

// writeSummed makes a file of the neuron's directory that holds tensors, and
// returns its sum.
func (n *neuron) writeSummed(name string, write func(io.Writer) error) (Sum, error) {
	s := summing{bytes: sha256.New()}
	err := n.Write(name, func(w io.Writer) error {
		s.w = w
		return write(&s)
	})
	if err != nil {
		return Sum{}, err
	}
	sum := Sum{Size: s.size, SHA256: hex.EncodeToString(s.bytes.Sum(nil))}
	if s.tensors == nil || n.rules.InsertionOrder {
		// Whoever wrote it did not show the tensors, or not in the file's order.
		sum.Hash, err = n.hashOf(context.Background(), name) // it is to be saved to the end
		return sum, err
	}
	sum.Hash = s.tensors.contents().Hash
	return sum, nil
}

// hashOf reads the hash of a shard's tensors.
func (n *neuron) hashOf(ctx context.Context, name string) (string, error) {
	f, err := n.Dir.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	got, err := n.digest(ctx, f)
	return got.Hash, err
}

// sumOf returns the sum of a file, from when it was written if that is known.
func (n *neuron) sumOf(ctx context.Context, name string) (Sum, error) {
	if sum, ok := n.knownSum(name); ok {
		return sum, nil
	}
	h, err := n.hashOf(ctx, name)
	return Sum{Hash: h}, err
}

// knownSum returns what was noted of a file beside it, if it was.
func (n *neuron) knownSum(name string) (Sum, bool) {
	var all map[string]Sum
	if n.ReadJSON(path.Dir(name)+"/"+sumsFile, &all) != nil {
		return Sum{}, false
	}
	sum, ok := all[path.Base(name)]
	return sum, ok && sum.Size > 0 && len(sum.Hash) == 2*hashSize && len(sum.SHA256) == 2*sha256.Size
}

// openSummed opens a file that tells its SHA-256 if it is known.
func (n *neuron) openSummed(name string) (subnet.File, error) {
	f, err := n.Dir.Open(name)
	if err != nil {
		return nil, err
	}
	if sum, ok := n.knownSum(name); ok && sum.Size == f.Size() {
		return summedFile{f, sum.SHA256}, nil
	}
	return f, nil
}

// A summedFile knows its SHA-256: see [subnet.Store.Stage].
type summedFile struct {
	subnet.File
	sha256 string
}

// SHA256 returns the digest of the file's bytes in hexadecimal.
func (f summedFile) SHA256() string { return f.sha256 }

// keep gives a shard of a checkpoint, and what is known of it, a second name in a
// directory, where nobody prunes it while it is on its way to the network.
//
// Unlike upstream, where the process that trains may delete what the other one is
// uploading.
func (n *neuron) keep(shard, dir string) (string, error) {
	kept := dir + "/" + path.Base(shard)
	if err := n.Dir.Link(shard, kept); err != nil {
		return "", fmt.Errorf("keep %s: %w", shard, err)
	}
	if sum, ok := n.knownSum(shard); ok {
		return kept, n.WriteJSON(dir+"/"+sumsFile, map[string]Sum{path.Base(shard): sum})
	}
	return kept, nil
}
