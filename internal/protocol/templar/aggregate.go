package templar

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"adit/internal/compress"
	"adit/internal/protocol/actor"
	"adit/internal/subnet"
)

// A sums is our generation's aggregate, as one neuron lives it. A validator adds all
// gradients of a window up, once, and everybody else downloads the result, which is
// no larger than one gradient, in place of twenty gradients.
//
// Nobody believes it. The validator signs a claim: the roots of the gradients, which
// their miners have signed, of what was unsaid before and after, and of the result.
// When that is in its bucket, the hash of the next block chooses groups of chunks,
// which nobody could know before; the validator shows these, and everybody adds them
// up again, to the bit. One that is wrong is shown to all with its proof, and the
// window is gathered as in the other generations.
type sums struct {
	*sparse
	// state is what was unsaid after the last window, for who adds up; nil if it
	// is not known.
	state *compress.State
	// after is the root of what an aggregate must begin with, if known; zero that of
	// nothing, with which one may always begin.
	after, zero compress.Hash
	known       bool

	testOnlySpoil func([]*compress.Kept)        // makes a result wrong before it is signed
	testOnlyDrop  func(all []*update) []*update // leaves some out
}

// An aggregateText is what an aggregator signs.
type aggregateText struct {
	Version    string        `json:"version"`
	Window     Window        `json:"window"`
	UID        subnet.UID    `json:"uid"`
	Hotkey     subnet.Hotkey `json:"hotkey"`
	GlobalStep int64         `json:"global_step"`
	FirstIn    Window        `json:"peers_of"` // which list of peers was gathered
	Claim      []byte        `json:"claim"`    // as [compress.Claim.Append] writes it
	UIDs       []subnet.UID  `json:"uids"`     // whose gradients, in ascending order
	Seals      []Signed      `json:"seals"`    // of these
	Skipped    []subnet.UID  `json:"skipped_uids"`
}

const (
	aggregateMagic  = "ADITAGG1"
	aggregateDomain = "adit aggregate\n"
	proofsMagic     = "ADITPRS1"
	maxAggregate    = MaxJSON
	// challenged is how many groups are looked at. Who has a part p of all groups
	// wrong is found out with 1−(1−p)³², of a tenth in 97 of 100 windows.
	challenged = 32
	// standIns is how many validators may aggregate, one after the other.
	standIns = 3
)

func newSums(s *sparse) *sums {
	return &sums{sparse: s, zero: compress.NewState(s.schema).Tree().Root()}
}

// forget is for a neuron that begins with another model.
func (a *sums) forget() { a.state, a.known = nil, false }

// skipped is for a window without an aggregate: the next begins with nothing unsaid.
func (a *sums) skipped() { a.state, a.after, a.known = nil, a.zero, true }

// decay is by what a window multiplies what is unsaid, of 65536.
func (a *sums) decay() uint32 { return uint32(a.rules.Sparse.MomentumDecay * (1 << 16)) }

// A turn is the time in which one validator's aggregate has to be in its bucket, by
// the clock of the store, and its proofs so much later.
type turn struct {
	who  peer
	rank int
	by   time.Time
	wait time.Duration
}

// turns returns whose aggregates count: the leader's, and if it does not come, that
// of the validator with the next most stake, and so on.
func (a *sums) turns(span Span, window time.Duration) []turn {
	wait := min(time.Minute, max(window/8, 2*time.Second))
	var list []turn
	for i, v := range a.roster.validators() {
		if i == standIns {
			break
		}
		list = append(list, turn{v, i, span.Max.Add(time.Duration(i+1) * wait), wait})
	}
	return list
}

// accepted returns the first aggregate of a window that is right, or nil if there is
// none: then everybody gathers.
func (a *sums) accepted(ctx context.Context, w Window, list PeerList, past bool) (merge, *collection, error) {
	span, turns, err := a.schedule(ctx, w)
	if err != nil {
		return nil, nil, err
	}
	var only *turn // whose aggregate may have been taken all the same
	var agg *aggregate
	for _, t := range turns {
		if t.who.Hotkey == a.Me && !past {
			continue // its own it has not missed
		}
		g, err := a.await(ctx, w, span, t, list)
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		if past && errors.As(err, new(leftOut)) && agg == nil {
			// Who was left out may not have been there to be read at the time. If it was,
			// the next validator has summed up in its place.
			agg, only = g, &t
			continue
		}
		if err != nil {
			a.refused(w, t.who, err)
			continue
		}
		agg, only = g, &t
		break
	}
	if agg != nil {
		t := only
		a.after, a.known, a.state = agg.claim.After, true, nil
		a.Say("aggregate", fmt.Sprintf("Took the aggregate of window %d from uid %d: %d gradients, %d groups checked.", w, t.who.UID, len(agg.text.UIDs), agg.checked),
			slog.Uint64("window", uint64(w)), slog.Int("uid", int(t.who.UID)), slog.Int("gather_peers", len(agg.text.UIDs)), slog.Int("groups", agg.checked), slog.Int64("bytes", agg.size))
		return said{agg.result}, agg.collection(list), nil
	}
	a.skipped()
	return nil, nil, nil
}

func (a *sums) schedule(ctx context.Context, w Window) (Span, []turn, error) {
	span, err := a.span(ctx, w)
	if err != nil {
		return span, nil, err
	}
	began, err := a.Chain.Time(ctx, a.rules.Start(w))
	if err != nil {
		return span, nil, err
	}
	return span, a.turns(span, span.Min.Sub(began)), nil
}

// refused tells that an aggregate is not taken, and why. One that is proven wrong is
// shown to everybody.
func (a *sums) refused(w Window, who peer, err error) {
	if errors.Is(err, subnet.ErrNotFound) {
		return
	}
	if errors.Is(err, compress.ErrFraud) {
		a.liars[who.Hotkey] = math.MaxUint64
	} else if errors.As(err, new(leftOut)) {
		a.liars[who.Hotkey] = max(a.liars[who.Hotkey], w+restBetween) // it may have been unable to read it
	}
	name := Name{Kind: AggregatorObject, Window: w, Version: a.rules.Version}
	a.refuse(who.Neuron, name, err)
}

// An aggregate is one that was read and checked.
type aggregate struct {
	text    aggregateText
	signed  Signed
	claim   *compress.Claim
	result  *compress.Message
	object  subnet.Object
	size    int64
	checked int // groups
}

func (g *aggregate) collection(list PeerList) *collection {
	c := &collection{asked: GatherOrder(list.Peers), missing: make(map[subnet.UID]error)}
	for _, uid := range g.text.UIDs {
		u := new(update)
		u.from.UID = uid
		c.updates = append(c.updates, u)
		if slices.Contains(list.Reserve, uid) {
			c.reserve++
		}
	}
	for _, uid := range c.asked {
		if !slices.Contains(g.text.UIDs, uid) {
			c.missing[uid] = subnet.ErrNotFound
		}
	}
	return c
}

// await waits for a validator's aggregate and its proofs, and checks them.
func (a *sums) await(ctx context.Context, w Window, span Span, t turn, list PeerList) (*aggregate, error) {
	name := Name{Kind: AggregatorObject, Window: w, Version: a.rules.Version}
	object, err := a.objectBy(ctx, t.who, name.String(), Span{span.Min, t.by})
	if err != nil {
		return nil, err
	}
	limit := a.schema.MaxBytes() + maxAggregate + int64(sealTail)
	f, err := a.fetchVersion(ctx, t.who, object, limit)
	if err != nil {
		return nil, err
	}
	g, err := a.read(f, w, t.who.Neuron, list)
	if err = errors.Join(err, f.drop()); err != nil {
		return nil, err
	}
	g.object, g.size = object, object.Size
	rng, err := a.challenge(ctx, w, g.claim, object.Modified)
	if err != nil {
		return nil, err
	}
	groups := chooseGroups(a.schema, rng)
	object, err = a.objectBy(ctx, t.who, proofsKey(name), Span{span.Min, t.by.Add(t.wait)})
	if err != nil {
		return nil, fmt.Errorf("its proofs are not there: %w", err)
	}
	if f, err = a.fetchVersion(ctx, t.who, object, a.maxProofs()); err != nil {
		return nil, err
	}
	proofs, err := readProofs(f, f.Size())
	if err = errors.Join(err, f.drop()); err != nil {
		return nil, err
	}
	if err := a.verify(ctx, g, groups, proofs, t.who); err != nil {
		return nil, err
	}
	return g, a.omitted(ctx, w, span, g, list, rng)
}

// omitted looks whether a peer was left out whose gradient was there in time and is
// whole: of those that are not among the sum, one that the same block has chosen, so
// that all look at the same one.
func (a *sums) omitted(ctx context.Context, w Window, span Span, g *aggregate, list PeerList, rng *rand.Rand) error {
	var out []subnet.UID
	for _, uid := range GatherOrder(list.Peers) {
		if !slices.Contains(g.text.UIDs, uid) {
			out = append(out, uid)
		}
	}
	if len(out) == 0 || len(g.text.UIDs) == compress.MaxInputs {
		return nil
	}
	p, ok := a.roster.peer(out[rng.IntN(len(out))])
	if !ok {
		return nil
	}
	name := Name{Kind: GradientObject, Window: w, UID: p.UID, Version: a.rules.Version}
	object, err := p.bucket.Stat(ctx, name.String())
	if err != nil || span.Place(object.Modified) != InTime || object.Size > a.limit {
		return nil
	}
	if _, err := a.download(ctx, p, object, w); err == nil {
		return leftOut(p.UID)
	}
	return nil
}

// A leftOut is the uid of a peer that an aggregate leaves out.
type leftOut subnet.UID

func (u leftOut) Error() string {
	return fmt.Sprintf("it leaves out uid %d, whose gradient was there in time and is whole", u)
}

// objectBy returns what the store says of an object that came in its span, waiting
// for it until it could not any more.
func (a *sums) objectBy(ctx context.Context, p peer, key string, span Span) (subnet.Object, error) {
	for {
		object, err := p.bucket.Stat(ctx, key)
		if err == nil {
			if t := span.Place(object.Modified); t != InTime {
				return object, fmt.Errorf("%s: %v", key, t)
			}
			return object, nil
		}
		if left := a.left(span.Max); left <= 0 {
			return object, err
		} else if err := actor.Pause(ctx, min(left+time.Millisecond, pollEvery)); err != nil {
			return object, err
		}
	}
}

// read takes an aggregate object apart. That the sums are right it does not see.
func (a *sums) read(f subnet.File, w Window, who subnet.Neuron, list PeerList) (*aggregate, error) {
	signed, length, err := readSealed(f, f.Size(), aggregateMagic, maxAggregate)
	if err != nil {
		return nil, err
	}
	g := &aggregate{signed: signed}
	if err := parseJSON(signed.Text, &g.text); err != nil {
		return nil, err
	}
	x := g.text
	if x.Version != a.rules.Version || x.Window != w || x.UID != who.UID || x.Hotkey != who.Hotkey {
		return nil, fmt.Errorf("it is uid %d's of window %d, version %.40q", x.UID, x.Window, x.Version)
	}
	if !a.Verify(who.Hotkey, append([]byte(aggregateDomain), signed.Text...), signed.Sig) {
		return nil, errors.New("the signature is wrong")
	}
	if g.claim, err = compress.ParseClaim(x.Claim); err != nil {
		return nil, err
	}
	switch {
	case len(x.UIDs) != len(g.claim.Inputs) || len(x.Seals) != len(x.UIDs) || len(x.UIDs) == 0:
		return nil, fmt.Errorf("%d uids and %d seals for %d gradients", len(x.UIDs), len(x.Seals), len(g.claim.Inputs))
	case g.claim.Decay != a.decay() || g.claim.Schema != a.schema.Hash():
		return nil, errors.New("it is made by other rules")
	case a.known && g.claim.Before != a.after && g.claim.Before != a.zero:
		return nil, errors.New("it begins with something else unsaid than the last one ended with")
	}
	known := slices.Concat(list.Peers, list.Reserve)
	for i, uid := range x.UIDs {
		if !slices.Contains(known, uid) || i > 0 && uid <= x.UIDs[i-1] {
			return nil, fmt.Errorf("uid %d is no peer of the window, or not in order", uid)
		}
		p, ok := a.roster.peer(uid)
		if !ok {
			return nil, fmt.Errorf("uid %d has no bucket", uid)
		}
		seal, err := x.Seals[i].open(a.Verify, a.rules.Version, w, p.Neuron)
		if err != nil {
			return nil, fmt.Errorf("gradient of uid %d: %w", uid, err)
		}
		if root, err := seal.root(); err != nil || root != g.claim.Inputs[i] {
			return nil, fmt.Errorf("gradient of uid %d is not the one that it has sealed", uid)
		}
	}
	if g.result, err = compress.ReadMessage(io.NewSectionReader(f, 0, length), a.schema); err != nil {
		return nil, fmt.Errorf("result: %w", err)
	}
	if g.result.Tree.Root() != g.claim.Result {
		return nil, errors.New("the result is not the one that it claims")
	}
	for i, p := range g.result.Parts {
		if p.Values != nil {
			return nil, fmt.Errorf("the result has no levels in %s", a.params[i].Name)
		}
	}
	return g, nil
}

// verify adds the chosen groups up again. What proves the aggregator wrong is shown.
func (a *sums) verify(ctx context.Context, g *aggregate, groups []groupAt, proofs [][]byte, who peer) error {
	if len(proofs) != len(groups) {
		return fmt.Errorf("%d proofs for %d groups", len(proofs), len(groups))
	}
	for i, data := range proofs {
		p, err := compress.ParseProof(data)
		if err != nil {
			return fmt.Errorf("proof %d: %w", i, err)
		}
		if (groupAt{p.Tensor, p.Group}) != groups[i] {
			return fmt.Errorf("proof %d is of another group than the block has chosen", i)
		}
		err = g.claim.Verify(a.schema, p)
		if errors.Is(err, compress.ErrFraud) {
			a.accuse(ctx, g, who, data, err)
		}
		if err != nil {
			return err
		}
	}
	g.checked = len(proofs)
	return nil
}

// An Accusation shows that an aggregate is wrong: whoever has it can check it with
// [compress.Claim.Verify] and the aggregator's signature.
type Accusation struct {
	Aggregate Signed `json:"aggregate"`
	Proof     []byte `json:"proof"`
	Reason    string `json:"reason"`
}

// accuse shows everybody that an aggregator was wrong.
func (a *sums) accuse(ctx context.Context, g *aggregate, who peer, proof []byte, reason error) {
	key := fmt.Sprintf("fraud-%d-%d-v%s.json", g.text.Window, who.UID, a.rules.Version)
	a.Warn("fraud", fmt.Sprintf("The aggregate of window %d by uid %d is wrong.", g.text.Window, who.UID), reason,
		slog.Uint64("window", uint64(g.text.Window)), slog.Int("uid", int(who.UID)), slog.String("hotkey", string(who.Hotkey)), slog.String("object", key))
	data, err := json.Marshal(Accusation{g.signed, proof, reason.Error()})
	if err == nil {
		_, err = a.putBytes(ctx, key, data, false)
	}
	if err != nil && ctx.Err() == nil {
		a.Warn("fraud", "the proof could not be uploaded", err)
	}
}
