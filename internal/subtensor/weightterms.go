package subtensor

import (
	"context"
	"fmt"

	"adit/internal/scale"
	"adit/internal/subnet"
)

// WeightTerms is what a subnet demands of weights, and what it knows of the hotkey
// that would set them, after a view's block.
type WeightTerms struct {
	Block      subnet.Block // the view's
	Neurons    uint16       // uids are less than that
	Mechanisms uint8
	MinAllowed uint16 // so many weights at least, or as many as there are neurons
	MaxLimit   uint16 // the largest may be this part of their sum, of 65535
	VersionKey uint64 // at least this, if not 0
	RateLimit  uint64 // blocks between two times

	CommitReveal bool   // weights are committed first
	RevealPeriod uint64 // and revealed so many epochs later
	Epoch        uint64 // the one that is now, by the subnet's own count

	Registered bool // the rest is known of a neuron only
	UID        subnet.UID
	Permit     bool         // may weigh others
	Owner      bool         // may too, without a permit
	LastUpdate subnet.Block // when it last set weights or committed to them, 0 if never

	next    subnet.Block // in which the next epoch begins
	between subnet.Block // from one epoch to the next, 0 if there are none
}

// Due returns the block after which a node takes the hotkey's next weights; before,
// they are too fast.
func (t *WeightTerms) Due() subnet.Block {
	if t.LastUpdate == 0 {
		return 0
	}
	return t.LastUpdate + subnet.Block(t.RateLimit)
}

// EpochBlock returns about the block in which an epoch begins, the present one or
// a later, by the subnet's own count; 0 if none is to come.
func (t *WeightTerms) EpochBlock(epoch uint64) subnet.Block {
	switch {
	case epoch <= t.Epoch:
		return t.Block
	case t.between == 0:
		return 0
	}
	return t.next + subnet.Block(epoch-t.Epoch-1)*t.between
}

// WeightTerms reads what weights must be like.
func (v *View) WeightTerms(ctx context.Context, n subnet.NetUID, mechanism uint8, hotkey Account) (*WeightTerms, error) {
	t, err := v.weightTerms(ctx, n, mechanism, hotkey)
	if err != nil {
		return nil, fmt.Errorf("read what subnet %d demands of weights: %w", n, err)
	}
	return t, nil
}

func (v *View) weightTerms(ctx context.Context, n subnet.NetUID, mechanism uint8, hotkey Account) (*WeightTerms, error) {
	index := Weights{NetUID: n, Mechanism: mechanism}.index()
	items := []string{"NetworksAdded", "SubnetworkN", "MinAllowedWeights", "MaxWeightsLimit", "WeightsVersionKey", "WeightsSetRateLimit",
		"CommitRevealWeightsEnabled", "RevealPeriodEpochs", "Tempo", "SubnetOwnerHotkey", "ValidatorPermit",
		// What older runtimes do not have.
		"MechanismCountCurrent", "SubnetEpochIndex", "LastEpochBlock", "PendingEpochAt"}
	es := []Entry{{module, "Uids", []any{n, hotkey}}, {module, "LastUpdate", []any{index}}}
	for _, item := range items {
		if v.has(module, item, n) {
			es = append(es, Entry{module, item, []any{n}})
		}
	}
	vs, err := v.GetAll(ctx, es)
	if err != nil {
		return nil, err
	}
	got := map[string]any{}
	for i, e := range es {
		got[e.Item] = vs[i]
	}
	if got["NetworksAdded"] != true {
		return nil, fmt.Errorf("there is no such subnet: %w", subnet.ErrNotFound)
	}
	t := &WeightTerms{Neurons: uint16(number(got["SubnetworkN"])), Mechanisms: 1, MinAllowed: uint16(number(got["MinAllowedWeights"])),
		MaxLimit: uint16(number(got["MaxWeightsLimit"])), VersionKey: number(got["WeightsVersionKey"]),
		RateLimit: number(got["WeightsSetRateLimit"]), CommitReveal: got["CommitRevealWeightsEnabled"] == true,
		RevealPeriod: number(got["RevealPeriodEpochs"]), Block: v.Block}
	if m := number(got["MechanismCountCurrent"]); m > 0 {
		t.Mechanisms = uint8(m)
	}
	t.epochs(n, got)
	uid, ok := got["Uids"].(uint64)
	if !ok {
		return t, nil
	}
	t.Registered, t.UID = true, subnet.UID(uid)
	t.LastUpdate = subnet.Block(number(element(got["LastUpdate"], int(uid))))
	t.Permit = element(got["ValidatorPermit"], int(uid)) == true
	var owner Account
	t.Owner = scale.Assign(&owner, got["SubnetOwnerHotkey"]) == nil && owner == hotkey
	return t, nil
}

// epochs fills in where the subnet stands in its epochs: today's runtimes keep
// that, and older ones derive it from the block.
func (t *WeightTerms) epochs(n subnet.NetUID, got map[string]any) {
	tempo := subnet.Block(number(got["Tempo"]))
	if tempo == 0 {
		return
	}
	if _, is := got["SubnetEpochIndex"]; !is {
		t.between = tempo + 1
		position := t.Block + subnet.Block(n) + 1
		t.Epoch = uint64(position / t.between)
		t.next = t.Block + t.between - position%t.between
		return
	}
	t.between, t.Epoch = tempo, number(got["SubnetEpochIndex"])
	t.next = subnet.Block(number(got["LastEpochBlock"])) + tempo
	if at := subnet.Block(number(got["PendingEpochAt"])); at > 0 {
		t.next = min(t.next, at)
	}
	t.next = max(t.next, t.Block+1)
}
