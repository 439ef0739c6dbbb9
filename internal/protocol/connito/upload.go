package connito

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"adit/internal/checkpoint"
	"adit/internal/subnet"
)

const (
	textBadBody = "There was an error parsing the body" // the words of upstream's framework
	// maxField and maxFields bound what comes before a file.
	maxField  = 4096
	maxFields = 32
)

// submitCheckpoint is POST /submit-checkpoint: a form whose last field is the
// file.
func (s *server) submitCheckpoint(w http.ResponseWriter, r *http.Request) *refusal {
	parts, err := r.MultipartReader()
	if err != nil {
		return &refusal{http.StatusUnprocessableEntity, err.Error()}
	}
	req, file, bad := readForm(parts)
	if bad != nil {
		return bad
	}
	ctx := r.Context()
	release, err := s.turn(ctx, req.Origin)
	if err != nil {
		return notStored()
	}
	defer release()
	d, bad := s.submitDoorway(ctx, req)
	if bad == nil {
		bad = s.rules.checkSubmit(req, d)
	}
	if bad != nil {
		return s.sayRefused(req, bad)
	}
	// Unlike upstream, which sees the signature when all is stored: nobody may
	// fill the disk in another's name.
	if bad := s.rules.checkStored(req, d, nil); bad != nil {
		return s.sayRefused(req, bad)
	}
	limit := s.limit(d.OnChain)
	if r.ContentLength > limit+maxFields*maxField {
		return s.sayRefused(req, tooLarge(limit))
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return notStored()
	}
	http.NewResponseController(w).SetReadDeadline(time.Now().Add(uploadSeconds * time.Second))
	answer, bad := s.store(ctx, file, req, d, limit)
	if bad != nil {
		return s.sayRefused(req, bad)
	}
	s.Say("received", "received submission", slog.String("hotkey", string(req.Origin)), slog.Uint64("block", uint64(d.Head)),
		slog.Int64("bytes", answer.Bytes), slog.String("path", answer.Path))
	return tell(w, answer)
}

func (s *server) sayRefused(req submitRequest, bad *refusal) *refusal {
	s.Say("refused", "refused submission", slog.String("hotkey", string(req.Origin)), slog.Int("status", bad.Status), slog.String("reason", bad.Detail))
	return bad
}

// readForm reads a form up to its file. Unlike upstream's, which keeps all of it
// until it looks at any field: what comes behind the file comes too late.
func readForm(parts *multipart.Reader) (submitRequest, io.Reader, *refusal) {
	values := make(map[string]string)
	for range maxFields {
		p, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return submitRequest{}, nil, &refusal{http.StatusBadRequest, textBadBody}
		}
		name := p.FormName()
		if name == "file" && p.FileName() != "" {
			req, err := parseSubmit(func(name string) string { return values[name] }, p.FileName())
			if err != nil {
				return req, nil, &refusal{http.StatusUnprocessableEntity, err.Error()}
			}
			return req, p, nil
		}
		value, err := io.ReadAll(io.LimitReader(p, maxField+1))
		_, twice := values[name]
		switch {
		case err != nil:
			return submitRequest{}, nil, &refusal{http.StatusBadRequest, textBadBody}
		case len(value) > maxField || twice:
			return submitRequest{}, nil, &refusal{http.StatusUnprocessableEntity, fmt.Sprintf("%.40s: too long, or told twice", name)}
		}
		values[name] = string(value)
	}
	return submitRequest{}, nil, &refusal{http.StatusUnprocessableEntity, "form: no file after the other fields"}
}

// turn waits until no other submission of the miner is being received: what is
// said of a second one depends on the first.
func (s *server) turn(ctx context.Context, who subnet.Hotkey) (release func(), err error) {
	for {
		s.mu.Lock()
		before := s.turns[who]
		if before == nil {
			mine := make(chan struct{})
			s.turns[who] = mine
			s.mu.Unlock()
			return func() {
				s.mu.Lock()
				delete(s.turns, who)
				s.mu.Unlock()
				close(mine)
			}, nil
		}
		s.mu.Unlock()
		select {
		case <-before:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// submitDoorway returns what there is to know about a submission before it is
// received.
func (s *server) submitDoorway(ctx context.Context, req submitRequest) (doorway, *refusal) {
	d := doorway{Me: s.Me, Lax: s.lax, Verify: s.Verify}
	head, err := s.Chain.Head(ctx)
	if err != nil {
		return d, nil // the phase is not known
	}
	info := s.rules.phaseInfo(head)
	d.Head, d.Phase = head, &info
	if names, err := s.Dir.List(submissionDir); err == nil {
		d.SubmittedAt = submittedIn(names, req.Origin, info.PhaseStart, info.PhaseEnd)
	}
	cycle, ok := s.rules.Schedule.readCycle(head, MinerCommit1)
	if !ok || req.Target != s.Me {
		return d, nil
	}
	t, err := s.rosterOf(ctx, cycle)
	if err != nil {
		s.Warn("retry", "a submission came and the chain cannot be read", err)
		return d, &refusal{http.StatusServiceUnavailable, textNoChain}
	}
	if d.OnChain = t.commit(req.Origin); d.OnChain != nil {
		d.Assigned = slices.Contains(t.assigned[*d.OnChain.Group][s.Me], req.Origin)
	}
	return d, nil
}

// limit returns how large a submission may be.
func (s *server) limit(c *Commit) int64 {
	experts := 0
	if g, ok := s.groupOf(c); ok {
		experts = g.Assignment.keys() / 2
	}
	return submissionLimit(s.cfg.Ckpt.MaxSubmissionBytes, s.cfg.Ckpt.MaxSubmissionBytesPerExpert, experts)
}

// groupOf returns the expert group of a commitment, if it is one of this
// validator's.
func (s *server) groupOf(c *Commit) (Group, bool) {
	if c == nil || c.Group == nil {
		return Group{}, false
	}
	i := slices.IndexFunc(s.cfg.Task.Groups, func(g Group) bool { return g.ID == *c.Group })
	if i < 0 {
		return Group{}, false
	}
	return s.cfg.Task.Groups[i], true
}

// store keeps a submission under the name in which the evaluation looks for it, if
// it is what the miner committed to.
func (s *server) store(ctx context.Context, file io.Reader, req submitRequest, d doorway, limit int64) (stored, *refusal) {
	format := subnet.Torch
	if strings.HasSuffix(req.File, "."+string(subnet.Safetensors)) {
		format = subnet.Safetensors
	}
	name := submissionName(req.Origin, d.Head, format)
	draft, err := s.Dir.Create(name)
	if err != nil {
		s.Warn("retry", "a submission came and cannot be stored", err)
		return stored{}, notStored()
	}
	discard := func(bad *refusal) (stored, *refusal) {
		if err := errors.Join(draft.Close(), s.Dir.Remove(name)); err != nil {
			s.Warn("disk", "a refused submission is still there", err, slog.String("path", name))
		}
		return stored{}, bad
	}
	sum := sha256.New()
	seen := watch(draft)
	size, readErr, err := transfer(io.MultiWriter(seen, sum), file, limit)
	switch {
	case errors.Is(readErr, os.ErrDeadlineExceeded):
		return discard(tooSlow())
	case readErr != nil:
		return discard(&refusal{http.StatusBadRequest, textBadBody})
	case size > limit:
		return discard(tooLarge(limit))
	case err != nil:
		s.Warn("retry", "a submission came and cannot be stored", err)
		return discard(notStored())
	}
	if bad := s.rules.checkStored(req, d, s.look(ctx, seen, name, d.OnChain)); bad != nil {
		return discard(bad)
	}
	if err := draft.Commit(); err != nil {
		s.Warn("retry", "a submission came and cannot be stored", err)
		return discard(notStored())
	}
	s.forget(req.Origin, name)
	return stored{"ok", name, size, hex.EncodeToString(sum.Sum(nil))}, nil
}

// transfer copies at most limit+1 bytes, and tells who is to blame if it cannot.
func transfer(to io.Writer, from io.Reader, limit int64) (size int64, readErr, writeErr error) {
	buf := make([]byte, 256<<10)
	for size <= limit {
		n, err := from.Read(buf[:min(int64(len(buf)), limit+1-size)])
		if n > 0 {
			if _, writeErr := to.Write(buf[:n]); writeErr != nil {
				return size, nil, writeErr
			}
			size += int64(n)
		}
		if errors.Is(err, io.EOF) {
			return size, nil, nil
		} else if err != nil {
			return size, err, nil
		}
	}
	return size, nil, nil
}

// look sends the content of a submission through the gates: as it was seen while it
// came, where its tensors came in their order.
func (s *server) look(ctx context.Context, seen *watched, name string, c *Commit) Why {
	g, ok := s.groupOf(c)
	if !ok { // so lax that there need not be a commitment, which it could match
		d, err := checkpoint.Read(draftFile{seen.Draft, name}, s.cfg.Ckpt.MaxSubmissionBytes)
		if err == nil {
			err = checkShard(d, s.cfg.Task.Groups[0].Assignment, s.rules.ExactKeys)
		}
		return Why{gateOf(gateParse, err)}
	}
	if err := s.acceptDraft(ctx, seen, name, g, *c); err != nil {
		return whyNot(err)
	}
	return nil
}

// forget removes a miner's submissions but the newest. Directories are of those
// that were fetched from the Hub.
func (s *server) forget(who subnet.Hotkey, newest string) {
	names, err := s.Dir.List(submissionDir)
	for _, name := range names {
		if hotkey, _, ok := parseSubmission(name); ok && hotkey == who && path.Ext(name) != "" && submissionDir+"/"+name != newest {
			err = errors.Join(err, s.Dir.Remove(submissionDir+"/"+name))
		}
	}
	if err != nil {
		s.Warn("disk", "older submissions are still there", err, slog.String("hotkey", string(who)))
	}
}
