package connito

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"adit/internal/protocol/actor"
	"adit/internal/subnet"
)

// hubURL returns an address on the model hub.
func hubURL(env subnet.Env, cfg *Config, path string) string {
	return strings.TrimRight(cmp.Or(cfg.HF.Endpoint, env.Secret("HF_ENDPOINT"), "https://huggingface.co"), "/") + path
}

// hubGet asks the hub, in the name of the token's owner.
func hubGet(ctx context.Context, env subnet.Env, cfg *Config, method, path, byteRange string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, hubURL(env, cfg, path), nil)
	if err != nil {
		return nil, err
	}
	if token := env.Secret(cfg.HF.TokenEnvVar); token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if byteRange != "" {
		req.Header.Set("Range", byteRange)
	}
	return env.HTTP.Do(req)
}

// repository says whether the repository is there, or can be made, and whether
// others can read it.
func repository(ctx context.Context, env subnet.Env) subnet.Finding {
	cfg, rules := settingsOf(env)
	if rules.Transports[0] != HubTransport && cfg.HF.CheckpointRepo == "" {
		return subnet.Skip("rules %s go without", rules.Name)
	}
	repo := cfg.HF.CheckpointRepo
	resp, err := hubGet(ctx, env, cfg, http.MethodGet, "/api/models/"+repo+"?expand[]=private&expand[]=disabled", "")
	if err != nil {
		return subnet.Fault("check hf.endpoint", "%v", err)
	}
	defer resp.Body.Close()
	var info struct {
		Private  bool `json:"private"`
		Disabled bool `json:"disabled"`
	}
	switch resp.StatusCode {
	case http.StatusOK:
		if err := json.NewDecoder(http.MaxBytesReader(nil, resp.Body, maxService)).Decode(&info); err != nil {
			return subnet.Doubt("check hf.endpoint", "%s: the hub's answer is not understood: %v", repo, err)
		}
		if info.Private || info.Disabled {
			return subnet.Fault("make it public in its settings on the hub, or choose another with hf.checkpoint_repo", "nobody else can read %s", repo)
		}
		if fault := writableBy(ctx, env, cfg, repo); fault != nil {
			return *fault
		}
		return subnet.Fine("%s is there and public", repo)
	case http.StatusNotFound, http.StatusUnauthorized, http.StatusForbidden: // what the Hub says of a repository that is not there
		if fault := writableBy(ctx, env, cfg, repo); fault != nil {
			return *fault
		}
		return subnet.Fine("%s is not there yet, and is made with the first upload", repo)
	}
	return subnet.Doubt("wait, and look again", "%s: the hub answers %s", repo, resp.Status)
}

// writableBy returns a finding if the token's owner has no part in a repository.
func writableBy(ctx context.Context, env subnet.Env, cfg *Config, repo string) *subnet.Finding {
	resp, err := hubGet(ctx, env, cfg, http.MethodGet, "/api/whoami-v2", "")
	if err != nil {
		return nil // the check of the token told
	}
	defer resp.Body.Close()
	var account struct {
		Name string `json:"name"`
		Orgs []struct {
			Name string `json:"name"`
		} `json:"orgs"`
	}
	if json.NewDecoder(http.MaxBytesReader(nil, resp.Body, maxService)).Decode(&account) != nil {
		return nil
	}
	owner, _, _ := strings.Cut(repo, "/")
	names := []string{account.Name}
	for _, o := range account.Orgs {
		names = append(names, o.Name)
	}
	for _, name := range names {
		if strings.EqualFold(name, owner) {
			return nil
		}
	}
	f := subnet.Fault(fmt.Sprintf("set hf.checkpoint_repo to %s/%s, or use a token of %s", account.Name, cfg.HF.DefaultRepoName, owner),
		"%s belongs to %s, and the token to %s", repo, owner, strings.Join(names, ", "))
	return &f
}

// commitmentsFit counts the bytes of the longest commitment, now and when heights
// have a digit more.
func commitmentsFit(ctx context.Context, env subnet.Env) subnet.Finding {
	cfg, rules := settingsOf(env)
	head, err := env.Chain.Head(ctx)
	if err != nil {
		return subnet.Fault("try another endpoint", "%v", err)
	}
	if rules.CommitMax == 0 {
		return subnet.Fine("rules %s have no limit", rules.Name)
	}
	const cure = "choose a shorter repository with hf.checkpoint_repo, or a shorter hf.default_repo_name"
	if err := rules.checkRepo(cfg.HF.CheckpointRepo, head); err != nil {
		return subnet.Fault(cure, "%v", err)
	}
	const eight = 10_000_000 // from here on heights have eight digits
	if err := rules.checkRepo(cfg.HF.CheckpointRepo, max(head, eight)); err != nil {
		return subnet.Doubt(cure, "from block %d on: %v", eight, err)
	}
	group, version := 0, uint64(max(head, eight))
	size := len(rules.minerCommit2(group, strings.Repeat("0", 2*hashSize), version, cfg.HF.CheckpointRepo, "0000000"))
	return subnet.Fine("%d of %d bytes, with %s and a height of eight digits", size, rules.CommitMax, cfg.HF.CheckpointRepo)
}

// lookout returns a neuron that only looks.
func lookout(env subnet.Env) *neuron {
	cfg, rules := settingsOf(env)
	n := &neuron{Actor: actor.Actor{Env: env}, cfg: cfg, rules: rules}
	if env.Signer != nil {
		n.Me = env.Signer.Hotkey()
	}
	return n
}

// newestOf returns the baseline that model-io would download now.
func newestOf(ctx context.Context, env subnet.Env) (baseline, Group, error) {
	n := lookout(env)
	g := n.cfg.Task.Groups[0]
	head, err := n.Chain.Head(ctx)
	if err != nil {
		return baseline{}, g, err
	}
	cycle := n.rules.Schedule.At(head).Cycle
	b, err := n.newest(ctx, cycle, g)
	return b, g, err
}

func baselineCommitted(ctx context.Context, env subnet.Env) subnet.Finding {
	if cfg, _ := settingsOf(env); len(cfg.Task.Groups) == 0 {
		return subnet.Skip("no expert group is given")
	}
	b, g, err := newestOf(ctx, env)
	if err != nil {
		return subnet.Fault("name an archive node first in chain.endpoints", "%v", err)
	}
	if b.Hash == "" {
		return subnet.Doubt("wait for the end of the cycle; see that task.groups has the group that the network trains", "no validator has committed to a baseline of group %d in the last cycle", g.ID)
	}
	return subnet.Fine("version %d of uid %d", *b.Version, b.neuron.UID)
}

// baselineServed asks for the size of the baseline, and for its first byte.
func baselineServed(ctx context.Context, env subnet.Env) subnet.Finding {
	cfg, _ := settingsOf(env)
	b, g, err := newestOf(ctx, env)
	if err != nil {
		return subnet.Fault("try another endpoint", "%v", err)
	}
	if b.Hash == "" {
		return subnet.Skip("there is none yet")
	}
	if b.Repo == "" {
		return subnet.Skip("it comes from the validator itself")
	}
	own := subnet.Format(cfg.Ckpt.Format)
	for _, f := range []subnet.Format{own, other(own)} {
		path := fmt.Sprintf("/%s/resolve/%s/%s", b.Repo, b.Revision, shardFile(g.ID, f))
		resp, err := hubGet(ctx, env, cfg, http.MethodHead, path, "")
		if err != nil {
			return subnet.Fault("check hf.endpoint, the network and the firewall", "%v", err)
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusNotFound {
			continue
		}
		if resp.StatusCode >= 400 {
			return subnet.Fault("see whether the repository is gated: accept its terms on the hub", "%s: the hub answers %s", path, resp.Status)
		}
		size, _ := strconv.ParseInt(cmp.Or(resp.Header.Get("X-Linked-Size"), resp.Header.Get("Content-Length")), 10, 64)
		if size > cfg.Ckpt.MaxBytes {
			return subnet.Fault("raise ckpt.max_bytes, if the subnet's models are that large", "%s has %d bytes, and ckpt.max_bytes is %d", path, size, cfg.Ckpt.MaxBytes)
		}
		status, err := firstByte(ctx, env, cfg, path)
		switch {
		case err != nil:
			return subnet.Fault("check the network and the firewall: files come from another host than the hub's", "%v", err)
		case status == http.StatusOK:
			return subnet.Doubt("a download that is cut begins anew", "%s has %d bytes, and is sent from the beginning only", path, size)
		case status != http.StatusPartialContent:
			return subnet.Fault("wait, and look again", "%s: a part of it is answered with status %d", path, status)
		}
		return subnet.Fine("%s has %d bytes, and can be resumed", path, size)
	}
	return subnet.Fault("wait for the next baseline", "uid %d committed to a baseline in %s at %s, where there is none", b.neuron.UID, b.Repo, b.Revision)
}

// firstByte asks for one byte, where the hub says that the file is.
func firstByte(ctx context.Context, env subnet.Env, cfg *Config, path string) (status int, err error) {
	resp, err := hubGet(ctx, env, cfg, http.MethodGet, path, "bytes=0-0")
	if err != nil {
		return 0, err
	}
	resp.Body.Close()
	if resp.StatusCode/100 != 3 {
		return resp.StatusCode, nil
	}
	// It carries its own permission: the token is the hub's business.
	to, err := resp.Location()
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, to.String(), nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Range", "bytes=0-0")
	resp, err = env.HTTP.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// destinationsServed tries the checkpoint servers of the validators, where models go
// over HTTP.
func destinationsServed(ctx context.Context, env subnet.Env) subnet.Finding {
	n := lookout(env)
	if n.rules.Transports[0] == HubTransport {
		return subnet.Skip("rules %s exchange models through the hub", n.rules.Name)
	}
	meta, err := n.Chain.Metagraph(ctx, subnet.Latest)
	if err != nil {
		return subnet.Fault("try another endpoint", "%v", err)
	}
	path := "/ping"
	if n.rules.Transports[0] == DocsTransport {
		path = "/health"
	}
	var good, bad []string
	for _, v := range meta.Neurons {
		if v.Hotkey == n.Me || !n.validator(v) {
			continue
		}
		var at netip.AddrPort
		if at, err = destination(v); err == nil {
			_, _, err = ask(ctx, env, "http://"+at.String()+path)
		}
		if err != nil {
			bad = append(bad, fmt.Sprintf("uid %d: %v", v.UID, err))
		} else {
			good = append(good, fmt.Sprintf("uid %d at %s", v.UID, at))
		}
	}
	const cure = "ask their operators; submissions that are assigned to them cannot be delivered"
	switch {
	case len(good) == 0:
		return subnet.Fault(cure, "no validator's checkpoint server answers: %s", strings.Join(bad, "; "))
	case len(bad) > 0:
		return subnet.Doubt(cure, "some validators' checkpoint servers do not answer: %s", strings.Join(bad, "; "))
	}
	return subnet.Fine("%s", strings.Join(good, ", "))
}
