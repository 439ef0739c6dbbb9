package train

import (
	"fmt"
	"math"

	"adit/internal/engine/device"
	"adit/internal/subnet"
)

// Read copies what is kept of a trained parameter to dst, which is as long as the
// parameter. A gradient is without the loss scale.
func (t *Trainer) Read(what subnet.Kept, name string, dst []float32) error {
	b, err := t.kept(what, name, len(dst))
	if err != nil {
		return fmt.Errorf("read %s: %w", what, err)
	}
	t.opt.dev.Download(dst, b)
	if by := 1 / t.scale(); what == subnet.Gradient && by != 1 {
		for i := range dst {
			dst[i] *= float32(by)
		}
	}
	return nil
}

// Write replaces it. A moment must be such as a training could have: it would do
// harm in every step to come.
func (t *Trainer) Write(what subnet.Kept, name string, src []float32) error {
	b, err := t.kept(what, name, len(src))
	if err == nil && what != subnet.Gradient {
		err = checkMoment(what, src)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", what, err)
	}
	t.opt.dev.Upload(b, src)
	if what == subnet.Gradient {
		t.written = true
		if by := t.scale(); by != 1 {
			t.opt.dev.Scale(b, float32(by))
		}
	}
	return nil
}

// kept returns the memory of n numbers.
func (t *Trainer) kept(what subnet.Kept, name string, n int) (device.Buf, error) {
	p, ok := t.opt.places[name]
	if !ok {
		return nil, fmt.Errorf("%q is not a parameter that is trained", name)
	}
	if n != p.hi-p.lo {
		return nil, fmt.Errorf("%q has %d numbers, not %d", name, p.hi-p.lo, n)
	}
	if what == subnet.Gradient {
		t.m.SettleGradient()
		return t.opt.grad.Slice(p.lo, p.hi), nil
	}
	for _, of := range t.opt.rule.memory() {
		if of.name == string(what)+"." {
			return of.buf.Slice(p.lo, p.hi), nil
		}
	}
	return nil, fmt.Errorf("%s keeps none", t.opt.rule.method())
}

func checkMoment(what subnet.Kept, src []float32) error {
	for _, v := range src {
		if x := float64(v); math.IsNaN(x) || math.IsInf(x, 0) || x < 0 && what == subnet.Moment2 {
			return fmt.Errorf("%v in it", v)
		}
	}
	return nil
}
