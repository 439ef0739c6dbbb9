package connito

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"adit/internal/protocol/actor"
	"adit/internal/subnet"
)

// Talking with a validator's checkpoint server.

const (
	downloadTries = 3       // at a time; the job tries again
	maxAnswer     = 1 << 16 // bytes of an answer that is no model
)

// errForbidden is an answer that will not change: the server does not let this
// neuron in.
var errForbidden = errors.New("refused")

// isTemporary says whether something may work a moment later.
func isTemporary(err error) bool { return errors.Is(err, subnet.ErrTemporary) }

// fetchDirect downloads a baseline from the checkpoint server of its validator, as
// [neuron.fetch] does from the Hub.
func (n *neuron) fetchDirect(ctx context.Context, dir string, g Group, b baseline) (string, error) {
	at, err := destination(b.neuron)
	if err != nil {
		return "", err
	}
	name := dir + "/" + shardFile(g.ID, n.rules.Formats[0])
	return name, n.receive(ctx, name, g, b.Commit, func(draft subnet.Draft) error {
		return n.pull(ctx, draft, n.cfg.Ckpt.MaxBytes, func(ctx context.Context) (*http.Request, error) {
			return n.askCheckpoint(ctx, at, b.neuron.Hotkey, strconv.Itoa(g.ID))
		})
	})
}

// fetchDocs is fetchDirect at the documents' endpoint, which signs nothing.
func (n *neuron) fetchDocs(ctx context.Context, dir string, g Group, b baseline) (string, error) {
	at, err := destination(b.neuron)
	if err != nil {
		return "", err
	}
	name := dir + "/" + shardFile(g.ID, n.rules.Formats[0])
	return name, n.receive(ctx, name, g, b.Commit, func(draft subnet.Draft) error {
		return n.pull(ctx, draft, n.cfg.Ckpt.MaxBytes, func(ctx context.Context) (*http.Request, error) {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at.String()+"/model/partial", nil)
			if err == nil {
				r.Header.Set(groupHeader, strconv.Itoa(g.ID))
				r.Header.Set(hotkeyHeader, string(n.Me))
				n.authorize(r)
			}
			return r, err
		})
	})
}

// authorize shows the token, if there is one.
func (n *neuron) authorize(r *http.Request) {
	if token := n.token(); token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
}

// askCheckpoint returns a signed request for the newest checkpoint. The form is
// the body of a GET request, as upstream sends it.
func (n *neuron) askCheckpoint(ctx context.Context, at netip.AddrPort, target subnet.Hotkey, shard string) (*http.Request, error) {
	head, err := n.Chain.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("read head: %w", err)
	}
	msg, err := blockMessage(target, head)
	if err != nil {
		return nil, err
	}
	sig, err := n.Signer.Sign(ctx, msg)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	form := n.rules.form(downloadRequest{Target: target, Origin: n.Me, OriginBlock: head, Signature: n.rules.Signatures.encode(sig), Shard: shard})
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at.String()+"/get-checkpoint", strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	n.authorize(r)
	return r, nil
}

// pull downloads into a draft, which may hold the beginning already. An error that
// wraps [subnet.ErrTemporary] leaves what came for the next time. The waits between
// tries are short: what is asked for is needed now.
func (n *neuron) pull(ctx context.Context, draft subnet.Draft, limit int64, ask func(context.Context) (*http.Request, error)) error {
	for try := 1; ; try++ {
		err := n.pullOnce(ctx, draft, limit, ask)
		if err == nil || !isTemporary(err) || try == downloadTries || ctx.Err() != nil {
			return err
		}
		if waitErr := n.NextBlock(ctx); waitErr != nil {
			return err
		}
	}
}

func (n *neuron) pullOnce(ctx context.Context, draft subnet.Draft, limit int64, ask func(context.Context) (*http.Request, error)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	quiet := time.AfterFunc(downloadSeconds*time.Second, func() {
		cancel(fmt.Errorf("nothing came for %d s: %w", downloadSeconds, subnet.ErrTemporary))
	})
	defer quiet.Stop()
	r, err := ask(ctx)
	if err != nil {
		return fmt.Errorf("ask: %w: %w", subnet.ErrTemporary, err)
	}
	offset := draft.Size()
	if offset > 0 {
		r.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	answer, err := n.HTTP.Do(r)
	if err != nil {
		return temporarily(ctx, r.URL.Host, err)
	}
	defer answer.Body.Close()
	switch afterDownload(answer.StatusCode, offset) {
	case stepComplete:
		return nil // what it is worth is seen by its hash
	case stepGiveUp:
		return fmt.Errorf("%s: %w: %s", r.URL.Host, errForbidden, said(answer))
	case stepRestart:
		return errors.Join(fmt.Errorf("%s cannot continue at byte %d: %w: %s", r.URL.Host, offset, subnet.ErrTemporary, answer.Status), draft.Truncate(0))
	case stepRetry:
		return fmt.Errorf("%s: %w: %s", r.URL.Host, subnet.ErrTemporary, said(answer))
	}
	if answer.StatusCode == http.StatusPartialContent && !strings.HasPrefix(answer.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", offset)) {
		return errors.Join(fmt.Errorf("%s: %w: sent another part than was asked for", r.URL.Host, subnet.ErrTemporary), draft.Truncate(0))
	}
	if answer.ContentLength > limit-offset {
		return fmt.Errorf("%s would send %d bytes, of which %d may come", r.URL.Host, answer.ContentLength, limit-offset)
	}
	body := readerFunc(func(b []byte) (int, error) {
		n, err := answer.Body.Read(b)
		quiet.Reset(downloadSeconds * time.Second)
		return n, err
	})
	size, readErr, err := transfer(draft, body, limit-offset)
	switch {
	case err != nil:
		return err
	case readErr != nil:
		return temporarily(ctx, r.URL.Host, readErr)
	case size > limit-offset:
		return fmt.Errorf("%s sent more than the %d bytes that may come", r.URL.Host, limit)
	}
	return nil
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// temporarily says that a server could not be talked with.
func temporarily(ctx context.Context, host string, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return fmt.Errorf("%s: %w: %w", host, subnet.ErrTemporary, err)
}

// said returns what a server answered, for people.
func said(answer *http.Response) string {
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 512)) // as much of it as there is
	return fmt.Sprintf("%s: %q", answer.Status, text)
}

// A posted is the answer to a submission.
type posted struct {
	Status int
	Text   string
}

// post sends a shard to a validator's checkpoint server. The form goes out as the
// file is read: there is no copy of the model in memory.
func (n *neuron) post(ctx context.Context, at netip.AddrPort, req submitRequest, f subnet.File) (posted, error) {
	ctx, cancel := context.WithTimeout(ctx, uploadSeconds*time.Second)
	defer cancel()
	var form bytes.Buffer
	parts := multipart.NewWriter(&form)
	for _, field := range req.form(n.rules) {
		parts.WriteField(field[0], field[1])
	}
	if _, err := parts.CreateFormFile("file", req.File); err != nil {
		return posted{}, err
	}
	head := bytes.Clone(form.Bytes())
	form.Reset()
	parts.Close()
	body := io.MultiReader(bytes.NewReader(head), io.NewSectionReader(f, 0, f.Size()), &form)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+at.String()+"/submit-checkpoint", body)
	if err != nil {
		return posted{}, err
	}
	r.ContentLength = int64(len(head)) + f.Size() + int64(form.Len())
	r.Header.Set("Content-Type", parts.FormDataContentType())
	r.Header.Set("Authorization", "Bearer "+n.token())
	return n.answerTo(r)
}

// postAddress tells a validator with the documents' endpoints where a model is.
func (n *neuron) postAddress(ctx context.Context, at netip.AddrPort, sub docsSubmit) (posted, error) {
	ctx, cancel := context.WithTimeout(ctx, apiTimeoutSeconds*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+at.String()+"/submit", strings.NewReader(actor.JSON(sub)))
	if err != nil {
		return posted{}, err
	}
	r.Header.Set("Content-Type", "application/json")
	n.authorize(r)
	return n.answerTo(r)
}

func (n *neuron) answerTo(r *http.Request) (posted, error) {
	answer, err := n.HTTP.Do(r)
	if err != nil {
		return posted{}, temporarily(r.Context(), r.URL.Host, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil && len(text) == 0 {
		return posted{}, temporarily(r.Context(), r.URL.Host, err)
	}
	return posted{answer.StatusCode, string(text)}, nil // which may be no JSON
}
