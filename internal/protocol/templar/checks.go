package templar

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"adit/internal/subnet"
)

// The names of checks that other checks need.
const (
	checkRules = "rules"
	checkKeys  = "bucket's keys"
)

// checks are what a neuron of this network needs besides what every neuron does.
var checks = []subnet.Check{
	{Name: checkRules, Needs: []string{subnet.NeedSettings}, Run: rulesKnown},
	{Name: "window", Needs: []string{checkRules, subnet.NeedChain}, Run: whereInWindow},
	{Name: checkKeys, Needs: []string{checkRules}, Run: keysGiven},
	{Name: "bucket", Needs: []string{checkKeys}, Run: bucketAnswers},
	{Name: "bucket on chain", Needs: []string{checkKeys, subnet.NeedSubnet, subnet.NeedHotkey}, Run: bucketCommitted},
	{Name: "data set", Needs: []string{checkRules}, Run: dataSetAnswers},
}

func rulesKnown(_ context.Context, env subnet.Env) subnet.Finding {
	r, err := env.Config.(*Config).ruleset()
	if err != nil {
		return subnet.Fault("set rules to one of "+strings.Join(RulesNames(), ", "), "%v", err)
	}
	return subnet.Fine("%s, windows of %d blocks", r.Name, r.WindowBlocks())
}

// settingsOf returns the settings and the rules of a check that needs [checkRules].
func settingsOf(env subnet.Env) (*Config, Rules) {
	cfg := env.Config.(*Config)
	r, _ := cfg.ruleset()
	return cfg, r
}

func whereInWindow(ctx context.Context, env subnet.Env) subnet.Finding {
	_, r := settingsOf(env)
	head, err := env.Chain.Head(ctx)
	if err != nil {
		return subnet.Fault("see the check of the chain", "%v", err)
	}
	w := r.Window(head)
	return subnet.Fine("block %d is in window %d, and the next begins in %d blocks", head, w, r.Start(w+1)-head)
}

func keysGiven(_ context.Context, env subnet.Env) subnet.Finding {
	cfg, r := settingsOf(env)
	k, err := cfg.keys(r, env.Secret)
	if err == nil {
		_, err = r.CommitmentText(r.Address(k, false))
	}
	if err != nil {
		return subnet.Fault(subnet.Hint(err), "%v", err)
	}
	if r.Commitment == BucketKeys && k.Read == k.Write {
		return subnet.Fault("make a second pair of keys that may only read, and put it into R2_GRADIENTS_READ_…", "the keys to write to %s would be put on chain as those to read", k.Bucket)
	}
	return subnet.Fine("keys of bucket %s", k.Bucket)
}

func bucketAnswers(ctx context.Context, env subnet.Env) subnet.Finding {
	cfg, r := settingsOf(env)
	k, err := cfg.keys(r, env.Secret)
	if err != nil {
		return subnet.Skip("no keys")
	}
	for _, write := range []bool{true, false} {
		which := map[bool]string{true: "write", false: "read"}[write]
		b, err := env.Bucket(cfg.placed(r.Address(k, write)))
		if err == nil {
			_, err = b.List(ctx, "", "", 1)
		}
		switch {
		case errors.Is(err, subnet.ErrDenied):
			return subnet.Fault("see that the keys belong to the bucket, and that they may list it", "with the keys to %s: %v", which, err)
		case errors.Is(err, subnet.ErrNotFound):
			return subnet.Fault("make the bucket, or name another with bucket", "%v", err)
		case err != nil:
			return subnet.Fault("see that the store can be reached: s3.endpoint says where it is", "with the keys to %s: %v", which, err)
		}
	}
	return subnet.Fine("%s can be read", cfg.placed(r.Address(k, false)))
}

func bucketCommitted(ctx context.Context, env subnet.Env) subnet.Finding {
	cfg, r := settingsOf(env)
	k, err := cfg.keys(r, env.Secret)
	if err != nil {
		return subnet.Skip("no keys")
	}
	own, err := r.CommitmentText(r.Address(k, false))
	if err != nil {
		return subnet.Skip("%v", err)
	}
	list, err := env.Chain.Commitments(ctx, subnet.Latest)
	if err != nil {
		return subnet.Fault("see the check of the chain", "%v", err)
	}
	for _, c := range list {
		switch {
		case c.Hotkey != env.Signer.Hotkey():
		case len(c.Fields) > 0 && c.Fields[0] == own:
			return subnet.Fine("since block %d", c.Block)
		default:
			return subnet.Doubt("nothing needs to be done", "the chain has another bucket: the neuron replaces it when it starts")
		}
	}
	return subnet.Fine("not yet: the neuron puts it there when it starts")
}

func dataSetAnswers(ctx context.Context, env subnet.Env) subnet.Finding {
	cfg, r := settingsOf(env)
	if r.Scheme != SliceScheme {
		return subnet.Skip("text is read from shards")
	}
	n := &neuron{cfg: cfg, rules: r}
	n.Env = env
	l := n.library()
	data, err := l.ask(ctx, SizeQuery(l.set), MaxSizes)
	if err == nil {
		l.configs, err = ParseSizes(data)
	}
	if err != nil {
		return subnet.Fault("see that dataset.url answers, and knows dataset.name", "%s: %v", l.set, err)
	}
	rows := int64(0)
	for _, c := range l.configs {
		rows += c.Rows
	}
	return subnet.Fine("%s", fmt.Sprintf("%s: %d parts with %d rows", l.set, len(l.configs), rows))
}
