package solo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"adit/internal/engine/device/cpu"
	"adit/internal/engine/sample"
	"adit/internal/subnet"
)

// GenerateOptions say what to go on from, and how. A pointer that is nil leaves
// it to the model's generation_config.json, and if that says nothing to the
// default.
type GenerateOptions struct {
	Model       string // directory
	Tokenizer   string // a tokenizer.json, or the folder that it is in; "" is the model's
	Prompt      string
	MaxTokens   int
	Temperature *float64
	TopK        *int
	TopP        *float64
	Seed        uint64
	Stops       []string // texts that end it, and are not given out
	Threads     int      // 0 is one a core
}

// The rules where nobody says.
const (
	defaultTemperature = 0.8
	defaultTopK        = 40
	defaultTopP        = 0.95
)

// Validate returns every problem that can be seen without looking at the disk,
// joined.
func (o GenerateOptions) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if o.Model == "" {
		bad("no model: give its directory")
	}
	if o.MaxTokens < 1 {
		bad("--max-tokens: %d; give at least 1", o.MaxTokens)
	}
	if slices.Contains(o.Stops, "") {
		bad("--stop: an empty text would end everything at once")
	}
	if o.Threads < 0 {
		bad("--threads: %d; give at least 1, or 0 for one a core", o.Threads)
	}
	return errors.Join(append(errs, o.rules(settings{}).Validate())...)
}

// rules returns those by which tokens are chosen.
func (o GenerateOptions) rules(s settings) sample.Rules {
	r := sample.Rules{Temperature: defaultTemperature, TopK: defaultTopK, TopP: defaultTopP}
	if s.Temperature != nil {
		r.Temperature = *s.Temperature
	}
	if s.TopK != nil {
		r.TopK = *s.TopK
	}
	if s.TopP != nil {
		r.TopP = *s.TopP
	}
	// Whoever asks for a way of choosing wants to choose.
	if s.Sample != nil && !*s.Sample && o.TopK == nil && o.TopP == nil {
		r.Temperature = 0
	}
	if o.Temperature != nil {
		r.Temperature = *o.Temperature
	}
	if o.TopK != nil {
		r.TopK = *o.TopK
	}
	if o.TopP != nil {
		r.TopP = *o.TopP
	}
	return r
}

// A Piece is text as it comes.
type Piece struct {
	Token int32  `json:"token"` // the one that completed it
	Text  string `json:"text"`  // "" if it completed nothing
}

// Generated is what came of a prompt.
type Generated struct {
	Text      string  `json:"text"`
	Prompt    int     `json:"prompt_tokens"`
	Tokens    int     `json:"tokens"`
	Finish    string  `json:"finish"`         // end, the model's; stop, a text of those given; length
	Reading   float64 `json:"prompt_seconds"` // that the prompt took
	Seconds   float64 `json:"seconds"`        // that the tokens took
	TokensPer float64 `json:"tokens_per_s"`
}

// Why a text ended.
const (
	FinishEnd    = "end"
	FinishStop   = "stop"
	FinishLength = "length"
)

// Generate lets a model go on from a prompt and calls emit with the text as it
// comes. What it gives out together is the result's Text. When ctx is done it
// ends with ctx's error, and what there is by then.
func Generate(ctx context.Context, o GenerateOptions, w Watcher, emit func(Piece) error) (Generated, error) {
	if err := o.Validate(); err != nil {
		return Generated{}, err
	}
	g, err := o.run(ctx, w, emit)
	if err != nil {
		return g, fmt.Errorf("generate: %w", err)
	}
	return g, nil
}

func (o GenerateOptions) run(ctx context.Context, w Watcher, emit func(Piece) error) (g Generated, err error) {
	src, err := openSource(o.Model, true)
	if err != nil {
		return g, err
	}
	defer src.Close()
	if o.Tokenizer != "" {
		if err := src.useTokenizer(o.Tokenizer); err != nil {
			return g, err
		}
	}
	if src.tokenizer == "" {
		return g, needTokenizer(o.Model)
	}
	vocab := src.config.VocabSize
	tok, err := loadTokenizer(src.tokenizer, vocab)
	if err != nil {
		return g, err
	}
	rules := o.rules(src.settings)
	sampler, err := sample.New(rules, o.Seed)
	if err != nil {
		return g, subnet.WithHint(fmt.Errorf("model %s: generation_config.json: %w", o.Model, err), "give --temperature, --top-k and --top-p, which go before it")
	}
	ends := src.settings.Ends
	if len(ends) == 0 && tok.End() >= 0 {
		ends = []int32{tok.End()}
	}
	prompt := tok.Prompt(o.Prompt)
	if len(prompt) == 0 {
		if prompt, err = beginning(src, ends, vocab); err != nil {
			return g, err
		}
	}
	room := src.config.Positions()
	if len(prompt) >= room {
		return g, subnet.WithHint(fmt.Errorf("the prompt has %d tokens, and the model sees %d at most, what it goes on with included", len(prompt), room), "give a shorter prompt")
	}
	seqLen := min(len(prompt)+o.MaxTokens, room)
	dev := &gate{Device: cpu.New(o.Threads)}
	m, err := src.load(ctx, dev, seqLen, w)
	if err != nil {
		return g, err
	}

	w.Stage("reading the prompt", 0, 0)
	g.Prompt = len(prompt)
	decoder, stream := m.Decoder(), tok.Stream(true)
	out := holder{stops: o.Stops}
	give := func(id int32, text string) error {
		g.Text += text
		return emit(Piece{id, text})
	}
	logits := make([]float32, vocab)
	start, next, id := time.Now(), prompt, int32(0)
	for g.Finish == "" {
		err := dev.do(ctx, func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return decoder.Next(logits, next)
		})
		if err != nil {
			return g, err
		}
		if g.Tokens == 0 {
			g.Reading = time.Since(start).Seconds()
			start = time.Now()
		}
		if id, err = sampler.Next(logits); err != nil {
			return g, subnet.WithHint(fmt.Errorf("token %d: %w", g.Tokens+1, err), "the weights are broken, or overflow; use another copy of the model")
		}
		g.Tokens++
		next = []int32{id}
		text, stop := "", false
		switch {
		case slices.Contains(ends, id):
			g.Finish = FinishEnd
		default:
			if text, stop = out.add(stream.Next(id)); stop {
				g.Finish = FinishStop
			} else if len(prompt)+g.Tokens >= seqLen {
				g.Finish = FinishLength
			}
		}
		g.Seconds = time.Since(start).Seconds()
		if err := give(id, text); err != nil {
			return g, err
		}
	}
	// The first token came with the prompt.
	if g.Tokens > 1 && g.Seconds > 0 {
		g.TokensPer = float64(g.Tokens-1) / g.Seconds
	}
	if g.Finish == FinishStop {
		return g, nil
	}
	rest, stop := out.add(stream.Flush())
	if stop {
		g.Finish = FinishStop
	} else {
		rest += out.held
	}
	if rest != "" {
		return g, give(id, rest)
	}
	return g, nil
}

// beginning is what a model goes on from without a prompt.
func beginning(src *source, ends []int32, vocab int) ([]int32, error) {
	if b := src.settings.Begin; b != nil && *b >= 0 && int(*b) < vocab {
		return []int32{*b}, nil
	}
	if len(ends) > 0 && int(ends[0]) < vocab {
		return []int32{ends[0]}, nil // as between two documents
	}
	return nil, subnet.WithHint(errors.New("there is no prompt, and the model has no token that begins a text"), "give a prompt")
}

// A holder holds back what may turn out to be the beginning of a text that ends
// everything.
type holder struct {
	stops []string
	held  string
}

// add returns what may be given out of the text so far, and whether it ended.
func (h *holder) add(text string) (out string, ended bool) {
	h.held += text
	first := -1
	for _, stop := range h.stops {
		if i := strings.Index(h.held, stop); i >= 0 && (first < 0 || i < first) {
			first = i
		}
	}
	if first >= 0 {
		return h.held[:first], true
	}
	keep := 0
	for _, stop := range h.stops {
		for n := min(len(stop)-1, len(h.held)); n > keep; n-- {
			if strings.HasSuffix(h.held, stop[:n]) {
				keep = n
			}
		}
	}
	out = h.held[:len(h.held)-keep]
	h.held = h.held[len(out):]
	return out, false
}
