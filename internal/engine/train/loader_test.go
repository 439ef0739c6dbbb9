package train

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"adit/internal/engine/device"
	"adit/internal/engine/device/ref"
)

// slow takes a minute for each update.
type slow struct{ device.Device }

func (s slow) SumSquares(x device.Buf) float64 {
	time.Sleep(time.Minute)
	return s.Device.SumSquares(x)
}

// TestReadsAhead reads for half as long as it computes, and for one and a half
// times as long: the engine waits for the first batch, and then for what is
// beyond its own time.
func TestReadsAhead(t *testing.T) {
	for _, tt := range []struct{ reading, later time.Duration }{
		{30 * time.Second, 0},
		{90 * time.Second, 30 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			tr := newTrainerOn(t, slow{ref.New()}, options(), func(dst []int32, i int64) error {
				time.Sleep(tt.reading / 4) // of four sequences
				return counting(dst, i)
			})
			for n := range 4 {
				want := tt.later
				if n == 0 {
					want += tt.reading
				}
				if s, err := tr.Step(t.Context()); err != nil || s.Wait != want {
					t.Errorf("step %d waited %v, want %v: %v", s.Number, s.Wait, want, err)
				}
			}
		})
	}
}

// TestErrorsAreTheirStepsOwn reads ahead what cannot be read: the step before
// is good, the one after fails, and reads again when it is asked again.
func TestErrorsAreTheirStepsOwn(t *testing.T) {
	broken, calls := true, 0
	tr := newTrainer(t, options(), func(dst []int32, i int64) error {
		if calls++; i == 9 && broken {
			return errors.New("disk gone")
		}
		return counting(dst, i)
	})
	whole := newTrainer(t, options(), counting)
	want := steps(t, whole, 3)
	if got := steps(t, tr, 2); got[1] != want[1] {
		t.Errorf("second step %+v, want %+v", got[1], want[1])
	}
	for range 2 {
		if _, err := tr.Step(t.Context()); err == nil || !strings.Contains(err.Error(), "read sequence 9: disk gone") || tr.steps != 2 {
			t.Errorf("step: %v after %d", err, tr.steps)
		}
	}
	broken = false
	if got := steps(t, tr, 1); got[0] != want[2] {
		t.Errorf("third step %+v, want %+v", got[0], want[2])
	}
	if calls != 4+4+2+2+4+4 {
		t.Errorf("%d sequences were read", calls)
	}
}

// TestCancelledBetweenBatches ends a step before its second batch: it has not
// been taken.
func TestCancelledBetweenBatches(t *testing.T) {
	opts := options()
	opts.Accumulate = 2
	want := steps(t, newTrainer(t, opts, counting), 2)
	ctx, cancel := context.WithCancel(t.Context())
	tr := newTrainerOn(t, &cancelling{Device: ref.New(), cancel: cancel}, opts, counting)
	before := steps(t, tr, 1)
	tr.opt.dev.(*cancelling).armed = true
	if _, err := tr.Step(ctx); !errors.Is(err, context.Canceled) || tr.steps != 1 || tr.next != 8 {
		t.Errorf("cancelled step: %v after %d", err, tr.steps)
	}
	tr.opt.dev.(*cancelling).armed = false
	if got := steps(t, tr, 1); before[0] != want[0] || got[0] != want[1] {
		t.Errorf("steps %+v and %+v, want %+v", before[0], got[0], want)
	}
}

// cancelling cancels when a step begins.
type cancelling struct {
	device.Device
	armed  bool
	cancel func()
}

func (c *cancelling) Zero(x device.Buf) {
	if c.armed {
		c.cancel()
	}
	c.Device.Zero(x)
}
