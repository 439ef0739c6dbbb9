package templar

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"adit/internal/subnet"
)

// BurnUID is who gets the share of the weights that nobody has earned: the owner.
const BurnUID subnet.UID = 1

// Weights returns what a validator sets of final scores. Only miners that were
// evaluated are among them. Those of gather divide most of it, the best of them
// twice as much as the last, those in reserve the rest, each half as much as the
// one before it, and a share goes to [BurnUID]. Weights of nought are left out.
func (r Rules) Weights(final map[subnet.UID]float64) map[subnet.UID]float64 {
	h := r.Sparse
	ranked := rank(final)
	gather := ranked[:min(len(ranked), int(h.GatherPeerCount))]
	reserve := ranked[len(gather):min(len(ranked), len(gather)+int(h.ReservePeerCount))]

	weights := make(map[subnet.UID]float64)
	slope, decay := make([]float64, len(gather)), make([]float64, len(reserve))
	for i := range slope {
		slope[i] = h.GatherTopRatio
		if n := len(slope); n > 1 {
			slope[i] += (1 - h.GatherTopRatio) * float64(i) / float64(n-1)
		}
	}
	for i := range decay {
		decay[i] = math.Pow(h.ReserveDecayRatio, float64(i))
	}
	divide(slope, h.GatherShare)
	divide(decay, 1-h.GatherShare)
	// Nobody in reserve gets more than the last who is gathered.
	if len(decay) > 0 && decay[0] > slope[len(slope)-1] {
		factor := slope[len(slope)-1] / decay[0] * h.ReserveDecayRatio
		for i := range decay {
			decay[i] *= factor
		}
	}
	sum := 0.0
	for i, uid := range gather {
		weights[uid] = slope[i]
		sum += slope[i]
	}
	for i, uid := range reserve {
		weights[uid] = decay[i]
		sum += decay[i]
	}
	for uid, w := range weights {
		weights[uid] = w / sum * (1 - h.BurnRate)
	}
	weights[BurnUID] = h.BurnRate
	if sum == 0 {
		weights[BurnUID] = 1
	}
	maps.DeleteFunc(weights, func(_ subnet.UID, w float64) bool { return !(w > 0) })
	return weights
}

// rank returns those with a positive score, the best first.
func rank(scores map[subnet.UID]float64) []subnet.UID {
	var list []subnet.UID
	for uid, s := range scores {
		if s > 0 && uid != BurnUID {
			list = append(list, uid)
		}
	}
	slices.SortFunc(list, func(a, b subnet.UID) int {
		return cmp.Or(-cmp.Compare(scores[a], scores[b]), cmp.Compare(a, b))
	})
	return list
}

// divide scales values to a sum.
func divide(values []float64, sum float64) {
	have := 0.0
	for _, v := range values {
		have += v
	}
	for i := range values {
		values[i] *= sum / have
	}
}

// SliceWeights returns what a validator of the slices sets of averages: their
// shares of all that is positive. Nobody has weight if nobody is.
//
// Unlike upstream's first version, negative averages are dropped before the
// shares are made, as its second does: a sum that they bring to nought or below
// turns the shares of the others round.
func SliceWeights(averages map[subnet.UID]float64) map[subnet.UID]float64 {
	weights, sum := make(map[subnet.UID]float64), 0.0
	for _, uid := range slices.Sorted(maps.Keys(averages)) {
		if v := averages[uid]; v > 0 && !math.IsInf(v, 0) {
			weights[uid] = v
			sum += v
		}
	}
	for uid := range weights {
		weights[uid] /= sum
	}
	return weights
}
