package connito

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"adit/internal/protocol/actor"
	"adit/internal/subnet"
)

// A stillChain is a chain that stands still: at a block, with what was committed
// after each.
type stillChain struct {
	subnet.Chain
	head    subnet.Block
	meta    subnet.Metagraph
	commits map[subnet.Block][]subnet.Commitment
}

func (c *stillChain) Head(context.Context) (subnet.Block, error) { return c.head, nil }

func (c *stillChain) Metagraph(context.Context, subnet.Block) (*subnet.Metagraph, error) {
	return &c.meta, nil
}

func (c *stillChain) Commitments(_ context.Context, at subnet.Block) ([]subnet.Commitment, error) {
	list, ok := c.commits[at]
	if !ok {
		return nil, fmt.Errorf("block %d: state discarded", at)
	}
	return list, nil
}

type nobody struct{}

func (nobody) Hotkey() subnet.Hotkey                        { return "me" }
func (nobody) Sign(context.Context, []byte) ([]byte, error) { panic("a check signs nothing") }

// checkEnv is of a chain where validator "v" published version 58 of group 0 in the
// cycle before.
func checkEnv(hub string) (subnet.Env, *Config, *stillChain) {
	s := Local.Schedule
	one, two := s.commitReads(3, ValidatorCommit1)
	c := Defaults(Local.Name, RoleMiner)
	c.Task.Groups = []Group{{ID: 0, Assignment: Assignment{0: {{0, 0}}}}}
	c.HF.Endpoint, c.HF.CheckpointRepo = hub, "me/co"
	sig := base64.RawURLEncoding.EncodeToString(make([]byte, 64))
	version := s.Version(3)
	chain := &stillChain{head: s.Start(4, Train), commits: map[subnet.Block][]subnet.Commitment{
		one: {{Hotkey: "v", Fields: []string{`{"m":"` + sig + `"}`}}},
		two: {{Hotkey: "v", Fields: []string{fmt.Sprintf(`{"h":"%s","v":%d,"e":0,"r":"v/co","rv":"abcdef1"}`, strings.Repeat("0", 48), version)}}},
	}}
	chain.meta.Neurons = []subnet.Neuron{{UID: 0, Hotkey: "me"}, {UID: 1, Hotkey: "v", Permit: true, Stake: 1}}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return subnet.Env{Config: c, Chain: chain, Signer: nobody{}, HTTP: client, Secret: func(string) string { return "secret" },
		Verify: func(subnet.Hotkey, []byte, []byte) bool { return true }, Emit: func(subnet.Event) {}}, c, chain
}

func finds(t *testing.T, what string, got subnet.Finding, state subnet.State, text, cure string) {
	t.Helper()
	if got.State != state || !strings.Contains(got.Text, text) || !strings.Contains(got.Cure, cure) {
		t.Errorf("%s: %s: %s / %s\nwant %s: %s / %s", what, got.State, got.Text, got.Cure, state, text, cure)
	}
}

func TestBaselineServed(t *testing.T) {
	t.Parallel()
	var cdnAuth string
	cdn := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cdnAuth = r.Header.Get("Authorization")
		w.WriteHeader(http.StatusPartialContent)
	}))
	defer cdn.Close()
	for _, tt := range []struct {
		name       string
		answer     http.HandlerFunc
		state      subnet.State
		text, cure string
	}{
		{"served", func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "x", time.Time{}, strings.NewReader("0123456789"))
		}, subnet.Good, "/v/co/resolve/abcdef1/model_expgroup_0.safetensors has 10 bytes, and can be resumed", ""},
		{"only in torch's format", func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, ".safetensors") {
				http.NotFound(w, r)
				return
			}
			http.ServeContent(w, r, "x", time.Time{}, strings.NewReader("0123456789"))
		}, subnet.Good, "model_expgroup_0.pt has 10 bytes", ""},
		{"elsewhere", func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer secret" {
				http.Error(w, "who are you?", http.StatusUnauthorized)
				return
			}
			w.Header().Set("X-Linked-Size", "77")
			http.Redirect(w, r, cdn.URL+"/blob", http.StatusFound)
		}, subnet.Good, "has 77 bytes, and can be resumed", ""},
		{"host that is blocked", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/blob", http.StatusFound)
		}, subnet.Bad, "refused", "files come from another host"},
		{"gated", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, subnet.Bad, "403", "accept its terms"},
		{"gone", http.NotFound, subnet.Bad, "uid 1 committed to a baseline in v/co at abcdef1, where there is none", "wait"},
		{"without ranges", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "0123456789") }, subnet.Dubious, "is sent from the beginning only", "begins anew"},
		{"too large", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Linked-Size", "99999999999") }, subnet.Bad, "99999999999 bytes", "raise ckpt.max_bytes"},
		{"broken", func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				w.WriteHeader(http.StatusBadGateway)
			}
		}, subnet.Bad, "status 502", "look again"},
	} {
		hub := httptest.NewServer(tt.answer)
		env, _, _ := checkEnv(hub.URL)
		finds(t, tt.name, baselineServed(t.Context(), env), tt.state, tt.text, tt.cure)
		hub.Close()
	}
	if cdnAuth != "" {
		t.Errorf("the token went to another host: %q", cdnAuth)
	}
	env, _, chain := checkEnv("http://127.0.0.1:1")
	finds(t, "committed", baselineCommitted(t.Context(), env), subnet.Good, "of uid 1", "")
	finds(t, "no hub", baselineServed(t.Context(), env), subnet.Bad, "refused", "hf.endpoint")
	for at := range chain.commits {
		chain.commits[at] = nil
	}
	finds(t, "nothing committed", baselineCommitted(t.Context(), env), subnet.Dubious, "no validator has committed", "wait")
	finds(t, "nothing to serve", baselineServed(t.Context(), env), subnet.Skipped, "none yet", "")
	clear(chain.commits)
	finds(t, "pruned", baselineCommitted(t.Context(), env), subnet.Bad, "state discarded", "archive node")
}

func TestDestinations(t *testing.T) {
	t.Parallel()
	env, c, chain := checkEnv("")
	finds(t, "hub", destinationsServed(t.Context(), env), subnet.Skipped, "through the hub", "")
	c.Rules = G2Early.Name
	finds(t, "no address", destinationsServed(t.Context(), env), subnet.Bad, "uid 1: validator v serves no address", "ask their operators")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/ping" {
			t.Errorf("asked for %s", r.URL)
		}
		fmt.Fprint(w, `{"status":"ok"}`)
	}))
	defer server.Close()
	chain.meta.Neurons[1].Axon = netip.MustParseAddrPort(strings.TrimPrefix(server.URL, "http://"))
	finds(t, "served", destinationsServed(t.Context(), env), subnet.Good, "uid 1 at 127.0.0.1", "")
	chain.meta.Neurons = append(chain.meta.Neurons, subnet.Neuron{UID: 2, Hotkey: "w", Permit: true, Axon: netip.MustParseAddrPort("127.0.0.1:1")})
	finds(t, "one of two", destinationsServed(t.Context(), env), subnet.Dubious, "uid 2: ", "cannot be delivered")
}

func TestServiceChecks(t *testing.T) {
	t.Parallel()
	answers := make(map[string]string)
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if answers[r.URL.Path] == "" {
			w.WriteHeader(http.StatusForbidden)
		}
		fmt.Fprint(w, answers[r.URL.Path])
	}))
	defer service.Close()
	env, c, chain := checkEnv("")
	finds(t, "none", serviceLengths(t.Context(), env), subnet.Skipped, "none is asked", "")
	c.Cycle.OwnerURL = service.URL
	finds(t, "refused", serviceLengths(t.Context(), env), subnet.Dubious, "403", "blocks this machine's address")
	answers["/"] = `{"cycle_length":45,"phases":[{"index":0,"name":"Distribute","length":5},{"index":1,"name":"Train","length":30},{"index":2,"name":"Commit","length":5},{"index":3,"name":"Submit","length":5}]}`
	finds(t, "another generation", serviceLengths(t.Context(), env), subnet.Bad, "Commit", "adit protocols")
	answers["/"] = actor.JSON(Local.serviceRoot())
	finds(t, "the same", serviceLengths(t.Context(), env), subnet.Good, "those of rules local", "")
	answers["/get_phase"] = "{}"
	finds(t, "no phase", serviceCycle(t.Context(), env), subnet.Dubious, "phase: block 0", "by itself")
	info := Local.phaseInfo(chain.head)
	answers["/get_phase"] = actor.JSON(info)
	finds(t, "the same phase", serviceCycle(t.Context(), env), subnet.Good, "Train of cycle 4", "")
	answers["/get_phase"] = actor.JSON(Local.phaseInfo(chain.head - 40))
	finds(t, "behind", serviceCycle(t.Context(), env), subnet.Dubious, "the chain at", "another endpoint")
	info.CycleIndex++
	answers["/get_phase"] = actor.JSON(info)
	finds(t, "another count", serviceCycle(t.Context(), env), subnet.Bad, "in cycle 5 for the service, in 4 by the rules", "set rules")

	answers["/get_validator_whitelist"] = "[]"
	finds(t, "empty list", whitelisted(t.Context(), env), subnet.Bad, "lists no validator", "ask the owner")
	answers["/get_validator_whitelist"] = `["5CiPPseXPECbkjWCa6MnjNokrgYjMqmKndv2rSnekmSK2DjL"]`
	finds(t, "strangers", whitelisted(t.Context(), env), subnet.Bad, "of 1 validators that the owner's service list", "metagraph")
	c.Cycle.OwnerURL = ""
	finds(t, "by permit", whitelisted(t.Context(), env), subnet.Good, "the 1 neurons with a validator permit", "")
	chain.meta.Neurons[1].Permit = false
	finds(t, "no permit", whitelisted(t.Context(), env), subnet.Dubious, "nobody has a validator permit", "epoch")
}
