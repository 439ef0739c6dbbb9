package model

import "adit/internal/engine/device"

// CountRouting begins, or ends, to sum for each expert of each sparse layer the
// weights with which the router sends tokens to it. Each pass then waits for what
// its routers did, so that it is for looking at a model, not for training one.
func (m *Model) CountRouting(on bool) {
	for _, mx := range m.mixtures {
		mx.routed = nil
		if on {
			mx.routed = make([]float64, m.cfg.NRoutedExperts)
		}
	}
}

// Routing returns the sums since [Model.CountRouting] began: by layer, a number for
// each expert. It is empty if the model has no routers. The order of adding is that
// of the tokens, so that the sums do not depend on how many sequences go through
// the model at once.
func (m *Model) Routing() map[int][]float64 {
	sums := make(map[int][]float64, len(m.mixtures))
	for l, mx := range m.mixtures {
		sums[l] = append([]float64{}, mx.routed...)
	}
	return sums
}

// count adds the weights (N*K) of the experts that were chosen.
func (mx *mixture) count(dev device.Device, chosen device.Ints, weight device.Buf) {
	experts, weights := make([]int32, chosen.Len()), make([]float32, weight.Len())
	dev.DownloadInts(experts, chosen)
	dev.Download(weights, weight)
	for i, e := range experts {
		mx.routed[e] += float64(weights[i])
	}
}
