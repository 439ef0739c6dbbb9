package templar

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"adit/internal/subnet"
)

// A restart goes on with the model, the step and the sample rate.
func TestSlicesRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.hparams = quickly
		n := w.add("slices")
		stop := n.play(mineSlices)
		w.sleepTo(5, 3*blockTime)
		stop()
		before := map[string][]float32{"a.weight": n.values("a.weight"), "b.weight": n.values("b.weight")}
		defer n.play(mineSlices)()
		w.sleepTo(5, 3*blockTime+time.Second)
		e := n.all("resume")
		if len(e) != 1 || attr(e[0], "global_step") != "6" {
			t.Fatalf("resumed: %v", e)
		}
		for name, v := range before {
			if d := apart(v, n.values(name)); d != 0 {
				t.Errorf("%s differs by %g", name, d)
			}
		}
		w.sleepTo(6, 3*blockTime)
		if steps := n.all("step_begun"); attr(steps[len(steps)-1], "global_step") != "7" {
			t.Errorf("the last step is %v", steps[len(steps)-1])
		}
	})
}

// Whenever a role is told to end, it ends within five seconds.
func TestSlicesEnd(t *testing.T) {
	for _, after := range []time.Duration{0, time.Second, 5 * time.Second, 13 * time.Second, 40 * time.Second, 61 * time.Second, 150 * time.Second} {
		t.Run(after.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.hparams = quickly
				m, v := w.add("r2"), w.add("r2")
				stops := []func() time.Duration{m.play(mineSlices), v.play(validateSlices)}
				time.Sleep(after)
				for _, stop := range stops {
					if took := stop(); took > 5*time.Second {
						t.Errorf("it took %v to end", took)
					}
				}
			})
		})
	}
}

// A window without text costs that window's training, and nothing else.
func TestSlicesWithoutText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.hparams = quickly
		miners, stop := crew(w, "slices", 2)
		defer stop()
		w.sleepTo(1, 3*blockTime)
		w.mu.Lock()
		w.serverDown = true
		w.mu.Unlock()
		w.sleepTo(3, 3*blockTime)
		if e := miners[0].all("lost"); len(e) == 0 || !strings.Contains(attr(e[0], "error"), "502") {
			t.Errorf("lost: %v", e)
		}
		if miners[0].slice(DeltaObject, first+2) != nil {
			t.Error("a delta of nothing was uploaded")
		}
		w.mu.Lock()
		w.serverDown = false
		w.mu.Unlock()
		w.sleepTo(5, 3*blockTime)
		if miners[0].slice(DeltaObject, first+5) == nil {
			t.Errorf("no delta once there was text again:\n%s", miners[0].text())
		}
	})
}

// A bucket that cannot be read costs its owner's slices, and nobody else's.
func TestBucketFaults(t *testing.T) {
	for _, tt := range []struct {
		fault      error
		kind, text string
	}{
		{subnet.ErrDenied, "refused", "access denied"},
		{subnet.ErrTemporary, "missed", "temporary"},
	} {
		t.Run(tt.kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.hparams = quickly
				bad := w.add("slices")
				bucket := bad.cfg.Bucket
				w.buckets.Fault = func(op string, at subnet.BucketAddress, key string) error {
					if op == "get" && at.Name == bucket && strings.HasPrefix(key, "delta-") {
						return tt.fault
					}
					return nil
				}
				defer bad.play(mineSlices)()
				miners, stop := crew(w, "slices", 2)
				defer stop()
				w.sleepTo(4, 3*blockTime)
				events := miners[0].all("deltas")
				if last := events[len(events)-1]; attr(last, "files") != "2" {
					t.Error(last.Text)
				}
				list := miners[0].all(tt.kind)
				if len(list) == 0 || attr(list[0], "uid") != "0" || !strings.Contains(attr(list[0], "reason"), tt.text) {
					t.Errorf("%s: %v", tt.kind, list)
				}
			})
		})
	}
}
