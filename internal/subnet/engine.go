package subnet

import (
	"context"
	"io"
	"net/netip"
	"time"
)

// Engine trains and evaluates models. The text it does this on is its own
// affair: domains are numbered, one per expert group.
type Engine interface {
	// Open loads the engine's base model and lays the files over it: the
	// parameters of a later file replace those of an earlier one.
	Open(ctx context.Context, files ...File) (Model, error)
	// Encode returns the tokens of a text by the base model's tokenizer, without
	// any that it puts before or after.
	Encode(text string) ([]int32, error)
}

// A Model is one loaded model. It is not safe for concurrent use.
type Model interface {
	// Load replaces the parameters that f holds and leaves the others. The
	// error names the file, the parameter and what is wrong with it; then the
	// model is as it was, or, if f cannot be read to its end after all, gives
	// errors until these parameters have been replaced by those of another file.
	Load(f File) error
	// Save writes, in key order, the parameters whose names keep accepts.
	Save(w io.Writer, format Format, keep func(name string) bool) error
	// Params lists the parameters in the order in which the model's own library
	// names them (named_parameters of PyTorch).
	Params() []Param
	// Read copies a parameter to dst, which is as long, row by row, and Write
	// replaces it by src. They copy because the model may be on a device of its
	// own. Between two steps both are as good as memory.
	Read(name string, dst []float32) error
	Write(name string, src []float32) error
	// Route lets each layer's router choose among these experts only, by
	// their original numbers; nil lets it choose among all.
	Route(experts Experts)
	// Train prepares the parameters that opts names for training and freezes
	// the others.
	Train(opts TrainOptions) (Trainer, error)
	// Loss evaluates the model on held-out text that no trainer sees, or on what
	// the sample brings.
	Loss(ctx context.Context, s Sample) (Loss, error)
	Close() error
}

// A Format is how tensors are written to a file.
type Format string

// The two formats. Both are read wherever either is.
const (
	Safetensors Format = "safetensors"
	Torch       Format = "pt"
)

// Experts lists, for each layer, the original numbers of routed experts.
type Experts map[int][]int

// A Param is one named tensor of a model.
type Param struct {
	Name  string
	Shape []int
}

// Len returns how many numbers it has.
func (p Param) Len() int {
	n := 1
	for _, d := range p.Shape {
		n *= d
	}
	return n
}

// A Sequence is text that is learned from, or evaluated on: Targets[i] is what
// should follow Tokens[i], or negative where nothing is counted. It may be
// shorter than the engine's own.
type Sequence struct{ Tokens, Targets []int32 }

// TrainOptions says what to train, on what, and how. The schedule is a linear
// warmup to LR and half a cosine down to nought, unless Rate says otherwise.
type TrainOptions struct {
	Params func(name string) bool // which parameters are trained
	Domain int                    // whose text
	Seed   string                 // which order of it
	// Feed returns the next batch, of as many sequences as it likes, instead of
	// Batch of the engine's own text. It is called when the batch is needed and
	// not ahead, and by whom asks for a step. Its error is the step's: io.EOF if
	// there is no more.
	Feed        func(context.Context) ([]Sequence, error)
	Batch       int    // sequences that are learned from at once
	Accumulate  int    // such batches per optimizer step; 0 is 1
	Precision   string // fp32, fp16-mixed or bf16-mixed; "" is fp32
	LR          float64
	WarmupSteps int
	TotalSteps  int // at which the rate has come down; 0 if Spent says
	// Spent returns how much of the time to train is over, from 0 to 1. It is
	// for those who know when they must end, and not how far they will get.
	Spent func() float64
	// Rate returns the learning rate of a step, counted from 1, instead of the
	// schedule.
	Rate        func(step int) float64
	Beta1       float64
	Beta2       float64
	Eps         float64 // 0 is 1e-8
	WeightDecay float64
	DecayAll    bool // norms and biases, too, as PyTorch does if it is not told
	ClipNorm    float64
	Ranks       Ranks
}

// Ranks are processes of this machine that take each step together: each learns
// from batches of its own, and all from the sum of the gradients. What one process
// would add up in the same order is the same to the bit. The engine starts and ends
// them.
type Ranks struct {
	World int            // how many, this one included; 0 is 1
	At    netip.AddrPort // where this one listens for the others; port 0 is any that is free
}

// A Trainer takes optimizer steps on the model it came from.
type Trainer interface {
	// Step learns from as many batches as the options say, and updates the
	// parameters with the mean of their gradients. What has been accumulated
	// before is forgotten.
	Step(ctx context.Context) (Step, error)

	// Accumulate learns from one batch: it adds the gradient of its mean loss to
	// what has been accumulated. A batch without a target adds nothing.
	Accumulate(ctx context.Context) (Step, error)
	// Apply clips what has been accumulated, times share, updates the parameters
	// and clears it. A share of 1 takes the sum of the batches, 1/n the mean of n.
	Apply(ctx context.Context, share float64) (Step, error)
	// Clear forgets what has been accumulated.
	Clear()

	// Read copies what is kept of a trained parameter to dst, which is as long, and
	// Write replaces it by src: a gradient by one that others made, a moment by
	// itself at another rate.
	Read(what Kept, param string, dst []float32) error
	Write(what Kept, param string, src []float32) error
	// Save writes all that Resume needs besides the parameters: moments,
	// position in the schedule and in the engine's own text. Who feeds knows
	// where to go on. What has been accumulated is not saved.
	Save(w io.Writer) error
	Resume(f File) error
}

// A Kept is what a trainer keeps of each number that it trains, by PyTorch's
// names.
type Kept string

// What is kept. The moments are those of Adam.
const (
	Gradient Kept = "grad" // the sum of the batches' mean gradients since the last update
	Moment1  Kept = "exp_avg"
	Moment2  Kept = "exp_avg_sq"
)

// A Step reports one optimizer step, or one batch of it.
type Step struct {
	Number   int     // steps taken, this one included
	Loss     float64 // the mean over Tokens; 0 if there are none
	LR       float64
	GradNorm float64 // before clipping
	Tokens   int     // with a target
	Skipped  bool    // nothing was updated: a gradient was not finite, or no token had a target
	// Scale is what the loss was multiplied with for a 16-bit gradient; 0 where
	// it is not. A skipped step overflowed at it, and the next has a lower one.
	Scale float64
	Wait  time.Duration // in which nothing was computed for want of text
}

// A Sample picks held-out sequences, or brings its own.
type Sample struct {
	// Given are evaluated instead of held-out text, if there are any.
	Given     []Sequence
	Domain    int
	Seed      string // the same seed picks the same sequences
	Sequences int    // how many; 0 means all there are
}

// A Loss is the mean over tokens with a target, in nats; 0 of sequences without
// any. If any sequence was not finite, Mean
// is +Inf and Bad counts such sequences: a model that hides its worst sequences
// behind a NaN must not gain by it.
type Loss struct {
	Mean      float64
	Tokens    int
	Bad       int
	Sequences []float64 // the mean over each sequence's tokens, in their order
}
