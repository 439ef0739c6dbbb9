package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"adit/internal/keys"
	"adit/internal/subnet"
	"adit/internal/subtensor"
)

// A keptWeights is a file with weights that are committed to by their hash, and
// all that it takes to reveal them.
type keptWeights struct {
	Genesis    string   `json:"genesis"` // of the chain, in hexadecimal digits
	Hotkey     string   `json:"hotkey"`
	Netuid     uint16   `json:"netuid"`
	Mechid     uint8    `json:"mechid"`
	UIDs       []uint16 `json:"uids"`
	Values     []uint16 `json:"values"`
	Salt       []uint16 `json:"salt"`
	VersionKey uint64   `json:"version_key"`
	Hash       string   `json:"commit_hash"`

	name string
}

// maxKept is the longest such file that is read, in bytes: 65536 uids take less.
const maxKept = 4 << 20

// commitsDir is where weights are kept that were committed to.
func commitsDir() (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", subnet.WithHint(fmt.Errorf("find a place for the weights: %w", err), "--out names a file")
	}
	return filepath.Join(home, ".adit", "commits"), nil
}

// weights returns what was committed to.
func (k *keptWeights) weights() subtensor.Weights {
	return subtensor.Weights{NetUID: subnet.NetUID(k.Netuid), Mechanism: k.Mechid, UIDs: k.UIDs, Values: k.Values, VersionKey: k.VersionKey}
}

// save writes the file so that it is there whatever happens next. There must be
// none of that name: what is in it could not be revealed any more.
func (k *keptWeights) save() error {
	b, err := json.MarshalIndent(k, "", "  ")
	if err != nil {
		return err
	}
	err = writeNew(k.name, append(b, '\n'))
	if errors.Is(err, fs.ErrExist) {
		return fileTaken(k.name)
	}
	if err != nil {
		return fmt.Errorf("keep the weights: %w", err)
	}
	return nil
}

func fileTaken(name string) error {
	return subnet.WithHint(fmt.Errorf("%s exists", name), "it may be all that there is of other weights; name another file")
}

// writeNew writes a file that nobody else may read, whole or not at all, and makes
// sure that it survives a power cut.
func writeNew(name string, b []byte) error {
	dir := filepath.Dir(name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".adit_*") // with the mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := f.Write(b); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Link(f.Name(), name); err != nil { // unlike a rename, it replaces nothing
		if errors.Is(err, fs.ErrExist) {
			return err
		}
		if _, exists := os.Lstat(name); exists == nil { // where there are no links
			return &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
		}
		if err := os.Rename(f.Name(), name); err != nil {
			return err
		}
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	_ = d.Sync() // not every system can sync a folder
	return nil
}

// loadWeights reads such a file.
func loadWeights(name string) (*keptWeights, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, subnet.WithHint(err, "'adit weights commit' has told the name of its file")
	}
	defer f.Close()
	b, err := readAtMost(f, maxKept, name)
	if err != nil {
		return nil, err
	}
	k, err := parseWeights(b)
	if err != nil {
		return nil, subnet.WithHint(fmt.Errorf("read %s: %w", name, err), "it must be as 'adit weights commit' wrote it: with other weights nothing can be revealed")
	}
	k.name = name
	return k, nil
}

// parseWeights reads what save writes, and checks that the hash is that of the
// rest.
func parseWeights(b []byte) (*keptWeights, error) {
	k := &keptWeights{}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(k); err != nil {
		return nil, err
	}
	hotkey, err := keys.ParseAddress(k.Hotkey)
	if err != nil {
		return nil, err
	}
	if len(k.UIDs) != len(k.Values) {
		return nil, fmt.Errorf("%d uids and %d values", len(k.UIDs), len(k.Values))
	}
	hash, err := k.weights().Hash(hotkey, k.Salt)
	if err != nil {
		return nil, err
	}
	if k.Hash != "0x"+hex.EncodeToString(hash[:]) {
		return nil, errors.New("its hash is not that of its weights")
	}
	return k, nil
}

// findWeights returns the files in a folder that are of a chain, a hotkey, a subnet
// and a mechanism, by their hashes. Other files are passed over.
func findWeights(dir string, like keptWeights) (map[string]*keptWeights, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	out := map[string]*keptWeights{}
	for _, name := range names {
		k, err := loadWeights(name)
		if err == nil && k.Genesis == like.Genesis && k.Hotkey == like.Hotkey && k.Netuid == like.Netuid && k.Mechid == like.Mechid {
			out[k.Hash] = k
		}
	}
	return out, nil
}
