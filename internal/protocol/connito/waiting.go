package connito

import (
	"math"
	"slices"
)

// blockSeconds is the time between two blocks of the live network.
const blockSeconds = 12

// Upstream asks its services again and again; these are its numbers.
const (
	apiTimeoutSeconds = 10
	apiRetries        = 5 // after the first try
	aheadBlocks       = 3 // by which a neuron may be ahead of another
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
