package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// keptText is a file of weights that are committed to.
const keptText = `{"genesis":"0x00","hotkey":"5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY","netuid":1,"mechid":0,"uids":[0,7],"values":[21845,65535],"salt":[1,2,3],"version_key":4,"commit_hash":"0xHASH"}`

func kept(t testing.TB) string {
	t.Helper()
	_, err := parseWeights([]byte(keptText))
	if err == nil || !strings.Contains(err.Error(), "its hash is not that of its weights") {
		t.Fatalf("a wrong hash: %v", err)
	}
	// The hash of exactly these, made with scale and BLAKE2b of Python.
	return strings.Replace(keptText, "HASH", "16db87497d5c178507f53553ed68e62f63b630606f096bfa2edbb5962d2e7ade", 1)
}

func TestKeptWeights(t *testing.T) {
	t.Parallel()
	k, err := parseWeights([]byte(kept(t)))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	k.name = filepath.Join(dir, "sub", "one.json")
	if err := k.save(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(k.name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := k.save(); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("written over: %v", err)
	}
	back, err := loadWeights(k.name)
	if err != nil || !cmp.Equal(k, back, cmp.AllowUnexported(keptWeights{})) {
		t.Errorf("%+v, %v", back, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "sub", "two.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	found, err := findWeights(filepath.Join(dir, "sub"), *k)
	if err != nil || len(found) != 1 || found[k.Hash] == nil {
		t.Errorf("found %v, %v", found, err)
	}
	other := *k
	other.Netuid = 2
	if found, err := findWeights(filepath.Join(dir, "sub"), other); err != nil || len(found) != 0 {
		t.Errorf("found of another subnet %v, %v", found, err)
	}
	if names, err := os.ReadDir(filepath.Join(dir, "sub")); err != nil || len(names) != 2 {
		t.Errorf("there are leftovers: %v", names)
	}
}

// FuzzParseWeights reads files that somebody may have damaged: what is read is
// what the hash is of.
func FuzzParseWeights(f *testing.F) {
	f.Add([]byte(kept(f)))
	f.Add([]byte(keptText))
	f.Add([]byte(`{"hotkey":"5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY","uids":[1],"values":[]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := parseWeights(b)
		if err != nil {
			return
		}
		if len(k.UIDs) != len(k.Values) || len(k.Hash) != 66 {
			t.Errorf("read %+v", k)
		}
	})
}
