package engine

import (
	"math"
	"testing"

	"adit/internal/engine/device"
	"adit/internal/engine/device/cpu"
	"adit/internal/engine/device/ref"
	"adit/internal/subnet"
)

// train returns the losses and norms of a few steps on a device, and the loss
// after them.
func trainOn(t *testing.T, dev device.Device) []float64 {
	t.Helper()
	e := newEngine(func(o *Options) {
		o.Device = dev
		// Sizes that no kernel's tiles divide.
		o.Config.HiddenSize, o.Config.HeadDim, o.Config.MoEIntermediateSize, o.Config.IntermediateSize = 36, 10, 19, 41
		o.Config.NumHiddenLayers, o.Config.NumAttentionHeads = 3, 4
		o.Config.InitializerRange = 0.1
	})
	var out []float64
	opts := DefaultGenesis()
	opts.Groups, opts.Steps, opts.WarmupSteps = []subnet.Experts{{1: {0, 2}}, nil}, 6, 0
	m, err := e.Genesis(t.Context(), opts, func(s subnet.Step) { out = append(out, s.Loss, s.GradNorm) })
	if err != nil {
		t.Fatal(err)
	}
	loss, err := m.Loss(t.Context(), subnet.Sample{})
	if err != nil {
		t.Fatal(err)
	}
	return append(out, loss.Mean)
}

// TestProcessorAgrees trains on the processor and on the reference device: the
// same to many digits, and to the bit whatever the number of threads.
func TestProcessorAgrees(t *testing.T) {
	want, one, three := trainOn(t, ref.New()), trainOn(t, cpu.New(1)), trainOn(t, cpu.New(3))
	for i := range want {
		if math.Abs(one[i]/want[i]-1) > 1e-4 {
			t.Errorf("reference %v\nprocessor %v", want, one)
			break
		}
	}
	for i := range one {
		if one[i] != three[i] {
			t.Errorf("one thread    %v\nthree threads %v", one, three)
			break
		}
	}
}
