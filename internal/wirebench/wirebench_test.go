package wirebench

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"adit/internal/engine"
	"adit/internal/engine/device/cpu"
)

// parity is text in which each token follows from the one before.
type parity struct{}

func (parity) Sequence(dst []int32, _ int, seed string, i int64) error {
	rng := rand.New(rand.NewPCG(uint64(len(seed))+uint64(seed[len(seed)-1]), uint64(i)))
	dst[0] = rng.Int32N(64)
	for k := range dst[1:] {
		dst[k+1] = (dst[k]*5 + 1) % 64
	}
	return nil
}

func (p parity) HeldOut(dst []int32, domain int, i int64) error {
	return p.Sequence(dst, domain, "held out", i)
}

func (parity) HeldOutLen(int, int) int64 { return 8 }

func small(method string) Options {
	o := Usual(method)
	o.Miners, o.Inner, o.Rounds, o.Every, o.Batch, o.SeqLen, o.Warmup = 3, 2, 6, 3, 2, 16, 2
	return o
}

// TestRun holds every method to what is known of it: that it learns, what it sends,
// and that two runs are the same.
func TestRun(t *testing.T) {
	t.Parallel()
	source := engine.New(engine.Options{Device: cpu.New(1), Config: Shape(64, 1, 64), Data: parity{}, SeqLen: 16})
	defer source.Close()
	begin := make(map[string]float64)
	for _, method := range Methods() {
		run := func() (points []Point) {
			if err := Run(t.Context(), source, small(method), func(p Point) { points = append(points, p) }); err != nil {
				t.Fatal(err)
			}
			return points
		}
		points := run()
		if len(points) != 3 || !points[2].Last || points[2].Round != 6 {
			t.Fatalf("%s: %+v", method, points)
		}
		if !slices.Equal(points, run()) {
			t.Errorf("%s: another run is different", method)
		}
		first, last := points[0], points[2]
		begin[method] = first.Loss
		if first.Loss != begin["dense"] {
			t.Errorf("%s begins with a loss of %v, and dense with %v", method, first.Loss, begin["dense"])
		}
		if !(last.Loss < first.Loss) {
			t.Errorf("%s: the loss goes from %v to %v", method, first.Loss, last.Loss)
		}
		n := last.Parameters
		share := float64(last.Up) / float64(6*4*n)
		switch method {
		case "dense":
			if last.Up != 6*4*n || last.Down != last.Up || last.Payload != 2*last.Up {
				t.Errorf("dense: %+v", last)
			}
		case "slices", "r2": // two steps of two objects with a value in a hundred each
			if last.Down != 2*last.Up || share < 0.04 {
				t.Errorf("%s: %+v", method, last)
			}
		case "sparse": // 2.5 bytes instead of 4 * 64
			if last.Down != 2*last.Up || share < 2.5/256 || last.Bits < 0.3125 || last.Bits > 0.4 {
				t.Errorf("sparse: %+v", last)
			}
		case "adit":
			if r := float64(last.Down) / float64(last.Up); r > 1.2 || share > 0.01 || last.Bits < 0.14 || last.Bits > 0.22 {
				t.Errorf("adit: %+v", last)
			}
		}
	}
}

func TestValidate(t *testing.T) {
	if err := Usual("adit").Validate(); err != nil {
		t.Error(err)
	}
	bad := Options{Method: "fax", Decay: math.NaN(), Miners: 65, Rate: -1}
	err := bad.Validate()
	for _, want := range []string{`"fax"`, "65 miners", "decay of NaN", "outer rate of -1", "0 rounds", "0 values kept"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	if err := Run(t.Context(), nil, bad, nil); err == nil {
		t.Error("it runs")
	}
}

// points are of two seeds of dense and ours, with numbers that are easy to follow.
func points() []Point {
	var all []Point
	for seed := 1; seed <= 2; seed++ {
		for round := 0; round <= 10; round += 5 {
			p := Point{Method: "dense", Seed: seed, Round: round, Last: round == 10, Loss: 4 - float64(round)/5, Up: int64(round) * 4000, Down: int64(round) * 4000}
			all = append(all, p)
			p.Method, p.Loss, p.Up, p.Down, p.Bits = "adit", p.Loss*(1+float64(seed)/100), p.Up/100, p.Down/100, 0.15
			all = append(all, p)
		}
	}
	return all
}

func TestSummarise(t *testing.T) {
	got := Summarise(points())
	if len(got) != 2 || got[0].Method != "dense" || got[0].Behind != 0 || got[0].Fewer != 1 {
		t.Fatalf("%+v", got)
	}
	a := got[1]
	if a.Seeds != 2 || math.Abs(a.Loss-2.03) > 1e-9 || math.Abs(a.Behind-0.015) > 1e-9 || a.Fewer != 100 || a.Up != 400 || a.Least != 2.02 || a.Most != 2.04 {
		t.Errorf("%+v", a)
	}
}

func TestReadPoints(t *testing.T) {
	var b bytes.Buffer
	lines := json.NewEncoder(&b)
	for _, p := range points() {
		if err := lines.Encode(p); err != nil {
			t.Fatal(err)
		}
	}
	got, err := ReadPoints(&b)
	if err != nil || len(got) != len(points()) || got[0].Round != 0 || got[len(got)-1].Seed != 2 {
		t.Errorf("%v, %+v", err, got)
	}
	for _, bad := range []string{"{", `{"method":"fax","loss":1}`, `{"method":"dense","loss":0}`, `{"method":"dense","loss":1,"bytes_up":-1}`} {
		if _, err := ReadPoints(strings.NewReader(bad)); err == nil {
			t.Errorf("%s is read", bad)
		}
	}
}

// TestPlot parses the drawing, and looks for every curve within the frame.
func TestPlot(t *testing.T) {
	var b bytes.Buffer
	if err := Plot(&b, "a < b", Curves(points()), 0); err != nil {
		t.Fatal(err)
	}
	counts := make(map[string]int)
	d := xml.NewDecoder(&b)
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok {
			counts[e.Name.Local]++
		}
	}
	if counts["polyline"] != 2 || counts["polygon"] != 2 || counts["circle"] != 2 || counts["text"] < 12 {
		t.Errorf("%v", counts)
	}
	f, err := newFrame(Curves(points()), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range Curves(points()) {
		for i := range c.Sent {
			if x, y := f.x(c.Sent[i]), f.y(c.Loss[i]); x < frameLeft || x > frameRight || y < frameTop || y > frameBottom {
				t.Errorf("%s: %v, %v is beyond the frame", c.Method, x, y)
			}
		}
	}
	if err := Plot(io.Discard, "", nil, 0); err == nil {
		t.Error("nothing is drawn")
	}
}
