// Package exchange moves files between neurons: checkpoints, gradients, and
// whatever else one of them publishes for the others.
//
// [Open] gives the [subnet.Store] behind a URL:
//
//	hf://owner/repo   a repository of a model hub that speaks the HTTP API of
//	                  the Hugging Face Hub
//	dir:///path       a directory
//	mem:name          a store in memory, for simulations and tests
//
// All of them keep the promises tested in storetest: what is staged is
// invisible until it is published, a revision never changes, a download goes on
// where an earlier one ended, and is checked against the store's digest.
package exchange

import (
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"adit/internal/exchange/transfer"
	"adit/internal/subnet"
)

// Options is what stores need beyond their URL. The zero value is usable.
type Options struct {
	// HubEndpoint is the URL of the model hub; "" for $HF_ENDPOINT, and
	// https://huggingface.co without it.
	HubEndpoint string
	// Token is the hub's access token; "" for the one in the environment
	// variable TokenEnv.
	Token string
	// TokenEnv names an environment variable; "" for HF_TOKEN.
	TokenEnv string
	// Private makes repositories that do not exist yet private.
	Private bool
	// Mem holds the stores of mem: URLs. Without it they cannot be opened.
	Mem *Mem
	// Client sends the HTTP requests; nil for one with the default transport.
	// Its redirect policy and its timeout are not used.
	Client *http.Client
	// Stall is how long a transfer may stand still before it is cut and
	// resumed; 0 for [DefaultStall].
	Stall time.Duration
	// Attempts is how often something is tried in a row without any progress;
	// 0 for [DefaultAttempts].
	Attempts int
	// Backoff is the pause before the second attempt; it doubles with each
	// further one up to 30 s. 0 for a second.
	Backoff time.Duration
	// Progress is told how far a transfer has come, in bytes. It must not
	// block.
	Progress func(path string, done, total int64)
}

// The defaults of [Options].
const (
	DefaultStall    = transfer.DefaultStall
	DefaultAttempts = transfer.DefaultAttempts
)

// policy is how patient transfers are.
func (o Options) policy() transfer.Policy {
	return transfer.Policy{Stall: o.Stall, Attempts: o.Attempts, Backoff: o.Backoff, Progress: o.Progress}.WithDefaults()
}

// Open returns the store at rawURL, which may come from another neuron: it is
// checked, and nothing is contacted before the store is used.
//
// In every store the revision "" is the newest one, and an unambiguous
// beginning of at least seven characters stands for a whole revision.
func Open(rawURL string, opts Options) (subnet.Store, error) {
	scheme, rest, ok := strings.Cut(rawURL, ":")
	if !ok {
		return nil, unknownScheme(rawURL)
	}
	switch scheme {
	case "hf":
		repo, ok := strings.CutPrefix(rest, "//")
		if !ok || !validRepo(repo) {
			return nil, subnet.WithHint(fmt.Errorf("open store %q: not a repository", rawURL),
				"a repository is written hf://owner/name")
		}
		return openHub(repo, opts)
	case "dir":
		u, err := url.Parse(rawURL)
		if err != nil {
			return nil, fmt.Errorf("open store %q: %w", rawURL, err)
		}
		if u.Host != "" || u.Path == "" {
			return nil, subnet.WithHint(fmt.Errorf("open store %q: not an absolute path", rawURL),
				"a directory is written dir:///path, with three slashes")
		}
		return openDir(dirPath(u.Path))
	case "mem":
		if opts.Mem == nil {
			return nil, fmt.Errorf("open store %q: there are no stores in memory here", rawURL)
		}
		return opts.Mem.Open(rest), nil
	}
	return nil, unknownScheme(rawURL)
}

func unknownScheme(rawURL string) error {
	return subnet.WithHint(fmt.Errorf("open store %q: unknown kind of store", rawURL),
		"known are hf://owner/repo, dir:///path and mem:name")
}

// dirPath turns the path of a dir: URL into one of this system: on Windows
// dir:///C:/x has the path /C:/x.
func dirPath(p string) string {
	if native := filepath.FromSlash(p[1:]); filepath.VolumeName(native) != "" {
		return native
	}
	return filepath.FromSlash(p)
}

// Names on the hub, as huggingface_hub checks them: letters, digits, and the
// marks - _ . inside; owner and repository together at most 96 characters.
var repoName = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?/[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?$`)

func validRepo(repo string) bool {
	return len(repo) <= 96 && repoName.MatchString(repo) && !strings.Contains(repo, "..") &&
		!strings.Contains(repo, "--") && !strings.HasSuffix(repo, ".git")
}
