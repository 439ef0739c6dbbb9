package main

import (
	"context"
	"encoding/json"
	"io"

	"adit/internal/solo"
)

// EvalCommand evaluates a model.
type EvalCommand struct {
	Model string `arg:"" help:"A model's directory: config.json, safetensors, tokenizer.json."`
	textFlags
	SeqLen      int   `placeholder:"N" help:"Tokens of a sequence (256, or what the model can)." group:"Text"`
	Sequences   int64 `placeholder:"N" help:"Evaluate on the first so many sequences only." group:"Text"`
	Batch       int   `default:"8" placeholder:"N" help:"Sequences that go through the model at once, 8 at most (${default}). Fewer take less memory; the result is the same."`
	Threads     int   `placeholder:"N" help:"Threads to compute with; one a core, unless given. The result is the same."`
	PerSequence bool  `help:"Show the loss of each sequence."`
	JSON        bool  `help:"Print JSON."`
}

// Help shows examples.
func (EvalCommand) Help() string {
	return `The loss is the mean over all tokens, in nats; the perplexity is e to the power of
it. The text is cut into sequences in its own order; what is left at its end and is
shorter than one is left out. The same model, text and --seq-len give the same
numbers, to the bit, on machines of one kind.

Examples:
  adit eval models/tiny --data heldout.txt
  adit eval models/tiny --data heldout.jsonl --seq-len 1024 --sequences 100 --json`
}

func (c EvalCommand) options() solo.EvalOptions {
	return solo.EvalOptions{
		Model: c.Model, Tokenizer: c.Tokenizer, Data: solo.Data{Paths: c.Data, Field: c.DataField},
		SeqLen: c.SeqLen, Batch: c.Batch, Sequences: c.Sequences, Each: c.PerSequence, Threads: c.Threads,
	}
}

// Validate says everything that is wrong with the options at once.
func (c EvalCommand) Validate() error { return c.options().Validate() }

// Run evaluates the model.
func (c EvalCommand) Run(ctx context.Context, t terminal) error {
	o := c.options()
	o.Data.Cache = c.data().Cache
	w, end := watch(terminal{in: t.in, out: io.Discard, err: t.err}, c.JSON)
	defer end()
	e, err := solo.Evaluate(ctx, o, w)
	end()
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(t.out).Encode(e)
	}
	_, err = io.WriteString(t.out, e.Text())
	return err
}
