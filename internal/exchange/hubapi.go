package exchange

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"adit/internal/subnet"
)

// api sends requests to a hub.
type api struct {
	endpoint string // without a slash at the end
	token    string
	tokenEnv string
	opts     Options
	client   http.Client
}

// maxAnswer bounds the answers to API calls. The largest tells all about a
// repository, about 100 bytes for each of its files.
const maxAnswer = 16 << 20

// call performs one API call with a JSON body, repeated when it fails
// temporarily. It decodes the answer into out, if that is not nil.
func (a *api) call(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	return a.opts.retry(ctx, func(ctx context.Context) (bool, error) {
		return false, a.once(ctx, method, path, "application/json", body, out)
	})
}

// once performs one API call. path may be a whole URL.
func (a *api) once(ctx context.Context, method, path, contentType string, body []byte, out any) error {
	target := path
	if strings.HasPrefix(path, "/") {
		target = a.endpoint + path
	}
	req, err := http.NewRequest(method, target, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	if strings.Contains(path, "/info/lfs/") {
		// Git LFS has media types of its own.
		req.Header.Set("Content-Type", lfsType)
		req.Header.Set("Accept", lfsType)
	}
	resp, w, err := a.send(ctx, req)
	if err != nil {
		return err
	}
	defer w.stop()
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return a.broken(ctx, w, err)
	}
	if len(raw) > maxAnswer {
		return fmt.Errorf("%s %s: the answer is larger than %d bytes", method, path, maxAnswer)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("%s %s: the hub's answer is not understood: %w", method, path, err)
	}
	return nil
}

const lfsType = "application/vnd.git-lfs+json"

// send sends req and returns the answer if it is one of success. The caller
// must close its body, then stop w.
func (a *api) send(ctx context.Context, req *http.Request) (*http.Response, *watchdog, error) {
	wctx, w := watch(ctx, a.opts.Stall)
	resp, err := a.sendWatched(wctx, req)
	if err != nil {
		err = a.broken(ctx, w, err)
		w.stop()
		return nil, nil, err
	}
	if resp.StatusCode >= 400 {
		err := a.refused(resp)
		resp.Body.Close()
		w.stop()
		return nil, nil, err
	}
	w.feed()
	return resp, w, nil
}

func (a *api) sendWatched(ctx context.Context, req *http.Request) (*http.Response, error) {
	req = req.WithContext(ctx)
	req.Header.Set("User-Agent", "adit")
	// Our token is the hub's business only: the URLs it hands out for
	// transfers may lead elsewhere, and carry their own permission.
	if a.token != "" && strings.HasPrefix(req.URL.String(), a.endpoint+"/") {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	return a.client.Do(req)
}

// checkRedirect follows the hub to where the bytes are, without the token.
func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return errors.New("redirected too often")
	}
	if via[0].URL.Scheme == "https" && req.URL.Scheme != "https" {
		return errors.New("redirected from https to " + req.URL.Scheme)
	}
	if req.URL.Host == via[0].URL.Host {
		return nil
	}
	if req.Method == http.MethodHead {
		// Elsewhere they are signed for GET only; and what HEAD is for,
		// the hub's own answer says.
		return http.ErrUseLastResponse
	}
	req.Header.Del("Authorization")
	return nil
}

// A watchdog cuts a transfer that stands still.
type watchdog struct {
	timer  *time.Timer
	stall  time.Duration
	ctx    context.Context
	cancel context.CancelCauseFunc
}

var errStalled = errors.New("nothing has moved")

func watch(ctx context.Context, stall time.Duration) (context.Context, *watchdog) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watchdog{stall: stall, ctx: ctx, cancel: cancel}
	w.timer = time.AfterFunc(stall, func() { cancel(errStalled) })
	return ctx, w
}

// feed tells that something has moved.
func (w *watchdog) feed() { w.timer.Reset(w.stall) }

func (w *watchdog) stop() {
	w.timer.Stop()
	w.cancel(nil)
}

// broken says what an error of the connection means.
func (a *api) broken(ctx context.Context, w *watchdog, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if context.Cause(w.ctx) == errStalled {
		return fmt.Errorf("%w: %w for %v", subnet.ErrTemporary, errStalled, w.stall)
	}
	if cert, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return subnet.WithHint(cert, "is the clock right, and the endpoint the hub's own?")
	}
	return fmt.Errorf("%w: %w", subnet.ErrTemporary, err)
}
