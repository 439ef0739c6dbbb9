package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"adit/internal/solo"
	"adit/internal/subnet"
)

// GenerateCommand lets a model write.
type GenerateCommand struct {
	Model       string   `arg:"" help:"A model's directory: config.json, safetensors, tokenizer.json."`
	Prompt      *string  `arg:"" optional:"" help:"The text to go on from. Standard input, if none is given."`
	MaxTokens   int      `default:"128" placeholder:"N" help:"End after so many tokens (${default})."`
	Temperature *float64 `placeholder:"X" help:"Lower is more certain, 0 always takes the most likely token (0.8, or what the model says)."`
	TopK        *int     `placeholder:"N" help:"Choose among the N most likely tokens, 0 for all (40, or what the model says)."`
	TopP        *float64 `placeholder:"SHARE" help:"Choose among the most likely that together have this probability, 1 for all (0.95, or what the model says)."`
	Seed        uint64   `help:"Of the choice: the same seed, the same text."`
	Stop        []string `sep:"none" placeholder:"TEXT" help:"End before this text. May be given again."`
	Tokenizer   string   `placeholder:"PATH" help:"A tokenizer.json, or its folder, if the model has none."`
	Threads     int      `placeholder:"N" help:"Threads to compute with; one a core, unless given."`
	JSON        bool     `help:"Print JSON, an object a token, and one at the end."`
}

// Help shows examples.
func (GenerateCommand) Help() string {
	return `Writes what the model makes of the prompt as it comes. It ends with the model's
end of text, a --stop, or --max-tokens.

Examples:
  adit generate models/tiny "Once upon a time"
  adit generate models/tiny --temperature 0 --stop '.' "The adit is"
  adit generate models/tiny --max-tokens 500 --seed 7 < prompt.txt`
}

func (c GenerateCommand) options() solo.GenerateOptions {
	return solo.GenerateOptions{
		Model: c.Model, Tokenizer: c.Tokenizer, MaxTokens: c.MaxTokens,
		Temperature: c.Temperature, TopK: c.TopK, TopP: c.TopP, Seed: c.Seed, Stops: c.Stop, Threads: c.Threads,
	}
}

// Validate says everything that is wrong with the options at once.
func (c GenerateCommand) Validate() error { return c.options().Validate() }

// maxPrompt bounds a prompt, in bytes: no model sees as much.
const maxPrompt = 64 << 20

// Run generates text.
func (c GenerateCommand) Run(ctx context.Context, t terminal) error {
	o := c.options()
	if c.Prompt != nil {
		o.Prompt = *c.Prompt
	} else {
		if isTerminal(t.in) {
			fmt.Fprintln(t.err, "adit: reading the prompt from standard input, end it with Ctrl-D; or give it after the model")
		}
		prompt, err := readPrompt(ctx, t.in)
		if err != nil {
			return err
		}
		o.Prompt = prompt
	}
	w, end := watch(terminal{in: t.in, out: io.Discard, err: t.err}, c.JSON)
	defer end()
	enc, tame := json.NewEncoder(t.out), isTerminal(t.out)
	ended := true // the text so far ends a line
	g, err := solo.Generate(ctx, o, w, func(p solo.Piece) error {
		end() // the text takes the bar's place
		if c.JSON {
			return enc.Encode(p)
		}
		if p.Text != "" {
			ended = strings.HasSuffix(p.Text, "\n")
		}
		text := p.Text
		if tame {
			text = strings.Map(printable, text)
		}
		_, err := io.WriteString(t.out, text)
		return err
	})
	end()
	if !ended && !c.JSON {
		fmt.Fprintln(t.out)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return enc.Encode(g)
	}
	fmt.Fprintf(t.err, "adit: %d tokens after %d in %.2f s, %.1f tokens/s\n", g.Tokens, g.Prompt, g.Reading+g.Seconds, g.TokensPer)
	return nil
}

// printable replaces what would steer a terminal: who trained a model may have
// taught it to.
func printable(r rune) rune {
	if r == '\n' || r == '\t' || !unicode.IsControl(r) {
		return r
	}
	return '\uFFFD'
}

// readPrompt reads all of r, or until ctx is done.
func readPrompt(ctx context.Context, r io.Reader) (string, error) {
	type result struct {
		b   []byte
		err error
	}
	read := make(chan result, 1)
	// A terminal cannot be told to stop being read, so nobody waits for this one.
	go func() {
		b, err := io.ReadAll(io.LimitReader(r, maxPrompt+1))
		read <- result{b, err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case got := <-read:
		switch {
		case got.err != nil:
			return "", fmt.Errorf("read the prompt: %w", got.err)
		case len(got.b) > maxPrompt:
			return "", subnet.WithHint(errors.New("read the prompt: it is too long for any model"), "give a shorter one")
		}
		return strings.TrimSuffix(string(got.b), "\n"), nil
	}
}
