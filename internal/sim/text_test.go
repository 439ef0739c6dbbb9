package sim

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"adit/internal/subnet"
)

// TestCostModelOfText trains on given text in virtual time: a model gets better at
// it, and less so at other text; a step apart is a step; and a gradient that is
// written is applied.
func TestCostModelOfText(t *testing.T) {
	text := func(n int32) subnet.Sequence {
		return subnet.Sequence{Tokens: []int32{n, 1, 2}, Targets: []int32{1, 2, -1}}
	}
	synctest.Test(t, func(t *testing.T) {
		e := NewEngine([]subnet.Param{{Name: "a", Shape: []int{2, 3}}, {Name: "b", Shape: []int{5}}})
		e.StepTime, e.Rate = time.Second, 0.5
		open := func(feed func(context.Context) ([]subnet.Sequence, error), accumulate int) (subnet.Model, subnet.Trainer) {
			m, err := e.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			tr, err := m.Train(subnet.TrainOptions{Params: func(string) bool { return true }, Feed: feed, Accumulate: accumulate, LR: 1})
			if err != nil {
				t.Fatal(err)
			}
			return m, tr
		}
		loss := func(m subnet.Model, s subnet.Sequence) float64 {
			l, err := m.Loss(t.Context(), subnet.Sample{Given: []subnet.Sequence{s}})
			if err != nil || l.Tokens != 2 || len(l.Sequences) != 1 {
				t.Fatalf("%+v, %v", l, err)
			}
			return l.Mean
		}
		m, tr := open(func(context.Context) ([]subnet.Sequence, error) { return []subnet.Sequence{text(7)}, nil }, 1)
		own, other := loss(m, text(7)), loss(m, text(8))
		start := time.Now()
		for n := range 20 {
			if s, err := tr.Step(t.Context()); err != nil || s.Number != n+1 || s.Tokens != 2 || s.Skipped {
				t.Fatalf("%+v, %v", s, err)
			}
		}
		if took := time.Since(start); took != 20*time.Second {
			t.Errorf("20 steps took %v", took)
		}
		if at := loss(m, text(7)); at > unlearnable+1e-3 || !(own > at) || !(other > loss(m, text(8))) || !(loss(m, text(8)) > at+0.01) {
			t.Errorf("loss from %v to %v on its own text, and from %v to %v on other", own, at, other, loss(m, text(8)))
		}

		// One step of two batches, and the same apart.
		two := func() func(context.Context) ([]subnet.Sequence, error) {
			n := int32(0)
			return func(context.Context) ([]subnet.Sequence, error) {
				if n++; n > 2 {
					return nil, io.EOF
				}
				return []subnet.Sequence{text(n)}, nil
			}
		}
		whole, a := open(two(), 2)
		apart, b := open(two(), 0)
		written, c := open(nil, 0)
		if _, err := a.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := b.Accumulate(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for _, p := range apart.Params() {
			g := make([]float32, p.Len())
			if err := b.Read(subnet.Gradient, p.Name, g); err != nil {
				t.Fatal(err)
			}
			if err := c.Write(subnet.Gradient, p.Name, g); err != nil {
				t.Fatal(err)
			}
		}
		for _, tr := range []subnet.Trainer{b, c} {
			if s, err := tr.Apply(t.Context(), 0.5); err != nil || s.Skipped {
				t.Fatalf("%+v, %v", s, err)
			}
		}
		for _, p := range whole.Params() {
			want, x, y := make([]float32, p.Len()), make([]float32, p.Len()), make([]float32, p.Len())
			if err := whole.Read(p.Name, want); err != nil {
				t.Fatal(err)
			}
			if apart.Read(p.Name, x) != nil || written.Read(p.Name, y) != nil {
				t.Fatal("a parameter cannot be read")
			}
			for i := range want {
				if want[i] == 0 || x[i] != want[i] || y[i] != want[i] {
					t.Errorf("%s: %v, apart %v, written %v", p.Name, want, x, y)
					break
				}
			}
		}
		if _, err := b.Accumulate(t.Context()); err != io.EOF {
			t.Errorf("at the end: %v", err)
		}
		if err := whole.Write("c", nil); err == nil {
			t.Error("a parameter that is not there was written")
		}
	})
}
