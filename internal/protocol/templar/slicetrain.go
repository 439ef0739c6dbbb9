package templar

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"time"

	"adit/internal/subnet"
)

// random returns what a window's batches are sampled with.
func (l *learner) random(t Window) *rand.Rand {
	return rand.New(rand.NewChaCha8(sha256.Sum256(fmt.Appendf(nil, "%s %d", l.Me, t))))
}

// A run is what came of learning from batches.
type run struct {
	began       time.Time
	took        time.Duration
	full, total int // batches that were learned from, and that there were
	tokens      int
	loss        float64 // the mean over batches
	exhausted   bool    // the time was over first
	batches     [][]subnet.Sequence
}

func (r run) speed() float64 { return float64(r.tokens) / max(r.took.Seconds(), 1e-9) }

// accumulate learns from a share of the batches that the rows make, as long as there
// is time, and adds up their gradients. It learns from one at least.
//
// Unlike upstream, the loss is divided by the batches that it is of, and not by one
// more.
func (l *learner) accumulate(ctx context.Context, over func() bool, rows []subnet.Sequence, random *rand.Rand) (run, error) {
	batches := Batches(rows, l.cfg.ActualBatchSize)
	r := run{began: time.Now(), total: len(batches)}
	if len(batches) == 0 {
		return r, errNoText
	}
	random.Shuffle(len(batches), func(i, j int) { batches[i], batches[j] = batches[j], batches[i] })
	for i, b := range batches {
		last := i == len(batches)-1 && r.full == 0
		if random.Float64() >= float64(l.Rate) && !last {
			continue
		}
		if r.full > 0 && over() {
			r.exhausted = true
			break
		}
		l.batch = b
		step, err := l.trainer.Accumulate(ctx)
		if err != nil {
			return r, err
		}
		r.full++
		r.tokens += step.Tokens
		r.loss += step.Loss
		r.batches = append(r.batches, b)
	}
	r.loss /= float64(r.full)
	r.took = time.Since(r.began)
	r.exhausted = r.exhausted || over()
	return r, nil
}

// A pace says when to stop training, so that what was learned is uploaded within the
// window: windows are as long as the last ones were, and so is what comes after the
// training.
//
// Unlike upstream, which trains until the next window has begun, and uploads then.
type pace struct {
	window Window
	began  time.Time
	known  bool          // a window was seen to begin
	length time.Duration // of a window
	tail   time.Duration
}

// begin is told that a window has begun, at once when it did.
func (p *pace) begin(w Window, now time.Time) {
	if p.known && w > p.window {
		length := now.Sub(p.began) / time.Duration(w-p.window)
		if p.length == 0 {
			p.length = length
		}
		p.length = min(length, (p.length+length)/2) // rather too short than too long
	}
	p.window, p.began, p.known = w, now, true
}

// end is told how long it took from the training to the end of the round.
func (p *pace) end(took time.Duration) { p.tail = max(took, (p.tail*3+took)/4) }

// over says whether it is time for what comes after the training.
func (p *pace) over(now time.Time) bool {
	return p.length > 0 && now.Sub(p.began) > p.length-p.tail-p.tail/4
}
