package exchange_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"adit/internal/exchange"
	"adit/internal/exchange/storetest"
	"adit/internal/subnet"
)

func isTemporary(err error) bool { return errors.Is(err, subnet.ErrTemporary) }

// The faults a simulation can ask for, in virtual time.
func TestMemFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		data := storetest.Noise(1, 100000)
		var m exchange.Mem
		var asked []string
		m.Fault = func(op, path string) error {
			asked = append(asked, op+" "+path)
			time.Sleep(time.Minute)
			if path == "x/gone.pt" {
				return subnet.ErrTemporary
			}
			return nil
		}
		sent := data
		m.Corrupt = func(path string, whole []byte) []byte { return sent }
		s := m.Open("x")
		start := time.Now()
		if err := s.Stage(t.Context(), "m.pt", storetest.NewFile("m.pt", data)); err != nil {
			t.Fatal(err)
		}
		if err := s.Stage(t.Context(), "gone.pt", storetest.NewFile("gone.pt", data)); !isTemporary(err) {
			t.Errorf("Stage with a fault: %v", err)
		}
		revision, err := s.Publish(t.Context(), "m")
		if err != nil {
			t.Fatal(err)
		}
		get := func(d *storetest.Draft) error { return m.Open("x").Get(t.Context(), revision, "m.pt", d, 1<<20) }

		var d storetest.Draft
		sent = data[:30000]
		if err := get(&d); !isTemporary(err) || d.Size() != 30000 {
			t.Errorf("cut: %v, %d bytes", err, d.Size())
		}
		sent = data
		if err := get(&d); err != nil || d.Written() != len(data) {
			t.Errorf("goes on: %v, %d bytes written", err, d.Written())
		}
		sent = storetest.Noise(2, len(data))
		d = storetest.Draft{}
		if err := get(&d); err == nil || isTemporary(err) || d.Size() != 0 {
			t.Errorf("other bytes: %v, %d bytes", err, d.Size())
		}
		if passed := time.Since(start); passed != 6*time.Minute || len(asked) != 6 || asked[2] != "publish x" {
			t.Errorf("%v passed, asked %q", passed, asked)
		}
	})
}

// What one writer staged is not published by another.
func TestMemHandles(t *testing.T) {
	var m exchange.Mem
	a, b := m.Open("x"), m.Open("x")
	if err := a.Stage(t.Context(), "a.pt", storetest.NewFile("a.pt", []byte("a"))); err != nil {
		t.Fatal(err)
	}
	if revision, err := b.Publish(t.Context(), "b"); err == nil {
		t.Errorf("b published %s", revision)
	}
	if _, err := a.Publish(t.Context(), "a"); err != nil {
		t.Error(err)
	}
	if err := m.Open("y").Get(t.Context(), "", "a.pt", new(storetest.Draft), 10); !errors.Is(err, subnet.ErrNotFound) {
		t.Errorf("in another store: %v", err)
	}
}
