package connito

import (
	"math"
	"slices"

	"adit/internal/subnet"
)

// blockSeconds is the time between two blocks of the live network.
const blockSeconds = 12

// Upstream asks its services again and again; these are its numbers.
const (
	apiTimeoutSeconds = 10
	apiRetries        = 5 // after the first try
	pollBlocks        = 3 // until the next look, where the service does not answer
)

// noRetry holds the HTTP statuses after which the same request is not sent
// again.
var noRetry = []int{400, 401, 403, 404, 405, 409, 422}

// retryStatus says whether a request that was answered with this status may be
// sent again.
func retryStatus(status int) bool {
	return (status < 200 || status > 299) && !slices.Contains(noRetry, status)
}

// apiBackoff returns the seconds to wait after a failed try, the first being 1: with
// upstream's base of 2 they are 2, 4, 8, 16, 32. They are at most five minutes.
func apiBackoff(base float64, try int) float64 {
	return min(math.Pow(base, float64(max(try, 1))), 300)
}

// remaining returns how many blocks there are from block b until a phase has
// begun, offset blocks later, or, if it is below 0, earlier; 0 if it is time.
// Within a phase it is time unless the offset is yet to come.
func (r Rules) remaining(b subnet.Block, p Phase, offset int) int {
	pos := r.Schedule.At(b)
	if pos.Phase == p {
		return max(0, offset-int(b-pos.Start))
	}
	return max(0, int(r.nextStart(b, p)-b)+offset)
}

// nap returns for how many seconds upstream sleeps before it looks again, with
// so many blocks to go: nine tenths of them, so that late blocks are noticed, and
// at most 15 minutes. G0 sleeps them all at once.
func (r Rules) nap(blocks int) float64 {
	if r.OldService {
		return float64(blocks) * blockSeconds
	}
	n := float64(blocks)
	return min(min(n, math.Max(pollBlocks, 0.9*n))*blockSeconds, 900)
}

// A nextStep is what a client does after an answer to a request for the rest of a
// file.
type nextStep int

const (
	stepRead     nextStep = iota // the answer is the rest of the file
	stepRestart                  // begin at the first byte
	stepComplete                 // there is nothing more
	stepGiveUp                   // it will never be told
	stepRetry                    // later
)

// afterDownload decides by the status of an answer; offset is how much of the file
// there was.
func afterDownload(status int, offset int64) nextStep {
	switch {
	case status == 206 || status == 200 && offset == 0:
		return stepRead
	case status == 401 || status == 403:
		return stepGiveUp
	case status == 416 && offset > 0:
		return stepComplete
	case offset > 0:
		return stepRestart
	}
	return stepRetry
}
