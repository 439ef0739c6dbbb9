package exchange

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"adit/internal/exchange/transfer"
	"adit/internal/subnet"
)

// A statusError is the hub's refusal of a request.
type statusError struct {
	status int
	code   string // X-Error-Code: RepoNotFound, RevisionNotFound, EntryNotFound, GatedRepo, …
	text   string
	wait   time.Duration // what the hub asked us to wait
	kind   error         // subnet.ErrNotFound, subnet.ErrTemporary or nil
}

func (e *statusError) Error() string {
	text := fmt.Sprintf("the hub answers %d %s", e.status, http.StatusText(e.status))
	if e.code != "" {
		text += " (" + e.code + ")"
	}
	if e.text != "" {
		text += ": " + e.text
	}
	return text
}

func (e *statusError) Unwrap() error { return e.kind }

// RetryAfter implements [transfer.Asked].
func (e *statusError) RetryAfter() time.Duration { return e.wait }

// refused says what an answer of 400 or more means.
func (a *api) refused(resp *http.Response) error {
	e := &statusError{status: resp.StatusCode, code: transfer.Clip(resp.Header.Get("X-Error-Code")), text: transfer.Clip(resp.Header.Get("X-Error-Message"))}
	if raw, err := io.ReadAll(io.LimitReader(resp.Body, 4096)); err == nil && e.text == "" {
		var body struct {
			Error string `json:"error"`
		}
		if json.Unmarshal(raw, &body) == nil {
			e.text = transfer.Clip(body.Error)
		}
	}
	e.wait = transfer.RetryAfter(resp.Header)
	switch {
	case e.status == http.StatusInsufficientStorage:
		return subnet.WithHint(e, "the hub has no room left; whoever runs it must make some")
	case e.status == http.StatusRequestTimeout, e.status == http.StatusTooManyRequests,
		e.status >= 500 && e.status != http.StatusNotImplemented:
		e.kind = subnet.ErrTemporary
	case e.status == http.StatusUnauthorized && e.code != "RepoNotFound":
		if a.token == "" {
			return subnet.WithHint(e, "the hub wants a token: set "+a.tokenEnv)
		}
		return subnet.WithHint(e, "the hub does not accept the token in "+a.tokenEnv+": is it current?")
	case e.status == http.StatusForbidden && e.code == "GatedRepo":
		return subnet.WithHint(e, "accept the repository's conditions on its page first")
	case e.status == http.StatusForbidden:
		return subnet.WithHint(e, "the token in "+a.tokenEnv+" lacks the permission; writing needs the role write")
	case e.status == http.StatusNotFound, e.status == http.StatusGone, e.code == "RepoNotFound":
		e.kind = subnet.ErrNotFound
		// The hub does not tell strangers that a private repository exists.
		if e.code == "RepoNotFound" {
			return subnet.WithHint(e, "check the name; if the repository is private, set "+a.tokenEnv+" to a token that may read it")
		}
	}
	return e
}
