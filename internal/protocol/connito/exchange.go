package connito

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"adit/internal/checkpoint"
	"adit/internal/protocol/actor"
	"adit/internal/safetensors"
	"adit/internal/subnet"
	"adit/internal/tensor"
)

// mergeDir holds the parts of a merge, own and others', until the next one.
const mergeDir = "merge"

// merges says whether this validator may have others to merge with.
func (n *neuron) merges() bool {
	list := n.cfg.Cycle.ValidatorWhitelist
	alone := len(list) == 1 && list[0] == string(n.Me)
	return n.rules.Baseline == MergedBaseline && n.rules.Schedule[Merge] > 0 && !alone
}

// partFile is where a validator's part lies.
func partFile(round uint64, group int, who subnet.Hotkey) string {
	return fmt.Sprintf("%s/%s_%s.safetensors", mergeDir, boardKey(round, group), who)
}

// askMerge returns a signed request for a part, a list or a momentum.
func (n *neuron) askMerge(ctx context.Context, at netip.AddrPort, target subnet.Hotkey, what string, round uint64, group int) (*http.Request, error) {
	r, err := n.askCheckpoint(ctx, at, target, strconv.Itoa(group))
	if err != nil {
		return nil, err
	}
	r.URL.Path = "/merge/" + what
	r.URL.RawQuery = "round=" + strconv.FormatUint(round, 10)
	return r, nil
}

// A peer is another validator of a merge.
type peer struct {
	subnet.Neuron
	at netip.AddrPort
}

// A gathering is one merge of one group, as one of its validators sees it.
type gathering struct {
	*validator
	cycle  uint64
	group  Group
	global tensor.Dict
	base   string
	round  uint64
	peers  []peer
	stake  map[subnet.Hotkey]uint64

	mu    sync.Mutex
	parts map[subnet.Hotkey]mergeHead // that came, and are what was signed
	lists map[subnet.Hotkey]map[subnet.Hotkey]string
}

// exchange averages the pseudo-gradient of this validator with those of the others
// that the chain names. Who has none, because none of its miners was any good,
// brings nil, and gets what the others' say together. It returns whose were
// averaged; none if nobody has any.
//
// There are two steps, both of which end before the Merge phase does: first each
// fetches the others' parts; then each tells which it has, and those that most have
// are averaged, in the order of the hotkeys. Who does not answer in one of the two
// is left out.
func (v *validator) exchange(ctx context.Context, cycle uint64, g Group, global tensor.Dict, own Gradient) (Gradient, []subnet.Hotkey, error) {
	alone := func() (Gradient, []subnet.Hotkey, error) {
		if own == nil {
			return nil, nil, nil
		}
		return own, []subnet.Hotkey{v.Me}, nil
	}
	if v.server == nil || !v.merges() {
		return alone()
	}
	f, err := v.frame(ctx, cycle)
	if err != nil {
		return nil, nil, fmt.Errorf("who merges: %w", err)
	}
	m := &gathering{
		validator: v, cycle: cycle, group: g, global: global, base: Hash(global), round: v.rules.roundID(cycle),
		stake: make(map[subnet.Hotkey]uint64), parts: make(map[subnet.Hotkey]mergeHead), lists: make(map[subnet.Hotkey]map[subnet.Hotkey]string),
	}
	_, judges := v.judges(f, g.ID)
	named := false
	for _, j := range judges {
		m.stake[j.Hotkey] = j.Stake
		if named = named || j.Hotkey == v.Me; j.Hotkey == v.Me {
			continue
		}
		if at, err := destination(j); err == nil {
			m.peers = append(m.peers, peer{j, at})
		}
	}
	if len(m.peers) == 0 || !named {
		return alone()
	}
	gradient, who, err := m.run(ctx, own)
	m.sayAveraging(who, err)
	return gradient, who, err
}

func (m *gathering) run(ctx context.Context, own Gradient) (Gradient, []subnet.Hotkey, error) {
	place := slices.IndexFunc(m.cfg.Task.Groups, func(g Group) bool { return g.ID == m.group.ID })
	partsEnd, listsEnd := m.rules.mergeEnds(m.cycle, place, len(m.cfg.Task.Groups))
	head := mergeHead{Hotkey: m.Me, Round: m.round, Group: m.group.ID, Base: m.base}
	if err := m.forgetParts(); err != nil {
		return nil, nil, err
	}
	if own != nil {
		d := own.tensors(m.global)
		head.Hash = Hash(d)
		if err := m.Write(partFile(m.round, m.group.ID, m.Me), func(w io.Writer) error { return safetensors.Write(w, d, nil) }); err != nil {
			return nil, nil, err
		}
	}
	if err := m.sign(ctx, &head); err != nil {
		return nil, nil, err
	}
	m.parts[m.Me] = head
	m.server.board.show(head)

	m.all(ctx, partsEnd, m.fetchPart)
	list := mergeHead{Hotkey: m.Me, Round: m.round, Group: m.group.ID, Base: m.base, Have: make(map[subnet.Hotkey]string)}
	for who, h := range m.parts {
		list.Have[who] = h.Hash
	}
	if err := m.sign(ctx, &list); err != nil {
		return nil, nil, err
	}
	m.lists[m.Me] = list.Have
	m.server.board.show(list)
	m.all(ctx, listsEnd, m.fetchList)
	if ctx.Err() != nil {
		return nil, nil, ctx.Err()
	}
	return m.average()
}

// forgetParts removes what is left of earlier rounds.
func (m *gathering) forgetParts() error {
	names, err := m.Dir.List(mergeDir)
	for _, name := range names {
		if !strings.HasPrefix(name, fmt.Sprintf("%d_", m.round)) {
			err = errors.Join(err, m.Dir.Remove(mergeDir+"/"+name))
		}
	}
	return err
}

func (m *gathering) sign(ctx context.Context, h *mergeHead) error {
	sig, err := m.Signer.Sign(ctx, h.message())
	if err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	h.Signature = Base64URL.encode(sig)
	return nil
}

// all asks every peer for what it has not told yet, until it has or the end of a
// block.
func (m *gathering) all(ctx context.Context, end subnet.Block, fetch func(context.Context, peer) error) {
	ctx, cancel := actor.Until(ctx, m.Chain, end+1)
	defer cancel()
	var asking sync.WaitGroup
	for _, p := range m.peers {
		asking.Go(func() {
			for {
				err := fetch(ctx, p)
				if err == nil {
					return
				}
				if m.NextBlock(ctx) != nil {
					m.Warn("absent", "a validator is not in the merge", err, slog.Uint64("cycle", m.cycle), slog.Int("group", m.group.ID), slog.Uint64("uid", uint64(p.UID)))
					return
				}
			}
		})
	}
	asking.Wait()
}

// fetchPart brings a peer's gradient.
func (m *gathering) fetchPart(ctx context.Context, p peer) error {
	h, err := m.fetchHead(ctx, p, "head")
	if err == nil && h.Hash != "" {
		err = m.fetchTensors(ctx, p, h)
	}
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.parts[p.Hotkey] = h
	return nil
}

// fetchHead asks a peer for what it says of its part, or of those that it has.
func (m *gathering) fetchHead(ctx context.Context, p peer, what string) (mergeHead, error) {
	ctx, cancel := context.WithTimeout(ctx, apiTimeoutSeconds*time.Second)
	defer cancel()
	r, err := m.askMerge(ctx, p.at, p.Hotkey, what, m.round, m.group.ID)
	if err != nil {
		return mergeHead{}, err
	}
	answer, err := m.HTTP.Do(r)
	if err != nil {
		return mergeHead{}, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxMergeHead+1))
	if err != nil || answer.StatusCode != http.StatusOK {
		return mergeHead{}, errors.Join(err, fmt.Errorf("%s: %.200q", answer.Status, text))
	}
	h, err := parseMergeHead(text)
	if err != nil {
		return mergeHead{}, err
	}
	return h, checkMergeHead(h, mergeHead{Hotkey: p.Hotkey, Round: m.round, Group: m.group.ID, Base: m.base}, m.Verify)
}

// fetchTensors downloads what a head speaks of, going on where it was cut off.
func (m *gathering) fetchTensors(ctx context.Context, p peer, h mergeHead) error {
	name := partFile(m.round, m.group.ID, p.Hotkey)
	draft, err := m.Dir.Resume(name)
	if err != nil {
		return err
	}
	defer draft.Close()
	limit := m.partLimit()
	err = m.pull(ctx, draft, limit, func(ctx context.Context) (*http.Request, error) {
		return m.askMerge(ctx, p.at, p.Hotkey, "part", m.round, m.group.ID)
	})
	if err != nil {
		return err
	}
	d, err := checkpoint.Read(draftFile{draft, name}, limit)
	if err == nil {
		err = checkPart(d, m.global, h.Hash)
	}
	if err != nil {
		return errors.Join(err, draft.Truncate(0))
	}
	return draft.Commit()
}

// partLimit is how large a part can be: four bytes a value, and a line in the head
// for each tensor.
func (m *gathering) partLimit() int64 {
	limit := int64(1 << 16)
	for key, t := range m.global {
		limit += 4*int64(t.Numel()) + int64(len(key)) + 256
	}
	return limit
}

// fetchList asks a peer which parts it has. Whose own part did not come has no say.
func (m *gathering) fetchList(ctx context.Context, p peer) error {
	m.mu.Lock()
	_, came := m.parts[p.Hotkey]
	m.mu.Unlock()
	if !came {
		return nil
	}
	h, err := m.fetchHead(ctx, p, "list")
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lists[p.Hotkey] = h.Have
	return nil
}

// average averages what was agreed on. If a part of it did not come here, this
// validator has nothing to go on with: it takes over the others' baseline in the
// next cycle.
func (m *gathering) average() (Gradient, []subnet.Hotkey, error) {
	agreed := agreeOn(m.lists, m.stake)
	var parts []Part
	for who, hash := range agreed {
		if m.parts[who].Hash != hash {
			m.Warn("absent", "others merge what did not come here", fmt.Errorf("the part of %s is missing", who), slog.Uint64("cycle", m.cycle), slog.Int("group", m.group.ID))
			return nil, nil, nil
		}
		d, err := m.tensors(partFile(m.round, m.group.ID, who))
		if err != nil {
			return nil, nil, err
		}
		grad, err := gradientOf(d)
		if err != nil {
			return nil, nil, err
		}
		parts = append(parts, Part{Hotkey: who, Stake: m.stake[who], Grad: grad})
	}
	if len(parts) == 0 {
		return nil, nil, nil
	}
	mean, in := averageParts(parts, sizes(m.global), false)
	m.Say("averaged", "averaged pseudo-gradients", slog.Uint64("cycle", m.cycle), slog.Int("group", m.group.ID), slog.Int("validators", len(in)), slog.Int("of", 1+len(m.peers)))
	return mean, in, nil
}

// takeMomentum takes over the momentum that belongs to a baseline which was taken
// over from another validator: with one of its own, the next step would lead
// somewhere else again.
func (v *validator) takeMomentum(ctx context.Context, g Group, b baseline) error {
	at, err := destination(b.neuron)
	if err != nil {
		return err
	}
	own, err := v.outerTensors()
	if err != nil {
		return err
	}
	name := mergeDir + "/" + outerFile
	draft, err := v.Dir.Create(name)
	if err != nil {
		return err
	}
	defer func() { draft.Close(); v.Dir.Remove(name) }()
	if err := v.pull(ctx, draft, v.cfg.Ckpt.MaxBytes, func(ctx context.Context) (*http.Request, error) {
		return v.askMerge(ctx, at, b.neuron.Hotkey, "momentum", *b.Version, g.ID)
	}); err != nil {
		return err
	}
	d, err := checkpoint.Read(draftFile{draft, name}, v.cfg.Ckpt.MaxBytes)
	if err != nil {
		return err
	}
	for key := range own {
		if g.Assignment.Owns(key) {
			delete(own, key)
		}
	}
	for key, t := range d {
		if !g.Assignment.Owns(key) {
			continue // of a group that this validator may not have
		}
		if t.DType != tensor.F32 || !t.Finite() {
			return fmt.Errorf("momentum of uid %d: tensor %q is no finite f32", b.neuron.UID, key)
		}
		own[key] = t
	}
	return v.Write(mergedName(*b.Version)+"/"+outerFile, func(w io.Writer) error { return safetensors.Write(w, own, nil) })
}

// outerTensors returns the momentum that is on disk.
func (v *validator) outerTensors() (tensor.Dict, error) {
	list, err := v.places("")
	if err != nil || len(list) == 0 {
		return make(tensor.Dict), err
	}
	d, err := v.tensors(list[0].name + "/" + outerFile)
	if errors.Is(err, subnet.ErrNotFound) {
		return make(tensor.Dict), nil
	}
	return d, err
}
