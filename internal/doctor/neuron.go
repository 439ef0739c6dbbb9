package doctor

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"

	"adit/internal/keys"
	"adit/internal/scale"
	"adit/internal/subnet"
	"adit/internal/subtensor"
)

func (p *patient) ofNeuron() []Check {
	const topic = "neuron"
	known := []string{subnet.NeedHotkey, subnet.NeedSubnet}
	list := []Check{
		{topic, "registered", known, p.registered},
		{topic, "coldkey owns the hotkey", []string{subnet.NeedHotkey, "coldkey", subnet.NeedChain}, p.owner},
		{topic, "balance", []string{"coldkey", subnet.NeedHotkey, subnet.NeedSubnet}, p.balance},
		{topic, "immunity", []string{"registered"}, p.immunity},
		{topic, "room for commitments", known, p.room},
		{topic, "axon on chain", []string{"registered"}, p.axonOnChain},
	}
	if p.validates {
		list = append(list,
			Check{topic, "validator permit", []string{"registered"}, p.permit},
			Check{topic, "stake", []string{"registered"}, p.stake},
			Check{topic, "pace of weights", known, p.pace},
			Check{topic, "commit and reveal", known, p.commitReveal})
	}
	return append(list, Check{topic, "versions", known, p.versions})
}

func (p *patient) registered(ctx context.Context) subnet.Finding {
	n, ok := p.meta.ByHotkey(p.me)
	if !ok {
		text := fmt.Sprintf("%s is no neuron of subnet %d", p.me, p.services.NetUID)
		if v, err := p.client.At(ctx, subnet.Latest); err == nil {
			if rao, err := v.RegistrationPrice(ctx, p.services.NetUID); err == nil {
				text += fmt.Sprintf("; registering costs %s TAO now", tao(rao))
			}
		}
		return subnet.Fault(fmt.Sprintf("adit subnet register --netuid %d --wallet-name %s --wallet-hotkey %s", p.services.NetUID, p.services.Coldkey, p.services.Hotkey), "%s", text)
	}
	p.neuron = n
	return subnet.Fine("uid %d on subnet %d, since block %d", n.UID, p.services.NetUID, n.RegisteredAt)
}

func tao(rao uint64) string { return fmt.Sprintf("%d.%04d", rao/1e9, rao%1e9/1e5) }

func (p *patient) owner(ctx context.Context) subnet.Finding {
	v, err := p.client.At(ctx, subnet.Latest)
	if err != nil {
		return fault(err, "try another endpoint")
	}
	owner, ok, err := v.Owner(ctx, p.hotkey)
	switch {
	case err != nil:
		return fault(err, "try another endpoint")
	case !ok:
		return subnet.Doubt("it gets one when it is registered", "the hotkey has no owner on chain yet")
	case owner != p.coldkey:
		return subnet.Doubt("give the wallet that it belongs to under "+p.services.Names.Coldkey+": what it earns goes to its owner", "the hotkey's owner on chain is %s", keys.Address(owner))
	}
	return subnet.Fine("what the hotkey earns goes to this coldkey")
}

// balance compares what there is with what a neuron has to pay: the registration,
// if it is none, and the fees of its calls, if there are any.
func (p *patient) balance(ctx context.Context) subnet.Finding {
	v, err := p.client.At(ctx, subnet.Latest)
	if err != nil {
		return fault(err, "try another endpoint")
	}
	accounts, err := v.Accounts(ctx, p.coldkey, p.hotkey)
	if err != nil {
		return fault(err, "try another endpoint")
	}
	cold, hot := accounts[0].Free, accounts[1].Free
	if _, is := p.meta.ByHotkey(p.me); !is {
		price, err := v.RegistrationPrice(ctx, p.services.NetUID)
		if err != nil {
			return fault(err, "try another endpoint")
		}
		if cold < price {
			return subnet.Fault("send TAO to the coldkey; 'adit wallet balance' shows its address", "the coldkey has %s TAO, and registering costs %s", tao(cold), tao(price))
		}
	}
	var fees uint64
	for _, k := range p.calls() {
		fee, err := p.client.Fee(ctx, p.hotkey, k)
		if err != nil {
			return doubt(err, "try another endpoint")
		}
		fees = max(fees, fee)
	}
	if fees > hot && fees > cold {
		return subnet.Doubt("send some TAO to the coldkey", "a call costs up to %d RAO, and neither key has that much", fees)
	}
	return subnet.Fine("the coldkey has %s TAO; a call of the hotkey costs %d RAO at most", tao(cold), fees)
}

// immunity says how long the neuron cannot be replaced, and whether it is then the
// one that would be.
func (p *patient) immunity(ctx context.Context) subnet.Finding {
	v, err := p.client.At(ctx, subnet.Latest)
	if err != nil {
		return fault(err, "try another endpoint")
	}
	got, err := v.GetAll(ctx, []subtensor.Entry{
		{Pallet: "SubtensorModule", Item: "ImmunityPeriod", Keys: []any{p.services.NetUID}},
		{Pallet: "SubtensorModule", Item: "MaxAllowedUids", Keys: []any{p.services.NetUID}},
	})
	var period, places uint16
	if err == nil {
		err = cmp.Or(scale.Assign(&period, got[0]), scale.Assign(&places, got[1]))
	}
	if err != nil {
		return doubt(err, "try another endpoint")
	}
	ends := p.neuron.RegisteredAt + subnet.Block(period)
	if ends > v.Block {
		return subnet.Fine("it cannot be replaced for another %d blocks", ends-v.Block)
	}
	if len(p.meta.Neurons) < int(places) {
		return subnet.Fine("over, but %d of %d places are free", int(places)-len(p.meta.Neurons), places)
	}
	worse := 0
	for _, n := range p.meta.Neurons {
		if n.Emission < p.neuron.Emission {
			worse++
		}
	}
	if worse == 0 {
		return subnet.Doubt("earn something before the next registration, or be ready to register again", "over, the subnet is full, and nobody earns less: it is the next to be replaced")
	}
	return subnet.Fine("over; %d neurons earn less and would be replaced first", worse)
}

// room says whether the hotkey's commitments of a round still fit the epoch.
func (p *patient) room(ctx context.Context) subnet.Finding {
	v, err := p.client.At(ctx, subnet.Latest)
	if err != nil {
		return fault(err, "try another endpoint")
	}
	used, limit, err := v.CommitmentSpace(ctx, p.services.NetUID, p.hotkey)
	if err != nil {
		return doubt(err, "try another endpoint")
	}
	const round = 2 * 128 // two commitments, with what is charged besides
	if used+round > limit {
		return subnet.Doubt(fmt.Sprintf("wait for the next epoch, at most %d blocks", p.meta.Tempo), "%d of the %d bytes that a hotkey may commit in an epoch are used: a round may need %d", used, limit, round)
	}
	return subnet.Fine("%d of %d bytes of this epoch are used", used, limit)
}

func (p *patient) axonOnChain(context.Context) subnet.Finding {
	want, is, names := p.services.Axon, p.neuron.Axon, p.services.Names
	switch {
	case !want.IsValid() && is.IsValid() && is.Port() != 0 && names.AxonIP != "":
		return subnet.Doubt("set "+names.AxonIP+" and "+names.AxonPort+", or leave it, if nobody should call", "the chain says %s, and the settings put no axon on chain", is)
	case !want.IsValid():
		return subnet.Fine("none, as the settings have it")
	case is == want:
		return subnet.Fine("%s, as in the settings", is)
	case !is.IsValid() || is == netip.AddrPort{}:
		return subnet.Fine("none yet; the neuron puts %s there when it starts", want)
	}
	return subnet.Doubt("it is replaced when the neuron starts: is another one running with this hotkey?", "the chain says %s, and the settings %s", is, want)
}

func (p *patient) permit(context.Context) subnet.Finding {
	if !p.neuron.Permit {
		return subnet.Fault("stake more on the hotkey: the permits go to those with the most stake, at each epoch", "uid %d has no permit to set weights", p.neuron.UID)
	}
	return subnet.Fine("uid %d may set weights", p.neuron.UID)
}

// stake compares with the validator that has the least.
func (p *patient) stake(context.Context) subnet.Finding {
	permitted := slices.DeleteFunc(slices.Clone(p.meta.Neurons), func(n subnet.Neuron) bool { return !n.Permit })
	if p.neuron.Stake == 0 {
		return subnet.Fault("adit stake add", "the hotkey has no stake: its weights count nothing")
	}
	if len(permitted) == 0 {
		return subnet.Fine("%s", tao(p.neuron.Stake))
	}
	least := slices.MinFunc(permitted, func(a, b subnet.Neuron) int { return cmp.Compare(a.Stake, b.Stake) })
	if !p.neuron.Permit && p.neuron.Stake < least.Stake {
		return subnet.Doubt(fmt.Sprintf("stake at least %s more", tao(least.Stake-p.neuron.Stake)), "%s, and the least with a permit is %s", tao(p.neuron.Stake), tao(least.Stake))
	}
	return subnet.Fine("%s; the least with a permit is %s", tao(p.neuron.Stake), tao(least.Stake))
}

func (p *patient) terms(ctx context.Context) (*subtensor.WeightTerms, error) {
	v, err := p.client.At(ctx, subnet.Latest)
	if err != nil {
		return nil, err
	}
	return v.WeightTerms(ctx, p.services.NetUID, 0, p.hotkey)
}

func (p *patient) pace(ctx context.Context) subnet.Finding {
	t, err := p.terms(ctx)
	if err != nil {
		return doubt(err, "try another endpoint")
	}
	if clock, ok := p.settings.Config.(subnet.Clock); ok {
		m := clock.Moment(t.Block)
		round := subnet.Block(blocksOf(clock, t.Block, m.Round))
		if subnet.Block(t.RateLimit) > round {
			return subnet.Doubt("weights of some rounds will be refused; ask the subnet's owner", "weights may be set every %d blocks, and a round has %d", t.RateLimit, round)
		}
	}
	return subnet.Fine("weights may be set every %d blocks, the next from block %d on; at least %d, none above %.3g of all", t.RateLimit, t.Due(), t.MinAllowed, float64(t.MaxLimit)/65535)
}

// blocksOf returns how many blocks the round has in which a block is.
func blocksOf(clock subnet.Clock, at subnet.Block, round uint64) int {
	first, last := at, at
	for clock.Moment(last).Round == round {
		last = clock.Moment(last).End + 1
	}
	for first > 0 && clock.Moment(first-1).Round == round {
		first = clock.Moment(first - 1).Start
	}
	return int(last - clock.Moment(first).Start)
}

func (p *patient) commitReveal(ctx context.Context) subnet.Finding {
	t, err := p.terms(ctx)
	if err != nil {
		return doubt(err, "try another endpoint")
	}
	if !t.CommitReveal {
		return subnet.Fine("off: weights are set in the open")
	}
	text := fmt.Sprintf("on: the chain reveals weights %d epochs after they were committed, at about block %d from now", t.RevealPeriod, t.EpochBlock(t.Epoch+t.RevealPeriod))
	v, err := p.client.At(ctx, subnet.Latest)
	if err != nil {
		return doubt(err, "try another endpoint")
	}
	if got, err := v.Get(ctx, "SubtensorModule", "CommitRevealWeightsVersion"); err == nil {
		var version uint16
		if scale.Assign(&version, got) == nil && version > commitReveal {
			return subnet.Fault("look for a newer adit", "%s, in version %d, and this program knows %d", text, version, commitReveal)
		}
		text += fmt.Sprintf(", in version %d", version)
	}
	return subnet.Fine("%s", text)
}

// commitReveal is the newest way of committing to weights that the client knows.
const commitReveal = 4

func (p *patient) versions(ctx context.Context) subnet.Finding {
	t, err := p.terms(ctx)
	if err != nil {
		return doubt(err, "try another endpoint")
	}
	rt, err := p.client.Runtime(ctx)
	if err != nil {
		return doubt(err, "try another endpoint")
	}
	return subnet.Fine("adit %s; runtime %d; the subnet wants weights of version %d or later, and gets that", p.o.Version, rt.SpecVersion, t.VersionKey)
}
