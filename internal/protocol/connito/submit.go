package connito

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path"
	"slices"
	"strings"

	"adit/internal/protocol/actor"
	"adit/internal/subnet"
)

// direct says whether models go straight to validators, by themselves or where the
// Hub fails.
func (r Rules) direct() bool {
	return slices.Contains(r.Transports, HTTPTransport) || slices.Contains(r.Transports, DocsTransport)
}

// hub says whether models go through the model hub. The documents leave it to the
// miner where its model is; ours are there.
func (r Rules) hub() bool {
	return slices.Contains(r.Transports, HubTransport) || slices.Contains(r.Transports, DocsTransport)
}

// submitJob takes a cycle's submission to the validator that this miner is assigned
// to, unless the Hub has it. It is done once, also by a miner that is restarted:
// what was sent is in the journal, and what may have been sent before a kill is
// sent again, for the validator to say that it has it.
func (n *neuron) submitJob(ctx context.Context, cycle uint64) error {
	if !n.rules.direct() {
		return nil
	}
	s := n.rules.Schedule
	key := fmt.Sprintf("cycle/%d/submit", cycle)
	if _, done := n.Journal.Result(key); done {
		return nil
	}
	if revision, ok := n.Journal.Result(publishedKey(cycle, MinerCommit1)); ok && revision != "" && slices.Contains(n.rules.Transports, HubTransport) {
		n.Say("submit", "<submission> the Hub has it, nothing to send", slog.Uint64("cycle", cycle))
		return nil
	}
	sub, err := n.submitted(cycle)
	if err != nil || sub.Path == "" {
		return err // nothing was committed to
	}
	// The validator's node may be a block behind.
	if err := n.waitTill(ctx, cycle, Submission, 1); err != nil {
		return err
	}
	window, cancel := actor.Until(ctx, n.Chain, s.End(cycle, Submission)+1)
	defer cancel()
	t, err := n.rosterInTime(window, cycle)
	if err != nil {
		return err
	}
	if c := t.commit(n.Me); c == nil || c.Hash != sub.Hash {
		return errors.New("the chain does not hold the commitments of this submission")
	}
	v, ok := t.destination(n.Me)
	if !ok {
		n.Say("submit", "<submission> no validator is assigned, nothing to send", slog.Uint64("cycle", cycle))
		return nil
	}
	at, err := destination(v)
	if err != nil {
		return err
	}
	if _, err := n.Journal.Intend(key, actor.JSON(map[string]string{"hotkey": string(v.Hotkey), "hash": sub.Hash})); err != nil {
		return fmt.Errorf("journal %s: %w", key, err)
	}
	answer, block, err := n.submitUntil(window, cycle, at, v.Hotkey, sub)
	if err != nil {
		return fmt.Errorf("submit to uid %d at %s: %w", v.UID, at, err)
	}
	n.Say("submitted", "<submission> submitted model", slog.Uint64("block", uint64(block)), slog.String("destination", at.String()),
		slog.String("hash", sub.Hash), slog.String("path", sub.Path))
	n.Say("submitted", "<submission> task completed.", slog.Uint64("cycle", cycle))
	return n.Journal.Done(key, answer)
}

// submitted returns what was decided to submit in a cycle, or nothing.
func (n *neuron) submitted(cycle uint64) (submission, error) {
	var sub submission
	key := fmt.Sprintf("cycle/%d/submission", cycle)
	if _, ok := n.Journal.Result(key); !ok {
		return sub, nil
	}
	standing, err := n.Journal.Intend(key, "") // which it was, so that nothing new is intended
	if err == nil {
		err = json.Unmarshal([]byte(standing), &sub)
	}
	if err != nil {
		return sub, fmt.Errorf("journal %s: %w", key, err)
	}
	return sub, nil
}

// address returns where a published shard is, for those who fetch it by address.
func (n *neuron) address(cycle uint64, shard string) string {
	revision, ok := n.Journal.Result(publishedKey(cycle, MinerCommit1))
	if !ok || revision == "" {
		return ""
	}
	return fmt.Sprintf("hf://%s@%s/%s", n.cfg.HF.CheckpointRepo, revision, path.Base(shard))
}

// publishedKey is the journal's key for a model that is on the Hub.
func publishedKey(cycle uint64, first Phase) string {
	return fmt.Sprintf("cycle/%d/%s/publish", cycle, first)
}

// rosterInTime reads the roster, again and again until ctx is done.
func (n *neuron) rosterInTime(ctx context.Context, cycle uint64) (*roster, error) {
	for {
		t, err := n.roster(ctx, cycle)
		if err == nil {
			return t, nil
		}
		n.Warn("retry", "<submission> trying again", err)
		if waitErr := n.NextBlock(ctx); waitErr != nil {
			return nil, err
		}
	}
}

// submitUntil posts a submission, and again until the window is over: at first as
// often as upstream in the blocks that are left, and then each time after as long.
//
// Unlike upstream, which tries submitRetries times, a minute apart, be the window over
// or not, and takes a node that is a block behind for an end of it all.
func (n *neuron) submitUntil(ctx context.Context, cycle uint64, at netip.AddrPort, target subnet.Hotkey, sub submission) (string, subnet.Block, error) {
	end := n.rules.Schedule.End(cycle, Submission)
	for try := 0; ; try++ {
		head, err := n.Chain.Head(ctx)
		var answer posted
		if err == nil {
			answer, err = n.submitOnce(ctx, cycle, at, target, head, sub)
		}
		switch {
		case err != nil:
		case answer.Status >= 200 && answer.Status <= 299, answer.Status == 409 && strings.Contains(answer.Text, textTwice):
			return answer.Text, head, nil
		default:
			err = fmt.Errorf("%d %.300s", answer.Status, answer.Text)
			early := answer.Status == 409 && (strings.Contains(answer.Text, textWrongPhase) || strings.Contains(answer.Text, textNoPhase))
			if !retryStatus(answer.Status) && !early {
				return "", 0, err
			}
		}
		pause := min(submitBackoff/blockSeconds, max(1, int64(end-min(end, head))/int64(submitRetries+1-min(try, submitRetries))))
		if head == 0 || head+subnet.Block(pause) > end || ctx.Err() != nil {
			return "", 0, err
		}
		n.Warn("retry", "<submission> trying again", err)
		if waitErr := n.Chain.Wait(ctx, head+subnet.Block(pause)); waitErr != nil {
			return "", 0, err
		}
	}
}

// submitOnce signs a submission at this block and sends it.
func (n *neuron) submitOnce(ctx context.Context, cycle uint64, at netip.AddrPort, target subnet.Hotkey, head subnet.Block, sub submission) (posted, error) {
	g := n.cfg.Task.Groups[0]
	if slices.Contains(n.rules.Transports, DocsTransport) {
		block := uint64(head)
		d := docsSubmit{Hotkey: n.Me, Group: &g.ID, URL: n.address(cycle, sub.Path), Block: &block}
		if d.URL == "" {
			return posted{}, errors.New("the model is at no address that a validator could fetch it from")
		}
		sig, err := n.Signer.Sign(ctx, docsMessage(d))
		if err != nil {
			return posted{}, fmt.Errorf("sign: %w", err)
		}
		d.Signature = n.rules.Signatures.encode(sig)
		return n.postAddress(ctx, at, d)
	}
	f, err := n.Dir.Open(sub.Path)
	if err != nil {
		return posted{}, err
	}
	defer f.Close()
	req, msg, err := n.rules.sealed(target, n.Me, head, sub.Hash, shardFile(g.ID, n.rules.Formats[0]))
	if err != nil {
		return posted{}, err
	}
	sig, err := n.Signer.Sign(ctx, msg)
	if err != nil {
		return posted{}, fmt.Errorf("sign: %w", err)
	}
	req.Signature = n.rules.Signatures.encode(sig)
	return n.post(ctx, at, req, f)
}
