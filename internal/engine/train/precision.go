package train

import (
	"fmt"

	"adit/internal/engine/device"
)

// A Precision says in how many bits gradients are kept, in the words of the
// networks' configurations.
//
// Arithmetic is in 32-bit floats whatever it is, and so are parameters and
// moments: what a mixed precision takes over is the width of the gradient,
// which is rounded after each micro-batch that was added to it, and with
// FP16Mixed the loss scale that this makes necessary.
type Precision string

// The precisions.
const (
	FP32      Precision = "fp32"
	FP16Mixed Precision = "fp16-mixed" // 5 bits of exponent: with a loss scale
	BF16Mixed Precision = "bf16-mixed" // 8, as many as 32 bits have
)

// narrow rounds a gradient to the numbers that p can keep.
func (p Precision) narrow(dev device.Device, grad device.Buf) {
	switch p {
	case FP16Mixed:
		dev.Round(grad, device.F16)
	case BF16Mixed:
		dev.Round(grad, device.BF16)
	}
}

func (p Precision) problems() []error {
	switch p {
	case "", FP32, FP16Mixed, BF16Mixed:
		return nil
	}
	return []error{fmt.Errorf("precision: %q is not one of %s, %s and %s", p, FP32, FP16Mixed, BF16Mixed)}
}
