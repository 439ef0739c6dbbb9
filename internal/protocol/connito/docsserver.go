package connito

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"adit/internal/protocol/actor"
	"adit/internal/subnet"
)

// What the endpoints of BlockZero's documents say beside the body.
const (
	groupHeader  = "X-Expert-Group"
	hotkeyHeader = "X-Hotkey"
	// metadataHeader holds the JSON that the documents promise beside the binary,
	// without saying where.
	metadataHeader = "X-Model-Metadata"
)

// health is GET /health.
func (s *server) health(w http.ResponseWriter, r *http.Request) *refusal {
	head, err := s.Chain.Head(r.Context())
	if err != nil {
		return &refusal{http.StatusServiceUnavailable, textNoChain}
	}
	var d doorway
	if _, bad := s.newestCheckpoint(&d); bad != nil {
		return bad
	}
	return tell(w, docsHealth{"ok", d.Checkpoint, head, s.rules.phaseInfo(head).PhaseName})
}

func (s *server) modelPartial(w http.ResponseWriter, r *http.Request) *refusal {
	group, err := strconv.Atoi(r.Header.Get(groupHeader))
	if err != nil || group < 0 {
		return &refusal{http.StatusUnprocessableEntity, groupHeader + ": want an expert group's number"}
	}
	return s.model(w, r, false, group)
}

func (s *server) modelFull(w http.ResponseWriter, r *http.Request) *refusal {
	return s.model(w, r, true, -1)
}

// model sends the newest shard of a group, or the whole model to a validator.
func (s *server) model(w http.ResponseWriter, r *http.Request, full bool, group int) *refusal {
	ctx, who := r.Context(), subnet.Hotkey(r.Header.Get(hotkeyHeader))
	d, bad := s.doorway(ctx)
	if bad != nil {
		return bad
	}
	meta, bad := s.metagraph(ctx, d.Head)
	if bad != nil {
		return bad
	}
	newest, bad := s.newestCheckpoint(&d)
	if bad != nil {
		return bad
	}
	validator := func(who subnet.Hotkey) bool {
		v, ok := meta.ByHotkey(who)
		return ok && s.validator(v)
	}
	file, bad := s.rules.checkDocsModel(full, group, who, validator, d)
	if bad != nil {
		return bad
	}
	name := newest.name + "/" + file
	sum, err := s.sha256Of(ctx, name)
	if err != nil {
		return &refusal{http.StatusNotFound, textNotFound + ": " + file}
	}
	w.Header().Set(metadataHeader, actor.JSON(docsModel{group, subnet.Block(newest.version), docsVersion(newest.version), docsHash(sum)}))
	return s.send(w, r, name, docsShardFile(max(group, 0), newest.version, s.rules.Formats[0]), slog.String("hotkey", string(who)))
}

// sha256Of returns the sha256 of a file, which is read once, unless it was noted
// when the file was written.
func (s *server) sha256Of(ctx context.Context, name string) (string, error) {
	if sum, ok := s.knownSum(name); ok {
		return sum.SHA256, nil
	}
	s.mu.Lock()
	sum, ok := s.sums[name]
	s.mu.Unlock()
	if ok {
		return sum, nil
	}
	f, err := s.Dir.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	for at, buf := int64(0), make([]byte, 1<<20); at < f.Size() && ctx.Err() == nil; {
		n, err := f.ReadAt(buf[:min(int64(len(buf)), f.Size()-at)], at)
		if n == 0 {
			return "", err
		}
		h.Write(buf[:n])
		at += int64(n)
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	sum = hex.EncodeToString(h.Sum(nil))
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.sums) // an older baseline is not asked for again
	s.sums[name] = sum
	return sum, nil
}

// submitAddress is POST /submit: the model is at an address, and fetched from it
// after the answer.
func (s *server) submitAddress(w http.ResponseWriter, r *http.Request) *refusal {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxDocsSubmit+1))
	if err != nil {
		return &refusal{http.StatusBadRequest, textBadBody}
	}
	sub, err := parseDocsSubmit(body)
	if err != nil {
		return &refusal{http.StatusUnprocessableEntity, err.Error()}
	}
	ctx := r.Context()
	release, err := s.turn(ctx, sub.Hotkey)
	if err != nil {
		return notStored()
	}
	defer release()
	req := submitRequest{Target: s.Me, Origin: sub.Hotkey}
	d, bad := s.submitDoorway(ctx, req)
	if bad != nil {
		return bad
	}
	accepted, bad := s.rules.checkDocsSubmit(sub, d)
	if bad == nil && d.OnChain != nil && *d.OnChain.Group != *sub.Group {
		bad = &refusal{http.StatusBadRequest, textFailedChecks}
	}
	if bad == nil {
		bad = s.checkAddress(sub.URL)
	}
	if bad != nil {
		return s.sayRefused(req, bad)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fetching == nil {
		return notStored() // the validator is ending
	}
	if err := s.keepAddress(sub, d.Head); err != nil {
		s.Warn("retry", "a submission came and cannot be stored", err)
		return notStored()
	}
	s.fetching(sub, d)
	return tell(w, accepted)
}

// checkAddress refuses an address within the validator's own network, unless it is
// in that network itself: a stranger must not choose what the validator asks its
// neighbours.
func (s *server) checkAddress(text string) *refusal {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return nil // a store's, which asks one service only
	}
	own, _ := s.cfg.axon() // checked by Validate
	ip, err := netip.ParseAddr(u.Hostname())
	local := err == nil && !ip.IsGlobalUnicast() || err == nil && ip.IsPrivate() || strings.EqualFold(u.Hostname(), "localhost") || err != nil && !strings.Contains(u.Hostname(), ".")
	if local && (own.Addr().IsGlobalUnicast() && !own.Addr().IsPrivate() || !own.IsValid()) {
		return &refusal{http.StatusUnprocessableEntity, "submission: checkpoint_url is not a public address"}
	}
	return nil
}

// fetchSubmitted brings a model from the address that its miner told, until the
// Submission phase is over.
func (s *server) fetchSubmitted(ctx context.Context, sub docsSubmit, d doorway) error {
	if d.OnChain == nil || d.Phase == nil {
		return fmt.Errorf("%s has nothing on chain that its model could match", sub.Hotkey)
	}
	g, ok := s.groupOf(d.OnChain)
	if !ok {
		return fmt.Errorf("expert group %d is not this validator's", *sub.Group)
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	ctx, cancel := actor.Until(ctx, s.Chain, d.Phase.PhaseEnd+1)
	defer cancel()
	format := subnet.Torch
	if strings.HasSuffix(sub.URL, "."+string(subnet.Safetensors)) {
		format = subnet.Safetensors
	}
	name := submissionName(sub.Hotkey, d.Head, format)
	for {
		err := s.receive(ctx, name, g, *d.OnChain, func(draft subnet.Draft) error {
			return s.fetchAddress(ctx, sub.URL, draft, s.limit(d.OnChain))
		})
		if err == nil {
			s.forgetAddress(sub.Hotkey, d.Head)
			s.Say("received", "received submission", slog.String("hotkey", string(sub.Hotkey)), slog.Uint64("block", uint64(d.Head)), slog.String("path", name))
			return nil
		}
		if ctx.Err() != nil || !isTemporary(err) {
			return err
		}
		if waitErr := s.NextBlock(ctx); waitErr != nil {
			return err
		}
	}
}

// fetchAddress downloads from a store's address, hf://owner/name/file, with
// @revision behind the name or not, or from a web server.
func (n *neuron) fetchAddress(ctx context.Context, address string, draft subnet.Draft, limit int64) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	if u.Scheme == "http" || u.Scheme == "https" {
		return n.pull(ctx, draft, limit, func(ctx context.Context) (*http.Request, error) {
			return http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		})
	}
	// hf://owner/name@revision/file
	parts := slices.Collect(strings.SplitSeq(strings.TrimPrefix(u.Path, "/"), "/"))
	if len(parts) < 2 {
		return fmt.Errorf("%.200q names no file in a repository", address)
	}
	repo, revision, _ := strings.Cut(parts[0], "@")
	store, err := n.Open(u.Scheme + "://" + u.Host + "/" + repo)
	if err != nil {
		return err
	}
	return store.Get(ctx, revision, strings.Join(parts[1:], "/"), draft, limit)
}
