package solo

import (
	"encoding/json"
	"math"
	"time"
)

// A Watcher is told how a piece of work gets on, by one goroutine at a time. It
// does not block for long: the work waits for it.
type Watcher interface {
	// Stage says what is being done besides training, and how much of it is.
	// It is called often.
	Stage(what string, done, total int64)
	// Note says something that a person should know.
	Note(text string)
	// Begin says what is about to be trained.
	Begin(Plan)
	Step(Step)
	Evaluated(Evaluated)
	Saved(Saved)
}

// A Number is a float64 that is null in JSON if it is not finite.
type Number float64

// MarshalJSON writes the number, or null.
func (n Number) MarshalJSON() ([]byte, error) {
	if x := float64(n); math.IsNaN(x) || math.IsInf(x, 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// A Plan says what is about to be trained, and on what.
type Plan struct {
	Out     string `json:"out"`
	Model   string `json:"model"`   // its kind
	Params  int    `json:"params"`  // numbers in all parameters
	Trained int    `json:"trained"` // of these, numbers that are trained
	Tokens  int64  `json:"tokens"`  // to train on
	Eval    int64  `json:"eval_tokens"`
	First   int    `json:"first_step"`
	Steps   int    `json:"steps"` // 0 if the time says when to end
	PerStep int    `json:"tokens_per_step"`
	Device  string `json:"device"`
	Peak    Number `json:"peak_flops"` // of the device, a second

	Time time.Duration `json:"-"` // 0 if the steps say when to end
}

// A Step is one step of a training.
type Step struct {
	Step      int     `json:"step"`
	Loss      Number  `json:"loss"` // nats a token
	LR        float64 `json:"lr"`
	GradNorm  Number  `json:"grad_norm"` // before clipping
	Tokens    int     `json:"tokens"`
	TokensPer float64 `json:"tokens_per_s"`
	// PeakShare is how much of what the processor can do the step did; 0 where
	// only some parameters are trained, and the work is not counted.
	PeakShare float64 `json:"peak_share"`
	Wait      float64 `json:"wait_s"` // for text
	Skipped   bool    `json:"skipped"`
	Scale     float64 `json:"scale"`   // of the loss; 0 if it is not scaled
	Balance   float64 `json:"balance"` // loss; 0 where there are no experts

	// Over the last steps:
	Speed     float64       `json:"-"` // tokens a second
	Share     float64       `json:"-"` // PeakShare
	WaitShare float64       `json:"-"` // of the time
	Left      time.Duration `json:"-"`
	Total     int           `json:"-"` // steps; 0 if the time says when to end
	Spent     float64       `json:"-"` // how much of the training is over, 0 to 1
}

// Evaluated is what a model is worth on text that it was not trained on.
type Evaluated struct {
	Step       int      `json:"step"` // after which; 0 if nothing is being trained
	Loss       Number   `json:"loss"` // nats a token
	Perplexity Number   `json:"perplexity"`
	Tokens     int      `json:"tokens"`
	Sequences  int      `json:"sequences"`
	Bad        int      `json:"bad"` // sequences whose loss is not a number
	Seconds    float64  `json:"seconds"`
	TokensPer  float64  `json:"tokens_per_s"`
	Each       []Number `json:"losses,omitempty"` // of the sequences, where they were asked for
}

// Saved says that a checkpoint is on the disk.
type Saved struct {
	Step    int     `json:"step"`
	Out     string  `json:"out"`
	Seconds float64 `json:"seconds"` // that it took
}

// A Summary is what came of a training.
type Summary struct {
	Out       string     `json:"out"`
	Step      int        `json:"step"`
	Steps     int        `json:"steps"` // of the whole training; 0 if the time says when to end
	Tokens    int64      `json:"tokens"`
	Seconds   float64    `json:"seconds"`
	Loss      Number     `json:"loss"` // over the last steps
	Eval      *Evaluated `json:"eval,omitempty"`
	TokensPer float64    `json:"tokens_per_s"`
	PeakShare float64    `json:"peak_share"`
	Wait      float64    `json:"wait_s"`
	Skipped   int        `json:"skipped"`
	// Interrupted says that there is more to do.
	Interrupted bool `json:"interrupted"`
}
