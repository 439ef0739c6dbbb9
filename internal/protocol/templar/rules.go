package templar

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"adit/internal/subnet"
)

// Rules holds everything in which the generations of the network differ. The
// values stand in generations.go.
type Rules struct {
	Name   string
	Scheme Scheme
	// Version is in the names of objects; only equal versions see one another. ""
	// where names have none.
	Version string
	// Slice and Sparse are hparams.json as the generation shipped it; the scheme
	// says which of them counts.
	Slice  SliceHParams
	Sparse SparseHParams

	// Commitment is what a neuron says of its bucket on chain.
	Commitment Commitment
	// Endpoint is the URL of every bucket, "" for AWS. "{account}" stands for the
	// name of the bucket.
	Endpoint, Region string
	// DataSet is where pages come from.
	DataSet string

	// EqualNorms has slices of one norm merged, and not as they come.
	EqualNorms bool
	// Losses scores a slice by what it does to the loss, and not by its likeness
	// to the validator's gradient alone.
	Losses bool
	// NonSubmission multiplies, each window, the average of a miner that brought
	// nothing; 1 leaves it.
	NonSubmission float64

	// JudgeLag is how many windows a validator is behind.
	JudgeLag int64
	// Weights are set every WeightsEvery of what WeightsBy counts.
	WeightsBy    Clock
	WeightsEvery int64
	// WeightsVersion is the version key of the weights, 0 for none.
	WeightsVersion uint64
	// KeptWindows is how many windows old an object in one's own bucket may be.
	KeptWindows int64
	// CheckpointEvery is after how many steps a checkpoint is saved, 0 for never,
	// and KeptCheckpoints how many are kept, 0 for all.
	CheckpointEvery, KeptCheckpoints int64

	// Message is how a gradient is written, and Aggregate what is made of many.
	Message   MessageForm
	Aggregate AggregateForm
	// FeedbackRate has the error feedback take the outer learning rate into
	// account, which is then applied once more in the outer step.
	FeedbackRate bool
	// Ahead is the share of what a miner has not said by which its model is ahead of
	// the network's when it begins a window, and AheadTables that of the two tables with
	// a row for each token: what a miner knows of a seldom one waits long to be said.
	// Upstream none: there a miner unlearns, and learns again, what it has no room to say.
	Ahead, AheadTables float64
	// PutShare is the share of a window's time in which the gradients of the one
	// before are to be uploaded; 0 takes time_window_delta_seconds instead.
	PutShare float64

	// Shards is how many files of training text there are, ShardAlias which of
	// them stands in for another.
	Shards     int64
	ShardAlias map[int64]int64
	// IDsSuffix is how the name of a shard's sample ids ends.
	IDsSuffix string

	// SyncLimit is how many steps behind a sync score is nought.
	SyncLimit float64
	// SyncTrimmed averages the middle half of how far behind a miner's parameters
	// are; otherwise the median counts.
	SyncTrimmed bool
	Penalties   Penalties
}

// A Scheme is what miners send one another.
type Scheme int

const (
	// SliceScheme sends a share of the parameters' values, which replace others'.
	SliceScheme Scheme = iota
	// GradientScheme sends compressed pseudo-gradients, which are averaged.
	GradientScheme
)

// A Commitment is the form of what a neuron commits to on chain.
type Commitment int

const (
	// BucketName is the name of a bucket that everybody opens with keys of their
	// own.
	BucketName Commitment = iota
	// BucketKeys is an account, which names the bucket too, and the keys with
	// which it may be read: 128 characters in all.
	BucketKeys
)

// A MessageForm is how a gradient is written.
type MessageForm int

const (
	// Packed12 has 12 bits for an index and a byte for a value, as upstream.
	Packed12 MessageForm = iota
	// Compact has indices and values in as few bits as they need.
	Compact
)

// An AggregateForm is what is made of the gradients of a window.
type AggregateForm int

const (
	// MeanOfSenders divides each coordinate by the number of those who sent it, as
	// upstream does and its paper does not.
	MeanOfSenders AggregateForm = iota
	// MeanOfAll divides by the number of gradients. A coordinate that few have
	// sent does not move as far as one that all have.
	MeanOfAll
)

// WindowBlocks returns the length of a window.
func (r Rules) WindowBlocks() subnet.Block {
	if r.Scheme == SliceScheme {
		return subnet.Block(r.Slice.WindowLength)
	}
	return subnet.Block(r.Sparse.BlocksPerWindow)
}

// TimeWindow is how long after the end of its window a gradient may come.
func (h SparseHParams) TimeWindow() time.Duration {
	return time.Duration(h.TimeWindowDeltaSeconds * float64(time.Second))
}

// WithHParams returns the rules with the numbers of an hparams.json over their
// own, and the keys in it that mean nothing.
func (r Rules) WithHParams(data []byte) (_ Rules, unknown []string, err error) {
	if r.Scheme == SliceScheme {
		unknown, err = r.Slice.Merge(data)
	} else {
		unknown, err = r.Sparse.Merge(data)
		if err == nil {
			r.follow()
		}
	}
	return r, unknown, err
}

// follow takes from hparams what the generation has a field of its own for.
func (r *Rules) follow() {
	r.JudgeLag = r.Sparse.ValidatorOffset
	r.WeightsEvery = r.Sparse.WindowsPerWeights
	r.CheckpointEvery = r.Sparse.CheckpointFrequency
}

// The shortest and the longest window that rules are scaled to, in blocks.
const (
	shortestWindow = 2
	longestWindow  = 100_000
)

// Scaled returns the rules for a network on one machine, with windows of so many
// blocks, and so much less work in each as such a machine can do. hparams.json goes
// over it as over any other.
func (r Rules) Scaled(window subnet.Block) Rules {
	r.Name = fmt.Sprintf("%s/%d", r.Name, window)
	if r.Scheme == SliceScheme {
		r.Slice.WindowLength = int64(window)
		r.WeightsEvery = 4 // windows, which a step is
		if r.WeightsBy == ByBlock {
			r.WeightsEvery *= int64(window)
		}
		r.CheckpointEvery = min(r.CheckpointEvery, 5)
		return r
	}
	r.Sparse.BlocksPerWindow = int64(window)
	r.Sparse.MicroBatchSize = 1
	r.Sparse.BatchSize = 4
	r.Sparse.TargetBatchSize = 16
	r.Sparse.InnerSteps = 4
	r.Sparse.ValidatorSampleMicroBS = 4
	r.Sparse.WindowsPerWeights = 1
	r.Sparse.CheckpointFrequency = 5
	r.Sparse.ActiveCheckInterval = 1
	r.Sparse.BMAWarmupWindows = 3
	r.Sparse.Optimizer.AdamW.Scheduler.WarmupSteps = 4
	r.Sparse.Optimizer.AdamW.Scheduler.WarmupInner = 2
	r.Sparse.Optimizer.AdamW.Scheduler.InitialWarmup = 4
	r.Sparse.Optimizer.AdamW.Scheduler.TMax = 2000
	r.Sparse.Optimizer.AdamW.Scheduler.ReplayRewind = 0
	r.Sparse.Optimizer.AdamW.Scheduler.FlattenDuration = 0
	r.Sparse.Optimizer.AdamW.LearningRate = 1e-3
	r.Sparse.Anneal.Enabled = false
	r.PutShare = 0.5
	r.Shards, r.ShardAlias, r.Sparse.ShardResetOuterStep = 1, nil, 0
	r.follow()
	return r
}

// RulesByName returns the generation of that name. "sparse/20" is sparse with
// windows of 20 blocks, for a network on one machine: see [Rules.Scaled].
func RulesByName(name string) (Rules, error) {
	base, length, scaled := strings.Cut(name, "/")
	for _, r := range Generations() {
		if r.Name != base {
			continue
		}
		if !scaled {
			return r, nil
		}
		blocks, err := strconv.ParseUint(length, 10, 32)
		if err != nil || strconv.FormatUint(blocks, 10) != length || blocks < shortestWindow || blocks > longestWindow {
			return Rules{}, fmt.Errorf("rules %q: the length of a window must be %d to %d blocks", name, shortestWindow, longestWindow)
		}
		return r.Scaled(subnet.Block(blocks)), nil
	}
	return Rules{}, fmt.Errorf("unknown rules %q, want one of %v", name, RulesNames())
}

// RulesNames lists the generations, the oldest first and ours last.
func RulesNames() []string {
	var names []string
	for _, r := range Generations() {
		names = append(names, r.Name)
	}
	return names
}
