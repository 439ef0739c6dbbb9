package node

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"adit/internal/subnet"
)

func TestReadTask(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "exp_law")
	if _, err := ReadTask(dir); !errors.Is(err, subnet.ErrNotFound) {
		t.Errorf("no directory: %v", err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	put := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("expert_assignment.json", `{"1": [[0, 22]]}`)
	for text, want := range map[string]string{
		"":                     "no group_id",
		"group_id: x":          "config",
		"group_id: 1\nx: .nan": "config.yaml",
		"group_id: 1\n\tx: 2":  "config.yaml",
		"group_id: -1":         "group -1",
	} {
		put("config.yaml", text)
		if data, err := ReadTask(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %s, %v, want %q", text, data, err, want)
		}
	}
	put("config.yaml", "group_id: 7\ndata:\n  lr: 1.0e-05\n")
	data, err := ReadTask(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Name    string
		GroupID int             `json:"group_id"`
		Sum     string          `json:"bundle_sha256"`
		Config  json.RawMessage `json:"config"`
		Policy  json.RawMessage `json:"shard_policy"`
	}
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	// The hash is that of Python's hashlib over Python's JSON.
	const sum = "3f42e1a05812b3ece388e12c6bef2c25f9828d42da677c77281b94605166e6d2"
	if got.Name != "exp_law" || got.GroupID != 7 || string(got.Config) != `{"group_id":7,"data":{"lr":1e-05}}` || string(got.Policy) != "null" || got.Sum != sum {
		t.Errorf("%s", data)
	}
	put("shard_policy.json", `{"floor": 340000}`)
	if more, err := ReadTask(dir); err != nil || string(more) == string(data) || !strings.Contains(string(more), `"shard_policy":{"floor":340000}`) {
		t.Errorf("%s, %v", more, err)
	}
}
