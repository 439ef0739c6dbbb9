package solo

import (
	"context"
	"sync/atomic"

	"adit/internal/engine/device"
)

// A gate is a device that can be told to stop in the middle of a pass, which may
// take minutes where a person who pressed Ctrl-C has seconds.
//
// It stops at a matrix product, of which every pass consists, and never during
// the update of the parameters, which has none: parameters and moments are then
// as the last whole step left them.
type gate struct {
	device.Device
	ctx atomic.Pointer[context.Context]
}

// stopped is what a gate panics with. Nobody but do sees it.
type stopped struct{}

func (g *gate) check() {
	if ctx := g.ctx.Load(); ctx != nil && (*ctx).Err() != nil {
		panic(stopped{})
	}
}

func (g *gate) Gemm(c, a device.Mat, ta bool, b device.Mat, tb bool, acc bool) {
	g.check()
	g.Device.Gemm(c, a, ta, b, tb, acc)
}

func (g *gate) Grouped(c, a device.Mat, offsets device.Ints, b device.Buf, tb bool, acc bool) {
	g.check()
	g.Device.Grouped(c, a, offsets, b, tb, acc)
}

func (g *gate) GroupedGrad(db device.Buf, dc, a device.Mat, offsets device.Ints, acc bool) {
	g.check()
	g.Device.GroupedGrad(db, dc, a, offsets, acc)
}

// do calls f, which computes on g in this goroutine, and returns its error, or
// that of ctx as soon as ctx is done.
func (g *gate) do(ctx context.Context, f func() error) (err error) {
	g.ctx.Store(&ctx)
	defer g.ctx.Store(nil)
	defer func() {
		switch r := recover().(type) {
		case nil:
		case stopped:
			err = ctx.Err()
		default:
			panic(r)
		}
	}()
	return f()
}
