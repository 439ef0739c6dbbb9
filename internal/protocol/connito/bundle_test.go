package connito

import (
	"encoding/json"
	"strings"
	"testing"

	"adit/internal/protocol/actor"
)

// bundle is a bundle whose hash was made with Python's json and hashlib.
const bundle = `{"name": "exp_ü", "group_id": 4, "bundle_sha256": "4178d19cf0576fdba99f0f5f78e8a001ee6c557a041f8766a04f352f29b62e5c",
	"config": {"group_id": 4, "lr": 1e-05, "x": 1.0, "big": 1e+22, "n": null, "t": true, "s": "a\"\\\n` + "\u007f" + `😀"},
	"shard_policy": {"a": [1, 2.5]}, "expert_assignment": {"10": [[0, 3]], "2": [[0, 5], [1, 1]]}}`

func TestBundleSum(t *testing.T) {
	var b taskBundle
	if err := json.Unmarshal([]byte(bundle), &b); err != nil {
		t.Fatal(err)
	}
	if sum, err := b.bundleSum(); err != nil || sum != b.Sum {
		t.Errorf("sum %s, %v, want %s", sum, err, b.Sum)
	}
	b.ShardPolicy = json.RawMessage(`{"a":[1,2.5]} x`)
	if _, err := b.bundleSum(); err == nil {
		t.Error("a policy with something after it was taken")
	}
	b.ShardPolicy = json.RawMessage(strings.Repeat("[", 100) + strings.Repeat("]", 100))
	if _, err := b.bundleSum(); err == nil {
		t.Error("a hundred levels were taken")
	}
}

// sealedBundle makes a bundle with the right hash.
func sealedBundle(t testing.TB, b taskBundle) []byte {
	sum, err := b.bundleSum()
	if err != nil {
		t.Fatal(err)
	}
	b.Sum = sum
	return []byte(actor.JSON(b))
}

func TestParseBundle(t *testing.T) {
	good := taskBundle{activeTask: activeTask{Name: "exp_nemotron_c4", GroupID: 4}, Config: json.RawMessage(`{"group_id":4}`), Experts: json.RawMessage(`{"1":[[0,22]]}`), ShardPolicy: json.RawMessage(`{}`)}
	data := sealedBundle(t, good)
	b, a, err := parseBundle(data)
	if err != nil || b.Name != good.Name || a[1][0] != [2]int{0, 22} {
		t.Errorf("%+v, %v, %v", b, a, err)
	}
	if task, err := parseTask(data); err != nil || task != b.activeTask {
		t.Errorf("task %+v, %v", task, err)
	}
	if bundleSumFile != ".bundle_sha256" {
		t.Error("the name of the file is upstream's")
	}
	for name, bad := range map[string]string{
		"changed":      strings.Replace(string(data), "22", "23", 1),
		"name":         strings.Replace(string(data), "exp_nemotron_c4", "../exp", 1),
		"hidden":       strings.Replace(string(data), "exp_nemotron_c4", ".exp", 1),
		"group":        strings.Replace(string(data), `"group_id":4,"bundle`, `"group_id":-4,"bundle`, 1),
		"no hash":      `{"name":"x","group_id":1}`,
		"no JSON":      `{`,
		"experts":      string(sealedBundle(t, taskBundle{activeTask: good.activeTask, Config: good.Config, Experts: json.RawMessage(`{"1":[[0,22],[0,1]]}`), ShardPolicy: good.ShardPolicy})),
		"much too big": strings.Repeat(" ", maxBundle+1),
	} {
		if _, _, err := parseBundle([]byte(bad)); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if _, err := parseTask(make([]byte, maxService+1)); err == nil {
		t.Error("a megabyte was taken")
	}
}

func FuzzParseBundle(f *testing.F) {
	f.Add([]byte(bundle))
	f.Add(sealedBundle(f, taskBundle{activeTask: activeTask{Name: "x"}, Experts: json.RawMessage(`{"1":[[0,22]]}`)}))
	f.Fuzz(func(t *testing.T, data []byte) {
		if b, a, err := parseBundle(data); err == nil && (strings.Contains(b.Name, "/") || len(a) == 0) {
			t.Errorf("%+v, %v", b, a)
		}
	})
}
