package solo

import (
	"adit/internal/subnet"
)

// A pace is what the last steps were like.
type pace struct {
	last []paced
}

type paced struct {
	loss, seconds, wait float64
	tokens              int
}

// paceSteps is how many steps a pace is taken over.
const paceSteps = 20

func (p *pace) add(s subnet.Step, seconds float64) {
	p.last = append(p.last, paced{s.Loss, seconds, s.Wait.Seconds(), s.Tokens})
	p.last = p.last[max(0, len(p.last)-paceSteps):]
}

// speed returns tokens a second, and the share of the time that was waited for
// text.
func (p *pace) speed() (tokensPer, wait float64) {
	secs, n := 0.0, 0
	for _, s := range p.last {
		secs, wait, n = secs+s.seconds, wait+s.wait, n+s.tokens
	}
	if secs == 0 {
		return 0, 0
	}
	return float64(n) / secs, wait / secs
}

// step returns the seconds of a step.
func (p *pace) step() float64 {
	secs := 0.0
	for _, s := range p.last {
		secs += s.seconds
	}
	return secs / float64(max(len(p.last), 1))
}

// loss returns the mean loss.
func (p *pace) loss() float64 {
	sum := 0.0
	for _, s := range p.last {
		sum += s.loss
	}
	return sum / float64(len(p.last)) // NaN of none
}
