package main

import (
	"os"
	"testing"
)

// TestUpToDate holds the files beside the generator to what it writes.
func TestUpToDate(t *testing.T) {
	for name, want := range generate() {
		got, err := os.ReadFile("../" + name)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%s is not what the generator writes: run go generate", name)
		}
	}
}
