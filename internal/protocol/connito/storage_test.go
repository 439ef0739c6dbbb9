package connito

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"adit/internal/checkpoint"
	"adit/internal/exchange"
	"adit/internal/journal"
	"adit/internal/protocol/actor"
	"adit/internal/subnet"
	"adit/internal/tensor"
)

// diskFile is a subnet.File on disk.
type diskFile struct {
	*os.File
	size int64
}

func (f diskFile) Size() int64 { return f.size }

func tempFile(t testing.TB, data []byte) diskFile {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err == nil {
		_, err = f.Write(data)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return diskFile{f, int64(len(data))}
}

// storing returns a neuron that has a directory and nothing else, and its group.
func storing(t testing.TB, dir subnet.Dir) (*neuron, Group) {
	t.Helper()
	cfg := NewConfig().(*Config)
	cfg.Ckpt.Format = string(subnet.Safetensors)
	g := Group{ID: 0, Assignment: Assignment{1: nil}}
	for i := range 12 {
		g.Assignment[1] = append(g.Assignment[1], [2]int{i, i})
	}
	cfg.Task.Groups = []Group{g}
	return &neuron{Actor: actor.Actor{Env: subnet.Env{Dir: dir, Emit: func(subnet.Event) {}}, Me: "me"}, cfg: cfg, rules: Local}, g
}

func shardBytes(t testing.TB, f subnet.Format, d tensor.Dict) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := checkpoint.Write(&b, f, d); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// counting counts what is read back of a draft.
type counting struct {
	subnet.Dir
	read int64
}

func (c *counting) Resume(name string) (subnet.Draft, error) {
	d, err := c.Dir.Resume(name)
	return countedDraft{d, c}, err
}

type countedDraft struct {
	subnet.Draft
	c *counting
}

func (d countedDraft) ReadAt(p []byte, off int64) (int, error) {
	n, err := d.Draft.ReadAt(p, off)
	d.c.read += int64(n)
	return n, err
}

// TestReceive checks what is downloaded, and how much of it is read again: nothing
// of a file in the hash's order but what an earlier download left, and all of
// another one.
func TestReceive(t *testing.T) {
	d := shardOf(12, 3000)
	mixed := shardOf(12, 3000) // wider elements come first in the file
	mixed[mixed.Keys()[3]] = tensor.FromFloats(tensor.F32, []int{2}, []float32{1, 2})
	nan := shardOf(12, 3000)
	nan[nan.Keys()[0]].Data[1] = 0x7e
	for _, tt := range []struct {
		name   string
		d      tensor.Dict
		format subnet.Format
		left   float64 // part of the file that an earlier download left
		wrong  bool    // bytes that are not this file's
		reads  float64 // of the file's size
		gate   string
	}{
		{"in order", d, subnet.Safetensors, 0, false, 0, ""},
		{"resumed", d, subnet.Safetensors, 0.5, false, 0.5, ""},
		{"all there", d, subnet.Safetensors, 1, false, 1, ""},
		{"another file's beginning", d, subnet.Safetensors, 0.3, true, 0.3, ""},
		{"other order", mixed, subnet.Safetensors, 0, false, 1, ""},
		{"pt", d, subnet.Torch, 0, false, 1, ""},
		{"not finite", nan, subnet.Safetensors, 0, false, 0, gateFinite},
		{"mismatch", nil, subnet.Safetensors, 0, false, 0, gateHash},
	} {
		t.Run(tt.name, func(t *testing.T) {
			commit := Commit{Hash: Hash(tt.d), Repo: "a/b"}
			if tt.d == nil {
				tt.d = d
			}
			data := shardBytes(t, tt.format, tt.d)
			var hub exchange.Mem
			store := hub.Open("a/b")
			file := shardFile(0, tt.format)
			if err := store.Stage(t.Context(), file, bytesFile{bytes.NewReader(data)}); err != nil {
				t.Fatal(err)
			}
			if _, err := store.Publish(t.Context(), "shard"); err != nil {
				t.Fatal(err)
			}
			dir := &counting{Dir: journal.NewMem()}
			n, g := storing(t, dir)
			n.Env.Open = func(string) (subnet.Store, error) { return store, nil }
			left := bytes.Clone(data[:int(tt.left*float64(len(data)))])
			if tt.wrong {
				left[10] ^= 1
			}
			draft, err := dir.Dir.Resume("got/" + file)
			if err == nil {
				_, err = draft.Write(left)
			}
			if err = errors.Join(err, draft.Close()); err != nil {
				t.Fatal(err)
			}
			name, err := n.fetch(t.Context(), "got", g, commit)
			if stop, _ := errors.AsType[*refused](err); tt.gate != "" {
				if stop == nil {
					t.Fatalf("fetched with error %v, want it stopped at %q", err, tt.gate)
				}
				if at, _ := stop.why.failed(); at.Name != tt.gate {
					t.Errorf("stopped at %q, want %q", at.Name, tt.gate)
				}
				if list, err := dir.List("got"); len(list) > 0 || err != nil {
					t.Errorf("a refused file is there: %v, %v", list, err)
				}
			} else if err != nil {
				t.Fatal(err)
			} else if got, err := n.hashOf(t.Context(), name); got != commit.Hash || err != nil {
				t.Errorf("fetched %s, %v", got, err)
			}
			// Header or directory are looked at besides; the latter is looked for in
			// the last 64 KiB.
			besides := map[subnet.Format]int64{subnet.Safetensors: 8 << 10, subnet.Torch: 72 << 10}[tt.format]
			if want := int64(tt.reads * float64(len(data))); dir.read < want || dir.read > want+besides {
				t.Errorf("read %d bytes of %d again, want %d", dir.read, len(data), want)
			}
		})
	}
}

// TestSums holds what is noted of a file while it is written to what it is.
func TestSums(t *testing.T) {
	d := shardOf(5, 100)
	for _, rules := range []Rules{Local, G0} {
		for _, format := range []subnet.Format{subnet.Safetensors, subnet.Torch} {
			n, _ := storing(t, journal.NewMem())
			n.rules = rules
			data := shardBytes(t, format, d)
			want := Sum{int64(len(data)), fmt.Sprintf("%x", sha256.Sum256(data)), Hash(d)}
			for name, write := range map[string]func(io.Writer) error{
				"watched": func(w io.Writer) error { return checkpoint.Write(w, format, d) },
				"bytes":   func(w io.Writer) error { _, err := w.Write(data); return err },
			} {
				if got, err := n.writeSummed("dir/shard", write); got != want || err != nil {
					t.Errorf("%s %s %s: %+v, %v, want %+v", rules.Name, format, name, got, err, want)
				}
			}
			if got, err := n.sumOf(t.Context(), "dir/shard"); got.Hash != want.Hash || err != nil {
				t.Errorf("read again: %+v, %v", got, err)
			}
			if err := n.WriteJSON("dir/"+sumsFile, map[string]Sum{"shard": want}); err != nil {
				t.Fatal(err)
			}
			f, err := n.openSummed("dir/shard")
			if err != nil {
				t.Fatal(err)
			}
			if s, ok := f.(summedFile); !ok || s.SHA256() != want.SHA256 {
				t.Errorf("opened as %T", f)
			}
			// What is of another size is not the file that was summed.
			if err := n.WriteJSON("dir/"+sumsFile, map[string]Sum{"shard": {want.Size + 1, want.SHA256, want.Hash}}); err != nil {
				t.Fatal(err)
			}
			if f, err = n.openSummed("dir/shard"); err != nil {
				t.Fatal(err)
			} else if _, ok := f.(summedFile); ok {
				t.Error("a file of another size has the noted sum")
			}
		}
	}
	n, _ := storing(t, journal.NewMem())
	full := errors.New("disk full")
	if _, err := n.writeSummed("dir/shard", func(io.Writer) error { return full }); !errors.Is(err, full) {
		t.Errorf("a full disk gives %v", err)
	}
}

// checkpointOf writes a checkpoint of a number of steps with a loss.
func checkpointOf(n *neuron, step int, loss float64, d tensor.Dict) error {
	name, tmp := ownName(7, step), fmt.Sprintf(".tmp_%d", step)
	file := shardFile(0, subnet.Safetensors)
	sum, err := n.writeSummed(tmp+"/"+file, func(w io.Writer) error { return checkpoint.Write(w, subnet.Safetensors, d) })
	return errors.Join(err,
		n.WriteJSON(tmp+"/"+sumsFile, map[string]Sum{file: sum}),
		n.WriteJSON(tmp+"/"+stateFile, trainState{Version: 7, Inner: step, Loss: loss}),
		n.Dir.Rename(tmp, name))
}

// TestKeepSubmission keeps what is submitted while another process saves and prunes.
func TestKeepSubmission(t *testing.T) {
	t.Parallel()
	dir, err := journal.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	n, _ := storing(t, dir)
	n.rules = Local
	n.cfg.Ckpt.CheckpointTopK = 1
	if sub, err := n.keepSubmission(t.Context(), 0); sub.Path != "" || err != nil {
		t.Fatalf("kept %+v, %v of nothing", sub, err)
	}
	shards := []tensor.Dict{shardOf(1, 10), shardOf(2, 10), shardOf(3, 10)}
	if err := checkpointOf(n, 1, 100, shards[1]); err != nil {
		t.Fatal(err)
	}
	trained := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		var err error
		for step := 2; ctx.Err() == nil && err == nil; step++ { // each is better than the one before
			err = errors.Join(checkpointOf(n, step, 100/float64(step), shards[step%3]), n.prune())
		}
		trained <- err
	}()
	seen := make(map[string]Sum)
	for len(seen) < 20 {
		sub, err := n.keepSubmission(t.Context(), 0)
		if err != nil {
			t.Error(err)
			break
		}
		if sum, ok := n.knownSum(sub.Path); !ok || sum.Hash != sub.Hash {
			t.Errorf("kept %+v, but noted %+v, %v", sub, sum, ok)
		} else {
			seen[sub.Path] = sum
		}
	}
	cancel()
	if err := <-trained; err != nil {
		t.Error(err)
	}
	for name, sum := range seen {
		if got, err := n.hashOf(t.Context(), name); got != sum.Hash || err != nil {
			t.Errorf("%s has %s, %v, want %s", name, got, err, sum.Hash)
		}
	}
	own, err := n.places("")
	if err != nil || len(own) > 2 {
		t.Errorf("after pruning there are %v, %v", own, err)
	}
	// The next cycle needs none of them.
	n.forgetKept(0)
	if names, err := dir.List(keptDir); len(names) != len(seen) || err != nil {
		t.Errorf("kept %d, %v, want %d", len(names), err, len(seen))
	}
	n.forgetKept(1)
	if names, err := dir.List(keptDir); len(names) > 0 || err != nil {
		t.Errorf("still kept: %v, %v", names, err)
	}
	if slices.ContainsFunc(own, func(p place) bool { return strings.HasPrefix(p.name, keptDir) }) {
		t.Error("what is kept is taken for a checkpoint")
	}
}

// TestForgetUnfinished keeps what is whole and what is wanted.
func TestForgetUnfinished(t *testing.T) {
	dir := journal.NewMem()
	n, g := storing(t, dir)
	file := shardFile(g.ID, subnet.Torch)
	names := []string{baselineName(1, "v", 1), baselineName(1, "v", 2), baselineName(1, "v", 3)}
	if err := n.Write(names[0]+"/"+file, func(w io.Writer) error { _, err := io.WriteString(w, "whole"); return err }); err != nil {
		t.Fatal(err)
	}
	for _, name := range names[1:] {
		draft, err := dir.Create(name + "/" + file)
		if err == nil {
			_, err = io.WriteString(draft, "begun")
		}
		if err = errors.Join(err, draft.Close()); err != nil {
			t.Fatal(err)
		}
	}
	n.forgetUnfinished(names[2], g)
	left, err := n.places(baselineDir)
	if err != nil || len(left) != 2 || left[0].name != names[2] || left[1].name != names[0] {
		t.Errorf("left are %v, %v", left, err)
	}
	draft, err := dir.Resume(names[2] + "/" + file)
	if err != nil || draft.Size() != 5 {
		t.Errorf("of the wanted one %v, %v is left", draft, err)
	}
}
