package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"adit/internal/journal"
	"adit/internal/subnet"
)

// A roughStore is a repository of the Hub in bad weather.
type roughStore struct {
	subnet.Store
	owner int
	life  *life
}

// errWrong is what the Hub's client says of bytes that are not those of the digest.
var errWrong = errors.New("the bytes are not those that the store's digest says")

func (s roughStore) refused(ctx context.Context) error {
	if err := s.life.op(false); err != nil {
		return err
	}
	if f := s.life.faults.on(s.owner, Hub500, Hub429); f != nil {
		// By then the client has tried some times.
		if err := sleep(ctx, 10*time.Second); err != nil {
			return err
		}
		return fmt.Errorf("%s: %w", f.Kind, subnet.ErrTemporary)
	}
	return nil
}

func (s roughStore) Stage(ctx context.Context, path string, f subnet.File) error {
	if err := s.refused(ctx); err != nil {
		return err
	}
	if f := s.life.faults.on(s.owner, HubCut, HubStall); f != nil {
		if err := sleep(ctx, time.Minute); err != nil {
			return err
		}
		return fmt.Errorf("upload %s: %s: %w", path, f.Kind, subnet.ErrTemporary)
	}
	return s.Store.Stage(ctx, path, f)
}

func (s roughStore) Publish(ctx context.Context, message string) (revision string, err error) {
	if err := s.refused(ctx); err != nil {
		return "", err
	}
	err = s.life.do(false, func() error {
		revision, err = s.Store.Publish(ctx, message)
		return err
	})
	return revision, err
}

func (s roughStore) Get(ctx context.Context, revision, path string, dst subnet.Draft, limit int64) error {
	if err := s.refused(ctx); err != nil {
		return err
	}
	f := s.life.faults.on(s.owner, HubCut, HubWrong, HubStall)
	if f == nil {
		return s.life.do(false, func() error { return s.Store.Get(ctx, revision, path, dst, limit) })
	}
	whole, err := journal.NewMem().Create("whole")
	if err != nil {
		return err
	}
	if err := s.Store.Get(ctx, revision, path, whole, limit); err != nil {
		return err
	}
	if f.Kind == HubWrong {
		return errors.Join(fmt.Errorf("%s: %w", path, errWrong), dst.Truncate(0))
	}
	return broken99(ctx, f, path, whole, dst)
}

// A roughWeb is HTTP in bad weather.
type roughWeb struct {
	*web
	life *life
	// whose returns the neuron that serves at a host, or -1, and whether it is the
	// owner's service.
	whose func(host string) (int, bool)
}

func (w roughWeb) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := w.life.op(false); err != nil {
		return nil, err
	}
	server, owner := w.whose(r.URL.Host)
	f := w.life.faults.on(w.life.who, HTTPDown, HTTP500, HTTP429, HTTPCut, HTTPWrong, HTTPStall)
	if f == nil && server >= 0 {
		f = w.life.faults.on(server, HTTPDown, HTTP500, HTTP429, HTTPCut, HTTPWrong, HTTPStall)
	}
	if owner {
		f = w.life.faults.on(-1, OwnerDown, OwnerSlow, OwnerStrange)
	}
	if f == nil {
		return w.web.RoundTrip(r)
	}
	told := func(status int, text string) (*http.Response, error) {
		return &http.Response{
			StatusCode: status, Status: fmt.Sprint(status, " ", http.StatusText(status)), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: make(http.Header), Body: io.NopCloser(strings.NewReader(text)), ContentLength: int64(len(text)), Request: r,
		}, nil
	}
	switch f.Kind {
	case HTTPDown, OwnerDown:
		return nil, fmt.Errorf("dial %s: connection refused", r.URL.Host)
	case HTTP500:
		return told(http.StatusInternalServerError, "oops")
	case HTTP429:
		return told(http.StatusTooManyRequests, "slow down")
	case OwnerStrange:
		return told(http.StatusOK, `{"phases": "soon", "blocks": [1e99], "head": -7}`)
	case OwnerSlow:
		if err := sleep(r.Context(), time.Minute); err != nil {
			return nil, err
		}
		return w.web.RoundTrip(r)
	}
	answer, err := w.web.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	all, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if err != nil {
		return nil, err
	}
	switch {
	case f.Kind == HTTPCut:
		answer.Body = io.NopCloser(io.MultiReader(bytes.NewReader(all[:len(all)/2]), broken{}))
	case f.Kind == HTTPStall:
		answer.Body = io.NopCloser(io.MultiReader(bytes.NewReader(all[:len(all)*99/100]), stalled{r.Context()}))
	default:
		wrong := slices.Clone(all)
		for i := len(wrong) / 2; i < len(wrong); i += 64 {
			wrong[i] ^= 0x10
		}
		answer.Body = io.NopCloser(bytes.NewReader(wrong))
	}
	return answer, nil
}

// broken is the rest of a body whose connection breaks.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// stalled is one that does not come.
type stalled struct{ ctx context.Context }

func (s stalled) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, context.Cause(s.ctx)
}
