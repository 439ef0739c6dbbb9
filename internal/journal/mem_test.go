package journal

import (
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"adit/internal/journal/dirtest"
	"adit/internal/journal/journaltest"
	"adit/internal/subnet"
)

func TestMem(t *testing.T) {
	t.Parallel()
	dirtest.Run(t, func(*testing.T) (subnet.Dir, func() subnet.Dir) {
		m := NewMem()
		return m, func() subnet.Dir { return m }
	})
	journaltest.Run(t, func(*testing.T) (subnet.Journal, func() subnet.Journal) {
		m := NewMem()
		return m, func() subnet.Journal { return m }
	})
}

func TestMemCrash(t *testing.T) {
	t.Parallel()
	m := NewMem()
	put := func(name, text string) subnet.Draft {
		t.Helper()
		w, err := m.Create(name)
		if err == nil {
			_, err = io.WriteString(w, text)
		}
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	if err := put("kept", "whole").Commit(); err != nil {
		t.Fatal(err)
	}
	half := put("a/half", "0123456789")
	m.Crash(rand.New(rand.NewPCG(1, 2)))

	if _, err := half.Write([]byte("ghost")); err == nil {
		t.Error("a draft from before the crash was written")
	}
	if err := half.Commit(); err == nil {
		t.Error("a draft from before the crash was committed")
	}
	if f, err := m.Open("kept"); err != nil || f.Size() != 5 {
		t.Errorf("the committed file: %v, %v", f, err)
	}
	w, err := m.Resume("a/half")
	if err != nil {
		t.Fatal(err)
	}
	text := make([]byte, w.Size())
	if _, err := w.ReadAt(text, 0); err != nil && len(text) > 0 {
		t.Fatal(err)
	}
	if len(text) >= 10 || string(text) != "0123456789"[:len(text)] {
		t.Errorf("after the crash the draft holds %q, want a part of it (for this seed)", text)
	}
}

func TestMemFault(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	m := NewMem()
	w, err := m.Create("a")
	if err != nil {
		t.Fatal(err)
	}
	m.Fault = func(op, name string) error {
		if name != "a" {
			t.Errorf("asked about %s %q", op, name)
		}
		return full
	}
	_, e1 := w.Write([]byte("x"))
	e2 := w.Commit()
	_, e3 := m.Create("a")
	_, e4 := m.Resume("a")
	e5 := m.Rename("a", "b")
	_, e6 := m.Intend("a", "x")
	e7 := m.Done("a", "x")
	for i, err := range []error{e1, e2, e3, e4, e5, e6, e7} {
		if !errors.Is(err, full) {
			t.Errorf("operation %d: error = %v", i+1, err)
		}
	}
	m.Fault = nil
	if got, err := m.Intend("a", "y"); got != "y" || err != nil {
		t.Errorf("after a failed intent, Intend = %q, %v", got, err)
	}
	if w.Size() != 0 {
		t.Errorf("the draft holds %d bytes that were refused", w.Size())
	}
}
