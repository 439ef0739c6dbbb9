package solo

import (
	"errors"
	"fmt"
	"math"
	"time"

	"adit/internal/engine/train"
	"adit/internal/subnet"
	"adit/internal/tensor"
)

// DefaultSeqLen is how many tokens a sequence has where nobody says, and the
// model can have as many.
const DefaultSeqLen = 256

// Auto lets a number follow from others.
const Auto = -1

// TrainOptions say what to train, on what, how, and where it goes.
type TrainOptions struct {
	Model     string // directory; or a config.json, with Init
	Tokenizer string // a tokenizer.json, or the folder that it is in; "" is the model's
	Out       string // directory of the checkpoints
	Init      bool   // begin with random parameters, from Seed
	Resume    bool   // go on from the checkpoint in Out

	Data      Data
	EvalData  []string // paths of text to evaluate on
	EvalSplit float64  // or this part of Data, which is then not trained on
	EvalEvery int      // steps; 0 evaluates at the end only
	SaveEvery int      // steps; 0 saves at the end only

	// One of these says when to end; if none does, after one epoch.
	Steps  int
	Epochs float64
	Time   time.Duration

	SeqLen        int // tokens; 0 is DefaultSeqLen, or what the model can
	Seed          uint64
	Shard, Shards int // of the sequences; the first is 0. 0 Shards are 1

	Params    []string // patterns of what is trained, as [train.Match] reads them; none is all
	Batch     int
	Accum     int
	Curve     train.Curve
	LR        float64
	Warmup    int     // steps; Auto is a tenth of all, at most 100
	MinLR     float64 // as a share of LR
	Rules     train.Rules
	Precision train.Precision
	Recompute bool
	Threads   int // 0 is one a core

	DType      tensor.DType // of the saved parameters
	ShardBytes int64        // of a saved file; 0 is the usual
}

// maxWarmup bounds the warmup that nobody asked for.
const maxWarmup = 100

// Validate returns every problem that can be seen without looking at the disk,
// joined.
func (o TrainOptions) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if o.Model == "" && !o.Resume {
		bad("no model: give its directory")
	}
	if len(o.Data.Paths) == 0 {
		bad("no text to train on: give --data")
	}
	if o.Init && o.Resume {
		bad("--init begins anew and --resume goes on: give one of them")
	}
	ends := 0
	for _, given := range []bool{o.Steps != 0, o.Epochs != 0, o.Time != 0} {
		if given {
			ends++
		}
	}
	if ends > 1 {
		bad("--steps, --epochs and --time each say when to end: give one of them")
	}
	if o.Steps < 0 || !(o.Epochs >= 0) || math.IsInf(o.Epochs, 0) || o.Time < 0 {
		bad("--steps, --epochs or --time: give a number above 0")
	}
	if o.SeqLen < 0 {
		bad("--seq-len: %d tokens; give at least 1", o.SeqLen)
	}
	if o.Shards < 0 || o.Shard < 0 || o.Shard >= max(o.Shards, 1) {
		bad("--shard: %d of %d; give for example 1/4, the first of four", o.Shard+1, o.Shards)
	}
	if len(o.EvalData) > 0 && o.EvalSplit != 0 {
		bad("--eval-data and --eval-split both say what to evaluate on: give one of them")
	}
	if !(o.EvalSplit >= 0 && o.EvalSplit < 1) {
		bad("--eval-split: %v; give a share from 0 to 1, such as 0.02", o.EvalSplit)
	}
	if o.EvalEvery < 0 || o.SaveEvery < 0 {
		bad("--eval-every, --save-every: give a number of steps, or 0 for the end only")
	}
	if o.EvalEvery > 0 && len(o.EvalData) == 0 && o.EvalSplit == 0 {
		bad("--eval-every: there is nothing to evaluate on; give --eval-data or --eval-split")
	}
	if o.Warmup < Auto {
		bad("--warmup: %d steps; give 0 or more", o.Warmup)
	}
	if o.Threads < 0 {
		bad("--threads: %d; give at least 1, or 0 for one a core", o.Threads)
	}
	if !o.DType.Float() || o.DType == tensor.F64 {
		bad("--dtype: %v; give f32, f16 or bf16", o.DType)
	}
	if o.ShardBytes < 0 {
		bad("--shard-size: %d bytes; give a size such as 5GB", o.ShardBytes)
	}
	// What the trainer itself would refuse, with an end that is not known yet.
	t := o.trainer(o.Steps, nil)
	if o.Steps <= 0 {
		t.Schedule.Total = max(t.Schedule.Warmup, 1)
	}
	return errors.Join(append(errs, t.Validate())...)
}

// trainer returns the trainer's options. The training has total steps; or if that
// is 0 its time has an end, and spent says how much of it is over.
func (o TrainOptions) trainer(total int, spent func() float64) train.Options {
	params := o.Params
	if len(params) == 0 {
		params = []string{"*"}
	}
	warmup := o.Warmup
	if warmup == Auto {
		warmup = maxWarmup
		if total > 0 {
			warmup = min(warmup, total/10)
		}
	}
	if o.Time == 0 || o.Curve != train.Linear && o.Curve != train.Cosine {
		spent = nil // the others have no end
	}
	return train.Options{
		Trained: params, Batch: o.Batch, Accumulate: o.Accum,
		Schedule:  train.Schedule{Curve: o.Curve, Peak: o.LR, Warmup: warmup, Total: total, Floor: o.MinLR, Spent: spent},
		Rules:     o.Rules,
		Precision: o.Precision,
	}
}

// steps returns how many steps the training has, with so many sequences in an
// epoch over all shards; 0 if the time says when to end.
func (o TrainOptions) steps(epoch int64) (int, error) {
	switch {
	case o.Time > 0:
		return 0, nil
	case o.Steps > 0:
		return o.Steps, nil
	}
	epochs := o.Epochs
	if epochs == 0 {
		epochs = 1
	}
	perStep := float64(o.Batch) * float64(max(o.Accum, 1)) * float64(max(o.Shards, 1))
	n := math.Ceil(epochs * float64(epoch) / perStep)
	if n > math.MaxInt32 {
		return 0, subnet.WithHint(fmt.Errorf("%v epochs are %.0f steps", epochs, n), "give --steps, or fewer --epochs")
	}
	return max(int(n), 1), nil
}
