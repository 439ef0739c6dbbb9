package local

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"adit/internal/protocol/templar"
	"adit/internal/subnet"
	"adit/internal/subtensor"
)

// A templarRecipe makes networks of windows: with an object store, where each neuron
// has a bucket, and a model that knows nothing yet. Text comes by pages from a server
// in the generations of slices, and in those of pseudo-gradients as shards from a
// bucket. The last of the honest miners joins late.
type templarRecipe struct{ rules templar.Rules }

// Windows of a local network, where the generation's own are for larger machines: of
// so many blocks of so long.
const (
	sliceWindow    = 5
	gradientWindow = 12
	windowBlock    = 500 * time.Millisecond
)

// lateBy is how many windows after the others the last miner joins.
const lateBy = 8

// usualTemplar has four miners, of which one joins late and one breaks a rule.
func usualTemplar() Options {
	return Options{Groups: 1, Miners: 3, Validators: 1, Cheats: []string{"noise"}, BlockTime: windowBlock, Genesis: time.Second}
}

// windowRules returns the rules of a name as they are on one machine.
func windowRules(name string) (templar.Rules, error) {
	name = cmp.Or(name, "slices")
	if r, err := templar.RulesByName(name); err == nil && !strings.Contains(name, "/") {
		blocks := sliceWindow
		if r.Scheme == templar.GradientScheme {
			blocks = gradientWindow
		}
		name = fmt.Sprintf("%s/%d", name, blocks)
	}
	return templar.RulesByName(name)
}

// ruleName implements [recipe].
func (r templarRecipe) ruleName() string { return r.rules.Name }

// gradients reports whether pseudo-gradients are sent, and not slices.
func (r templarRecipe) gradients() bool { return r.rules.Scheme == templar.GradientScheme }

// validate implements [recipe].
func (r templarRecipe) validate(o Options) []error {
	var errs []error
	if o.Groups != 1 {
		errs = append(errs, errors.New("--groups: a network of windows has one text for all"))
	}
	if o.Miners < 0 || o.Miners > 100 {
		errs = append(errs, errors.New("--miners must be 0 to 100"))
	}
	if o.Validators < 1 || o.Validators > 8 {
		errs = append(errs, errors.New("--validators must be 1 to 8"))
	}
	if o.BlockTime < 100*time.Millisecond {
		errs = append(errs, errors.New("--block-time must be at least 100ms"))
	}
	if o.Cycles < 0 {
		errs = append(errs, errors.New("--cycles must not be below 0"))
	}
	for _, c := range o.Cheats {
		if !slices.Contains(templar.Cheats, c) {
			errs = append(errs, fmt.Errorf("--cheats: unknown %q, want some of %s, or none", c, strings.Join(templar.Cheats, ", ")))
		}
	}
	if len(o.Data) > 1 {
		errs = append(errs, errors.New("--data was given more than once: a network of windows has one text for all"))
	}
	return errs
}

// extend implements [recipe].
func (r templarRecipe) extend(p *plan, o Options, _ func() string) {
	add := func(name, role, cheat string, join uint64) {
		if !slices.ContainsFunc(p.Neurons, func(m member) bool { return m.Name == name }) {
			p.Neurons = append(p.Neurons, member{Name: name, Role: role, Cheat: cheat, Join: join, Bucket: r.newBucket(name)})
		}
	}
	grown := len(p.Neurons) > 0
	for i := range o.Validators {
		add(fmt.Sprintf("validator-%d", i), "validate", "", 0)
	}
	for i := range o.Miners {
		join := uint64(0)
		if i == o.Miners-1 && i > 1 && !grown {
			join = lateBy
		}
		add(fmt.Sprintf("miner-%d", i), "mine", "", join)
	}
	for i, c := range o.Cheats {
		add(fmt.Sprintf("cheat-%s-%d", c, i), "mine", c, 0)
	}
	if r.gradients() && len(p.Buckets) == 0 {
		p.Buckets = []bucket{r.newBucket(dataSetBucket), r.newBucket(aggregatorBucket)}
	}
}

// The buckets that no neuron has for itself.
const (
	dataSetBucket    = "dataset"
	aggregatorBucket = "aggregator"
)

// newBucket returns a bucket with new keys, as long as those of Cloudflare's store.
// Where keys are put on chain, a neuron's is called as an account there.
func (r templarRecipe) newBucket(name string) bucket {
	if r.rules.Commitment == templar.BucketKeys && name != dataSetBucket && name != aggregatorBucket {
		name = randomHex(16)
	}
	return bucket{name, keyPair{randomHex(16), randomHex(32)}, keyPair{randomHex(16), randomHex(32)}}
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// check implements [recipe].
func (r templarRecipe) check(p *plan) error {
	if p.Groups != 1 {
		return fmt.Errorf("groups: a network of windows has 1, not %d", p.Groups)
	}
	for _, m := range p.Neurons {
		if m.Bucket.Name == "" {
			return fmt.Errorf("neurons: %s has no bucket", m.Name)
		}
	}
	if r.gradients() && len(p.Neurons) > 0 && len(p.Buckets) != 2 {
		return fmt.Errorf("buckets: there are %d besides those of neurons, not 2", len(p.Buckets))
	}
	return nil
}

// ports implements [recipe].
func (r templarRecipe) ports(p *plan) []*int {
	if r.gradients() {
		return []*int{&p.S3Port}
	}
	return []*int{&p.S3Port, &p.PagesPort}
}

// services implements [recipe].
func (r templarRecipe) services(n *Network) ([]*process, error) {
	keys := filepath.Join(n.dir, "s3keys.txt")
	if err := os.MkdirAll(n.plan.s3Dir(n.dir), 0o755); err != nil {
		return nil, err
	}
	if err := writeFile(keys, []byte(r.grants(n.plan))); err != nil {
		return nil, err
	}
	return []*process{{name: "s3", vital: true, args: []string{"s3", "serve", "--dir", n.plan.s3Dir(n.dir),
		"--port", fmt.Sprint(n.plan.S3Port), "--keys", keys}}}, nil
}

// grants are the lines of the object store's file of keys. Of the first generation
// everybody opens all buckets with keys of their own.
func (r templarRecipe) grants(p *plan) string {
	var b strings.Builder
	line := func(bucket, right string, k keyPair) {
		fmt.Fprintf(&b, "%s %s %s %s\n", bucket, right, k.Access, k.Secret)
	}
	all := slices.Clone(p.Buckets)
	for _, m := range p.Neurons {
		all = append(all, m.Bucket)
	}
	for _, own := range all {
		line(own.Name, "read", own.Read)
		line(own.Name, "write", own.Write)
		for _, other := range p.Neurons {
			if r.rules.Commitment == templar.BucketName && other.Bucket.Name != own.Name {
				line(own.Name, "read", other.Bucket.Write)
			}
		}
	}
	return b.String()
}

// begin implements [recipe]: the network's first window is the first that begins once
// validators have their permits and neurons have had the time to start.
func (r templarRecipe) begin(ctx context.Context, n *Network, c *subtensor.Client, head subnet.Block) error {
	lead := subnet.Block(neuronStart / n.plan.BlockTime)
	first := r.whole(head + r.tempo() + 2 + lead)
	start := r.rules.Start(templar.Window(first)) - lead
	var err error
	if r.gradients() {
		// Blocks that are made at once take the chain's clock ahead of the store's, and
		// every upload would be too early by the one.
		err = n.waitForBlock(ctx, c, head, start)
	} else {
		n.progress("chain", fmt.Sprintf("on to block %d", start), "", 1)
		err = n.makeBlocks(ctx, head, start)
	}
	if err != nil {
		return err
	}
	return n.beginWith(ctx, c, first)
}

// waitForBlock waits until a block is there.
func (n *Network) waitForBlock(ctx context.Context, c *subtensor.Client, head, to subnet.Block) error {
	for from := head; head < to; head++ {
		n.progress("chain", "waiting for block", fmt.Sprintf("%d, now %d", to, head), float64(head-from)/float64(to-from))
		if err := n.nextBlock(ctx, c, head); err != nil {
			return err
		}
	}
	return nil
}

// neuronStart is the time in which the neurons start on a busy machine.
const neuronStart = 3 * time.Second

// tempo is short, so that permits come soon, and what weights say is seen.
func (r templarRecipe) tempo() subnet.Block { return 10 }

// moment implements [recipe].
func (r templarRecipe) moment(b subnet.Block) subnet.Moment {
	w := r.rules.Window(b)
	return subnet.Moment{Round: uint64(w), Phase: windowPhase, Start: r.rules.Start(w), End: r.rules.Start(w+1) - 1}
}

// windowPhase is the only part of a window.
const windowPhase = "Window"

// whole implements [recipe].
func (r templarRecipe) whole(b subnet.Block) uint64 {
	w := r.rules.Window(b)
	if r.rules.Start(w) < b {
		w++
	}
	return uint64(w)
}
