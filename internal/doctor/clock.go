package doctor

import (
	"context"
	"slices"
	"time"

	"adit/internal/subnet"
)

func (p *patient) ofClock() []Check {
	const topic = "clock"
	return []Check{
		{topic, "clock against the chain", []string{subnet.NeedChain}, p.clockChain},
		{topic, "clock against the hub", []string{subnet.NeedHub}, p.clockHub},
	}
}

// clockChain looks for a head from the future: block authors' clocks are as right as
// those of a whole network. A head of long ago is another check's affair.
func (p *patient) clockChain(context.Context) subnet.Finding {
	ahead := p.stamp.Sub(p.seen).Round(time.Second)
	switch {
	case ahead <= 2*time.Second:
		return subnet.Fine("no block is from the future")
	case slices.ContainsFunc(p.services.Endpoints, local): // which may be made to hurry
		return subnet.Fine("the chain is on this machine, and its time is %v ahead", ahead)
	}
	return subnet.Fault(setClock, "this machine's clock is %v behind the newest block", ahead)
}

const setClock = "set the clock by NTP: 'timedatectl set-ntp true', or w32tm, sntp"

func (p *patient) clockHub(context.Context) subnet.Finding {
	if p.hub.date.IsZero() {
		return subnet.Skip("the hub does not tell the time")
	}
	// The header has whole seconds, and was made some time before it came.
	off := p.hub.asked.Sub(p.hub.date)
	if early := p.hub.date.Sub(p.hub.came); early > 0 {
		off = -early
	} else if off < time.Second {
		off = 0
	}
	switch a := off.Abs(); {
	case a > time.Minute:
		return subnet.Fault(setClock, "this machine's clock is %v off the hub's: signatures and certificates may be refused", off.Round(time.Second))
	case a > 3*time.Second:
		return subnet.Doubt(setClock, "this machine's clock is %v off the hub's", off.Round(time.Second))
	}
	return subnet.Fine("within seconds")
}
