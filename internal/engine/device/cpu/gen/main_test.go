package main

import (
	"os"
	"testing"
)

// TestUpToDate holds the files beside the generator to what it writes.
func TestUpToDate(t *testing.T) {
	asm, stubs := generate()
	for name, want := range map[string]string{"../kernels_amd64.s": asm, "../kernels_amd64.go": stubs} {
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%s is not what the generator writes: run go generate", name)
		}
	}
}
