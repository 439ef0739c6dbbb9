package node

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"adit/internal/engine"
	"adit/internal/engine/device/cpu"
	"adit/internal/engine/model"
	"adit/internal/safetensors"
	"adit/internal/subnet"
)

// shardedModel makes a model directory, with the parameters in one file or in two
// that an index names.
func shardedModel(t *testing.T, shards bool) string {
	t.Helper()
	dir := t.TempDir()
	cfg := model.Small(64, 2)
	text, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, data []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(ConfigFile, text)
	m, err := engine.New(engine.Options{Device: cpu.New(1), Config: cfg, SeqLen: 8}).Fresh("one")
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	save := func(name string, keep func(string) bool) {
		t.Helper()
		var b bytes.Buffer
		if err := m.Save(&b, subnet.Safetensors, keep); err != nil {
			t.Fatal(err)
		}
		write(name, b.Bytes())
	}
	if !shards {
		save(ModelFile, func(string) bool { return true })
		return dir
	}
	in := make(map[string]string)
	for i, p := range cfg.Params() {
		in[p.Name] = []string{"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"}[i%2]
	}
	for _, name := range []string{"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"} {
		save(name, func(param string) bool { return in[param] == name })
	}
	index, err := safetensors.EncodeIndex(1, in)
	if err != nil {
		t.Fatal(err)
	}
	write(IndexFile, index)
	return dir
}

// TestShardedBase opens a base model in one file and in several, which are the same
// model.
func TestShardedBase(t *testing.T) {
	t.Parallel()
	var saved [2]bytes.Buffer
	for i, shards := range []bool{false, true} {
		e, err := OpenEngine(subnet.Services{Model: shardedModel(t, shards), SeqLen: 8, DType: "f32", Threads: 1}, engine.Ranks{})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		m, err := e.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if err := m.Save(&saved[i], subnet.Safetensors, func(string) bool { return true }); err != nil {
			t.Fatal(err)
		}
	}
	if saved[0].Len() == 0 || !bytes.Equal(saved[0].Bytes(), saved[1].Bytes()) {
		t.Errorf("models of %d and %d bytes, which are not the same", saved[0].Len(), saved[1].Len())
	}
}

// TestNoBase says what is missing of a base model, and what to do about it.
func TestNoBase(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		harm       func(dir string) error
		want, hint string
	}{
		"a shard is missing": {func(dir string) error { return os.Remove(filepath.Join(dir, "model-00002-of-00002.safetensors")) }, "model-00002-of-00002.safetensors", "was not finished"},
		"no index":           {func(dir string) error { return os.Remove(filepath.Join(dir, IndexFile)) }, "has neither model.safetensors nor", "download all"},
		"a broken index":     {func(dir string) error { return os.Truncate(filepath.Join(dir, IndexFile), 20) }, IndexFile, "index again"},
		"an index that leads away": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, IndexFile), []byte(`{"weight_map":{"a":"../a.safetensors"}}`), 0o644)
		}, "outside the directory", "index again"},
	} {
		dir := shardedModel(t, true)
		if err := tt.harm(dir); err != nil {
			t.Fatal(err)
		}
		_, err := OpenEngine(subnet.Services{Model: dir, SeqLen: 8, DType: "f32", Threads: 1}, engine.Ranks{})
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(subnet.Hint(err), tt.hint) {
			t.Errorf("%s: %v, hint %q; want … %s …, hint … %s …", name, err, subnet.Hint(err), tt.want, tt.hint)
		}
	}
}
