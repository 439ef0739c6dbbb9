package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestEvents(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e, err := OpenEvents(dir, "train")
	if err != nil {
		t.Fatal(err)
	}
	e.max = 100
	for n := range 100 {
		if _, err := fmt.Fprintf(e, "line %04d\n", n); err != nil { // 10 bytes
			t.Fatal(err)
		}
	}
	if err := errors.Join(e.Close(), e.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Write([]byte("x")); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Write after Close: error = %v", err)
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != keptEvents {
		t.Errorf("%d files, want %d", len(entries), keptEvents)
	}
	var all []byte
	for _, name := range []string{"events.train.2.jsonl", "events.train.1.jsonl", "events.train.jsonl"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || len(data) != 100 {
			t.Errorf("%s: %d bytes, %v, want 100", name, len(data), err)
		}
		all = append(all, data...)
	}
	if !bytes.HasPrefix(all, []byte("line 0070\n")) || !bytes.HasSuffix(all, []byte("line 0099\n")) {
		t.Errorf("the files hold\n%s", all)
	}
}

func TestEventsAfterKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "events.jsonl")
	if err := os.WriteFile(path, []byte("whole\nhal"), 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := OpenEvents(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if _, err := e.Write([]byte("next\n")); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "whole\nhal\nnext\n" {
		t.Errorf("the file reads %q, %v", got, err)
	}
	if _, err := OpenEvents(dir, "../x"); err == nil {
		t.Error("a role that leaves the directory was accepted")
	}
}
