package train

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/engine/device"
	"adit/internal/engine/device/cpu"
	"adit/internal/engine/device/ref"
	"adit/internal/engine/model"
)

func TestEvaluate(t *testing.T) {
	tr := newTrainer(t, options(), counting)
	read := func(nan int64) Reader {
		return func(dst []int32, i int64) error {
			for k := range dst {
				dst[k] = int32(k)
			}
			if i == nan {
				dst[0] = 12
			}
			return nil
		}
	}
	ten := []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	good, err := Evaluate(t.Context(), tr.m, read(-1), ten)
	if err != nil || good.Bad != 0 || good.Tokens != 60 || len(good.Sequences) != 10 || !(good.Mean < 4) {
		t.Fatalf("loss = %+v, %v", good, err)
	}
	one, _ := Evaluate(t.Context(), tr.m, read(-1), ten[:1])
	if math.Abs(one.Mean-good.Mean) > 1e-6 {
		t.Errorf("one sequence %v, the same ten times %v", one.Mean, good.Mean)
	}

	// An embedding of NaN: only the sequence with its token is bad.
	p := tr.m.Params()[0]
	w := weights(tr, all)[p.Name]
	w[12*8] = float32(math.NaN())
	tr.opt.dev.Upload(tr.m.Weights(p), w)
	bad, err := Evaluate(t.Context(), tr.m, read(9), ten)
	if err != nil || bad.Bad != 1 || !math.IsInf(bad.Mean, 1) || bad.Tokens != 60 ||
		!math.IsInf(bad.Sequences[9], 1) || bad.Sequences[8] != good.Sequences[8] {
		t.Errorf("with one bad sequence of ten: %+v, %v", bad, err)
	}
}

// TestBatchesDoNotMatter evaluates the same sequences one, three and eight at
// a time: no bit changes.
func TestBatchesDoNotMatter(t *testing.T) {
	devices := map[string]device.Device{"ref": ref.New()}
	for _, name := range cpu.Kernels() {
		d, err := cpu.NewKernel(2, name)
		if err != nil {
			t.Fatal(err)
		}
		devices[name] = d
	}
	for name, dev := range devices {
		m, err := model.New(dev, tiny(), 6)
		if err != nil {
			t.Fatal(err)
		}
		m.Init("test")
		sequences := []int64{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5}
		want, err := evaluate(t.Context(), m, counting, sequences, 1)
		if err != nil {
			t.Fatal(err)
		}
		mean := 0.0
		for _, l := range want.Sequences {
			mean += l / float64(len(sequences))
		}
		if len(want.Sequences) != len(sequences) || math.Abs(mean-want.Mean) > 1e-12 || want.Sequences[1] != want.Sequences[3] {
			t.Errorf("%s: loss = %+v", name, want)
		}
		for _, size := range []int{3, 8, 20} {
			got, err := evaluate(t.Context(), m, counting, sequences, size)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%s: %d sequences at once (-1 +%d): %v\n%s", name, size, size, err, diff)
			}
		}
	}
}
