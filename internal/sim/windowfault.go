package sim

import (
	"math/rand/v2"

	"adit/internal/protocol/templar"
	"adit/internal/subnet"
)

// drawWindows draws the faults of a run of some windows, of which the first few have
// none: about one in two windows, so that there are calm ones in between in which all
// has to come to rest again.
func drawWindows(lots *rand.Rand, o WindowOptions, r templar.Rules, from, to templar.Window) []Fault {
	between := func(from, to int) int { return from + lots.IntN(to-from+1) }
	long := int(r.WindowBlocks())
	kinds := []Kind{
		ChainDown, ChainDownAll, Late, Reorg, HeadStands, HeadAhead, ClockBehind, ClockAhead, DiskFull, Kill, Kill, KillAct, Kill,
		StoreClock, NeuronClock, NetDown, Overwrite, Overwrite, ManyGone, LeaderGone,
	}
	kinds = append(kinds, bucketKinds...)
	honest := o.Validators + o.Miners
	var list []Fault
	forked := subnet.Block(0)
	for w := from; w < to; w++ {
		if lots.IntN(2) == 0 {
			continue
		}
		f := Fault{Kind: kinds[lots.IntN(len(kinds))], Who: between(0, honest-1)}
		f.From = r.Start(w) + subnet.Block(lots.IntN(long))
		last := 0
		switch f.Kind {
		case ChainDown, NetDown, HeadStands:
			last = between(1, long)
		case ChainDownAll:
			f.Who, last = -1, between(1, long)
		case Late:
			f.Op, last = between(1, 4), between(1, 10)
		case Reorg:
			if f.From < forked {
				continue
			}
			f.Who, f.Op = -1, between(1, 3)
			last = 2*f.Op + 1
			forked = f.From + 16
		case HeadAhead:
			f.Op, last = between(2, 3*long), between(1, 5)
		case ClockBehind, ClockAhead:
			f.Op, last = minute, between(1, long)
		case StoreClock, NeuronClock:
			f.Op, last = 2*lots.IntN(2)-1, between(1, 2*long)
		case DiskFull:
			last = between(1, long)
		case Kill:
			f.Op, last = between(0, 60), between(0, long/2)
		case KillAct:
			f.Op, last = between(0, 8), between(0, 3)
		case Overwrite:
			f.Who = o.Validators + lots.IntN(o.Miners)
		case ManyGone:
			last = between(1, long)
			n := (2*o.Miners + 4) / 5
			for _, m := range lots.Perm(o.Miners)[:n] {
				list = append(list, Fault{Kind: ManyGone, Who: o.Validators + m, From: f.From, To: f.From + subnet.Block(last)})
			}
			continue
		case LeaderGone:
			f.Who, last = 0, between(1, 2*long)
		default: // of buckets
			last = between(1, long)
			if lots.IntN(4) == 0 {
				f.Who = -1
			}
		}
		f.To = f.From + subnet.Block(last)
		list = append(list, f)
	}
	return list
}
