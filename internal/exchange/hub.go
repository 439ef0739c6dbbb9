package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"

	"adit/internal/subnet"
)

// hub is a repository of a model hub that speaks the HTTP API of the Hugging
// Face Hub: large files through Git LFS, small ones inside the commit. Facts
// are from huggingface_hub 2.4.0 (_commit_api.py, lfs.py, file_download.py).
//
// Unlike upstream, nothing goes through Xet: chunks, a store for them and a
// table of both are worth it for files that change little, not for checkpoints.
type hub struct {
	api
	repo string // owner/name

	mu     sync.Mutex
	exists bool // the repository, as far as writing needs to know
	staged []upload
}

var _ subnet.Store = (*hub)(nil)

// branch is the one that all networks publish to.
const branch = "main"

func openHub(repo string, opts Options) (subnet.Store, error) {
	a, err := newAPI(opts)
	if err != nil {
		return nil, fmt.Errorf("open store hf://%s: %w", repo, err)
	}
	return &hub{api: a, repo: repo}, nil
}

// newAPI finds out where the hub is and who we are there.
func newAPI(opts Options) (api, error) {
	endpoint := opts.HubEndpoint
	if endpoint == "" {
		endpoint = os.Getenv("HF_ENDPOINT")
	}
	if endpoint == "" {
		endpoint = "https://huggingface.co"
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return api{}, subnet.WithHint(fmt.Errorf("%q is not the URL of a hub", endpoint),
			"it looks like https://huggingface.co")
	}
	env := opts.TokenEnv
	if env == "" {
		env = "HF_TOKEN"
	}
	token := opts.Token
	if token == "" {
		token = os.Getenv(env)
	}
	a := api{endpoint: strings.TrimRight(endpoint, "/"), token: strings.TrimSpace(token), tokenEnv: env, opts: opts, policy: opts.policy()}
	if opts.Client != nil {
		a.client = *opts.Client
	}
	a.client.Timeout = 0 // ends long transfers too: watch is for that
	a.client.CheckRedirect = checkRedirect
	return a, nil
}

// Whoami returns the name that owns the token, which is the owner of the
// repositories it can write.
func Whoami(ctx context.Context, opts Options) (string, error) {
	a, err := newAPI(opts)
	if err != nil {
		return "", err
	}
	var who struct {
		Name string `json:"name"`
	}
	if err := a.call(ctx, http.MethodGet, "/api/whoami-v2", nil, &who); err != nil {
		return "", fmt.Errorf("ask the hub for our name: %w", err)
	}
	if who.Name == "" {
		return "", errors.New("ask the hub for our name: it gives none")
	}
	return who.Name, nil
}

// create makes sure that the repository exists before something is written.
func (h *hub) create(ctx context.Context) error {
	if h.exists {
		return nil
	}
	owner, name, _ := strings.Cut(h.repo, "/")
	in, err := json.Marshal(map[string]any{"name": name, "organization": owner, "private": h.opts.Private})
	if err != nil {
		return err
	}
	err = h.policy.Retry(ctx, func(ctx context.Context) (bool, error) {
		err := h.once(ctx, http.MethodPost, "/api/repos/create", "application/json", in, nil)
		// The hub makes one repository of an owner at a time.
		if s, ok := errors.AsType[*statusError](err); ok && strings.Contains(s.text, "another conflicting operation") {
			s.kind = subnet.ErrTemporary
		}
		return false, err
	})
	if s, ok := errors.AsType[*statusError](err); ok {
		switch s.status {
		case http.StatusConflict:
			err = nil // it is there already
		case http.StatusUnauthorized, http.StatusForbidden:
			// A token for one repository must not create, but may write.
			if h.token != "" && h.call(ctx, http.MethodGet, "/api/models/"+h.repo, nil, nil) == nil {
				err = nil
			}
		}
	}
	if err != nil {
		return fmt.Errorf("create repository %s: %w", h.repo, err)
	}
	h.exists = true
	return nil
}

// resolveURL is where the file at path of a revision is downloaded.
func (h *hub) resolveURL(revision, path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	return h.endpoint + "/" + h.repo + "/resolve/" + url.PathEscape(revision) + "/" + strings.Join(segments, "/")
}
