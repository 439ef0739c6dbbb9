package drand

// A Schedule is a subnet's epoch clock as runtime 424 keeps it in storage, read
// at the end of a block.
type Schedule struct {
	Block               uint64 // the head
	LastEpochBlock      uint64
	PendingEpochAt      uint64 // 0: no epoch was asked for
	BlocksSinceLastStep uint64
	Tempo               uint16
}

// maxTempo is the most blocks that pass without an epoch, whatever the tempo.
const maxTempo = 50400

// revealMargin is how many blocks after the epoch has begun weights are
// revealed, so that the pulse is on the chain by then.
const revealMargin = 3

// next steps to the next block and reports whether its beginning is an epoch.
func (s *Schedule) next() bool {
	s.Block++
	due := s.PendingEpochAt > 0 && s.Block >= s.PendingEpochAt ||
		s.BlocksSinceLastStep > maxTempo ||
		s.Block-min(s.LastEpochBlock, s.Block) >= uint64(s.Tempo)
	if due {
		s.LastEpochBlock, s.PendingEpochAt, s.BlocksSinceLastStep = s.Block, 0, 0
	} else {
		s.BlocksSinceLastStep++
	}
	return due
}

// maxPeriod is the longest reveal period that a chain accepts.
const maxPeriod = 100

// RevealBlock returns the block in which weights shall be readable that are
// committed in the block after s: the period-th epoch from there on, and a
// margin. Without a tempo there are no epochs, and it returns false.
func (s Schedule) RevealBlock(periodEpochs uint64) (uint64, bool) {
	if s.Tempo == 0 || periodEpochs > maxPeriod {
		return 0, false
	}
	s.next() // the block that takes the commitment in, after its own epoch
	for fired := uint64(0); fired < max(periodEpochs, 1); {
		if s.next() {
			fired++
		}
	}
	return s.Block + revealMargin, true
}

// ModuloRevealBlock is [Schedule.RevealBlock] for runtimes up to 393, whose
// epochs lie where the block number says: epoch e of a subnet is the blocks for
// which (block+netuid+1)/(tempo+1) is e. Block is the head.
func ModuloRevealBlock(block uint64, netuid, tempo uint16, periodEpochs uint64) uint64 {
	length := uint64(tempo) + 1
	shift := uint64(netuid) + 1
	epoch := (block+shift)/length + periodEpochs
	return epoch*length - min(shift, epoch*length) + revealMargin
}

// RevealRound returns the round for something that shall be readable in a
// number of blocks of blockSeconds, counted from a time.
func (c Chain) RevealRound(unixSeconds float64, blocks uint64, blockSeconds float64) uint64 {
	return c.RoundAt(unixSeconds + float64(blocks)*blockSeconds)
}
