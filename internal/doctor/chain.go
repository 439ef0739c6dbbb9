package doctor

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"adit/internal/scale"
	"adit/internal/subnet"
	"adit/internal/subtensor"
)

func (p *patient) ofChain() []Check {
	const topic = "chain"
	needs := []string{subnet.NeedChain}
	return []Check{
		{topic, subnet.NeedChain, []string{subnet.NeedSettings}, p.connect},
		{topic, "endpoints", []string{subnet.NeedSettings}, p.endpoints},
		{topic, "genesis", needs, p.genesis},
		{topic, "runtime", needs, p.runtime},
		{topic, "head is fresh", needs, p.fresh},
		{topic, subnet.NeedSubnet, needs, p.subnet},
		{topic, "past states", []string{subnet.NeedSubnet}, p.archive},
	}
}

// connect connects as the neuron will, to the first endpoint that answers.
func (p *patient) connect(ctx context.Context) subnet.Finding {
	c, err := subtensor.Dial(ctx, subtensor.Options{Endpoints: p.services.Endpoints, Timeout: patience / 2})
	if err != nil {
		return fault(err, "check "+p.services.Names.Endpoints+", the network and the firewall")
	}
	p.client, p.chain = c, c.Subnet(p.services.NetUID, nil)
	v, err := c.At(ctx, subnet.Latest)
	if err != nil {
		return fault(err, "try another endpoint")
	}
	if p.stamp, err = stampOf(ctx, v); err != nil {
		return fault(err, "try another endpoint")
	}
	p.seen = time.Now()
	if p.block, err = c.BlockTime(ctx); err != nil {
		return fault(err, "try another endpoint")
	}
	return subnet.Fine("at block %d, a block every %v", v.Block, p.block)
}

// stampOf reads the time that a block's author gave it.
func stampOf(ctx context.Context, v *subtensor.View) (time.Time, error) {
	got, err := v.Get(ctx, "Timestamp", "Now")
	if err != nil {
		return time.Time{}, err
	}
	var ms uint64
	if err := scale.Assign(&ms, got); err != nil {
		return time.Time{}, fmt.Errorf("read the head's time: %w", err)
	}
	return time.UnixMilli(int64(ms)), nil
}

// endpoints tries each by itself: the neuron goes to the next when one breaks, and
// that should not be the moment to find out that it is none.
func (p *patient) endpoints(ctx context.Context) subnet.Finding {
	type answer struct {
		genesis [32]byte
		head    subnet.Block
		err     error
	}
	list := p.services.Endpoints
	answers := make([]answer, len(list))
	var all sync.WaitGroup
	for i, e := range list {
		all.Go(func() {
			c, err := subtensor.Dial(ctx, subtensor.Options{Endpoints: []string{e}, Timeout: patience * 2 / 3})
			if err != nil {
				answers[i].err = err
				return
			}
			defer c.Close()
			answers[i].genesis = c.Genesis()
			answers[i].head, answers[i].err = c.Head(ctx)
		})
	}
	all.Wait()
	var bad, heads []string
	var first answer
	for i, a := range answers {
		switch {
		case a.err != nil:
			bad = append(bad, fmt.Sprintf("%s: %v", list[i], a.err))
		case first.genesis == [32]byte{}:
			first = a
			heads = append(heads, fmt.Sprintf("%s at block %d", list[i], a.head))
		case a.genesis != first.genesis:
			bad = append(bad, fmt.Sprintf("%s: serves another chain than %s", list[i], list[0]))
		default:
			heads = append(heads, fmt.Sprintf("%s at block %d", list[i], a.head))
		}
	}
	cure := "take it out of " + p.services.Names.Endpoints + ", or start what should listen there"
	switch {
	case len(bad) == len(list):
		return subnet.Fault("check "+p.services.Names.Endpoints+", the network and the firewall", "none of %d answers: %s", len(list), strings.Join(bad, "; "))
	case len(bad) > 0:
		return subnet.Doubt(cure, "%d of %d do not serve: %s", len(bad), len(list), strings.Join(bad, "; "))
	}
	return subnet.Fine("%s", strings.Join(heads, ", "))
}

// genesis says which chain it is. That a network's name leads to its chain has been
// seen to when the connection was made.
func (p *patient) genesis(context.Context) subnet.Finding {
	genesis := p.client.Genesis()
	for _, name := range []string{"finney", "test"} {
		if n, err := subtensor.ParseNetwork(name); err == nil && n.Genesis == genesis {
			return subnet.Fine("the chain of network %s", name)
		}
	}
	text := "0x" + hex.EncodeToString(genesis[:4]) + "…"
	if slices.ContainsFunc(p.services.Endpoints, local) {
		return subnet.Fine("%s, a chain of one's own", text)
	}
	return subnet.Doubt("check that the endpoint is one of the network's", "%s is neither the main network's chain nor the test network's", text)
}

// calls are what neurons put on chain.
func (p *patient) calls() []subtensor.Call {
	commit, err := subtensor.SetCommitment(p.services.NetUID, subtensor.BytesField([]byte("{}")))
	calls := []subtensor.Call{subtensor.ServeAxon(p.services.NetUID, subtensor.Axon{})}
	if err == nil {
		calls = append(calls, commit)
	}
	if p.validates {
		calls = append(calls, subtensor.SetWeights(subtensor.Weights{NetUID: p.services.NetUID, UIDs: []uint16{0}, Values: []uint16{1}}))
	}
	return calls
}

func (p *patient) runtime(ctx context.Context) subnet.Finding {
	rt, err := p.client.Runtime(ctx)
	if err != nil {
		return fault(err, "try another endpoint")
	}
	for _, k := range p.calls() {
		if _, err := p.client.Encode(ctx, k); err != nil {
			return subnet.Fault("look for a newer adit", "runtime %d does not know a call that neurons make: %v", rt.SpecVersion, err)
		}
	}
	return subnet.Fine("version %d, which knows all calls that neurons make", rt.SpecVersion)
}

// fresh compares the head's time with this machine's.
func (p *patient) fresh(context.Context) subnet.Finding {
	const slack = 5 // blocks, which a public network may be late
	age := p.seen.Sub(p.stamp)
	if limit := max(slack*p.block, 10*time.Second); age > limit {
		return subnet.Fault("try another endpoint, or set this machine's clock", "the newest block is %v old, by this machine's clock", age.Round(time.Second))
	}
	return subnet.Fine("the newest block is %v old", max(age, 0).Round(100*time.Millisecond))
}

func (p *patient) subnet(ctx context.Context) subnet.Finding {
	v, err := p.client.At(ctx, subnet.Latest)
	if err != nil {
		return fault(err, "try another endpoint")
	}
	n := p.services.NetUID
	start, err := v.SubnetStart(ctx, n)
	if errors.Is(err, subnet.ErrNotFound) {
		return subnet.Fault("set "+p.services.Names.NetUID+"; 'adit subnet list' shows the subnets there are", "there is no subnet %d on this chain", n)
	} else if err != nil {
		return fault(err, "try another endpoint")
	}
	if p.meta, err = p.chain.Metagraph(ctx, subnet.Latest); err != nil {
		return fault(err, "try another endpoint")
	}
	if start.Emission == 0 {
		return subnet.Doubt("wait until its owner does, with 'adit subnet start'", "subnet %d has not been started: it pays nothing yet", n)
	}
	return subnet.Fine("subnet %d has %d neurons and a tempo of %d blocks", n, len(p.meta.Neurons), p.meta.Tempo)
}

// archive reads what neurons read: commitments as they were up to two rounds ago. A
// node that keeps the newest states alone would fail in the middle of a round.
func (p *patient) archive(ctx context.Context) subnet.Finding {
	head, err := p.client.Head(ctx)
	if err != nil {
		return fault(err, "try another endpoint")
	}
	depth := min(head-1, 2*7200) // two days, where nobody says what a round is
	if clock, ok := p.settings.Config.(subnet.Clock); ok {
		now := clock.Moment(head).Round
		depth = subnet.Block(sort.Search(int(min(head-1, 1<<22)), func(d int) bool { return clock.Moment(head-subnet.Block(d)).Round+2 <= now }))
	}
	at := head - depth
	if _, err := p.chain.Commitments(ctx, at); err != nil {
		if _, pruned := errors.AsType[*subtensor.PrunedError](err); pruned {
			return subnet.Fault("name an archive node first in "+p.services.Names.Endpoints, "the node has forgotten block %d, two rounds ago", at)
		}
		return fault(err, "try another endpoint")
	}
	return subnet.Fine("the state of block %d, %d blocks ago, can be read", at, depth)
}
