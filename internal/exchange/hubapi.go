package exchange

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"adit/internal/exchange/transfer"
)

// api sends requests to a hub.
type api struct {
	endpoint string // without a slash at the end
	token    string
	tokenEnv string
	opts     Options
	policy   transfer.Policy
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
	return a.policy.Retry(ctx, func(ctx context.Context) (bool, error) {
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
	defer w.Stop()
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return w.Broken(err)
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
func (a *api) send(ctx context.Context, req *http.Request) (*http.Response, *transfer.Watchdog, error) {
	wctx, w := transfer.Watch(ctx, a.policy.Stall)
	resp, err := a.sendWatched(wctx, req)
	if err != nil {
		err = w.Broken(err)
		w.Stop()
		return nil, nil, err
	}
	if resp.StatusCode >= 400 {
		err := a.refused(resp)
		resp.Body.Close()
		w.Stop()
		return nil, nil, err
	}
	w.Feed()
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
