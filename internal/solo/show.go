package solo

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"time"
)

// Texts for people. Numbers have the digits that a person looks at.

// stepParts is what there is to say of a step, the most important first.
func stepParts(s Step) []string {
	parts := []string{"loss " + lossText(s.Loss), fmt.Sprintf("lr %.2e", s.LR)}
	if s.Skipped {
		parts = append(parts, "skipped")
	}
	parts = append(parts, speedText(s.Speed))
	if s.Left > 0 {
		parts = append(parts, spanText(s.Left)+" left")
	}
	if s.Share > 0 {
		parts = append(parts, fmt.Sprintf("%.0f%% of peak", 100*s.Share))
	}
	if s.WaitShare >= 0.01 {
		parts = append(parts, fmt.Sprintf("waits %.0f%%", 100*s.WaitShare))
	}
	if s.Scale != 0 {
		parts = append(parts, fmt.Sprintf("scale %g", s.Scale))
	}
	if s.Balance != 0 {
		parts = append(parts, fmt.Sprintf("balance %.3g", s.Balance))
	}
	return parts
}

// countText is how far a training is.
func countText(s Step) string {
	if s.Total > 0 {
		return fmt.Sprintf("step %*d/%d", digits(s.Total), s.Step, s.Total)
	}
	return fmt.Sprintf("step %d", s.Step)
}

func digits(n int) int { return len(fmt.Sprint(n)) }

func lossText(n Number) string {
	switch x := float64(n); {
	case math.IsNaN(x):
		return "nan"
	case math.IsInf(x, 0):
		return "inf"
	default:
		return fmt.Sprintf("%.4f", x)
	}
}

func speedText(tokensPer float64) string {
	if tokensPer >= 1e5 {
		return fmt.Sprintf("%.0fk tok/s", tokensPer/1e3)
	}
	return fmt.Sprintf("%.0f tok/s", tokensPer)
}

// spanText is a time that has gone by or is left.
func spanText(d time.Duration) string {
	switch s := int(d.Round(time.Second).Seconds()); {
	case s < 120:
		return fmt.Sprintf("%d s", s)
	case s < 2*3600:
		return fmt.Sprintf("%d min", (s+30)/60)
	default:
		return fmt.Sprintf("%d h %02d min", s/3600, s%3600/60)
	}
}

// amountText is a number of parameters or tokens.
func amountText(n int64) string {
	switch x := float64(n); {
	case x < 1e4:
		return fmt.Sprint(n)
	case x < 1e6:
		return fmt.Sprintf("%.1fk", x/1e3)
	case x < 1e9:
		return fmt.Sprintf("%.1fM", x/1e6)
	default:
		return fmt.Sprintf("%.2fG", x/1e9)
	}
}

// planText says what is about to be trained, on a line or two.
func planText(p Plan) string {
	what := amountText(int64(p.Params)) + " parameters"
	if p.Trained != p.Params {
		what = amountText(int64(p.Trained)) + " of " + what
	}
	how := fmt.Sprintf("to step %d", p.Steps)
	if p.Time > 0 {
		how = "for " + spanText(p.Time)
	}
	if p.First > 1 {
		how = fmt.Sprintf("from step %d on, ", p.First) + how
	}
	text := fmt.Sprintf("%s of a %s model on %s tokens, %s of %s tokens each, on %s", what, p.Model, amountText(p.Tokens), how, amountText(int64(p.PerStep)), p.Device)
	if p.Peak > 0 {
		text += fmt.Sprintf(" with a peak of %.0f GFLOP/s", float64(p.Peak)/1e9)
	}
	return text
}

// evaluatedText is what a model is worth, on one line.
func evaluatedText(e Evaluated) string {
	text := fmt.Sprintf("loss %s on %s held-out tokens, perplexity %.4g", lossText(e.Loss), amountText(int64(e.Tokens)), float64(e.Perplexity))
	if e.Bad > 0 {
		text += fmt.Sprintf(", %d of %d sequences without a loss that is a number", e.Bad, e.Sequences)
	}
	return text
}

// Text is the summary for people, several lines long.
func (s Summary) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "steps       %d", s.Step)
	if s.Interrupted && s.Steps > 0 {
		fmt.Fprintf(&b, " of %d", s.Steps)
	}
	if s.Skipped > 0 {
		fmt.Fprintf(&b, ", %d skipped", s.Skipped)
	}
	fmt.Fprintf(&b, "\ntokens      %s in %s", amountText(s.Tokens), spanText(time.Duration(s.Seconds*float64(time.Second))))
	if s.TokensPer > 0 {
		fmt.Fprintf(&b, ", %s", speedText(s.TokensPer))
	}
	if s.PeakShare > 0 {
		fmt.Fprintf(&b, ", %.0f%% of peak", 100*s.PeakShare)
	}
	if !math.IsNaN(float64(s.Loss)) {
		fmt.Fprintf(&b, "\nloss        %s over the last steps", lossText(s.Loss))
	}
	if s.Eval != nil {
		fmt.Fprintf(&b, "\nevaluation  %s", evaluatedText(*s.Eval))
	}
	fmt.Fprintf(&b, "\nmodel       %s\n", s.Out)
	return b.String()
}

// Text is the evaluation for people, several lines long.
func (e Evaluated) Text() string {
	var b strings.Builder
	for i, l := range e.Each {
		fmt.Fprintf(&b, "sequence %-6d %s\n", i, lossText(l))
	}
	fmt.Fprintf(&b, "loss        %s nats a token\n", sixDigits(e.Loss))
	fmt.Fprintf(&b, "perplexity  %s\n", sixDigits(e.Perplexity))
	fmt.Fprintf(&b, "tokens      %d in %d sequences\n", e.Tokens, e.Sequences)
	if e.Bad > 0 {
		fmt.Fprintf(&b, "bad         %d sequences, whose loss is not a number\n", e.Bad)
	}
	fmt.Fprintf(&b, "time        %.1f s, %s\n", e.Seconds, speedText(e.TokensPer))
	return b.String()
}

func sixDigits(n Number) string {
	if math.IsInf(float64(n), 0) || math.IsNaN(float64(n)) {
		return "inf"
	}
	return fmt.Sprintf("%.6g", float64(n))
}

// Lines is a Watcher that writes a line now and then, for a log.
type Lines struct {
	w     io.Writer
	stage string
	shown time.Time // when a step was last shown
	total int
}

// NewLines returns one that writes to w, each line after "adit: ".
func NewLines(w io.Writer) *Lines { return &Lines{w: w} }

// lineEvery is after how long a step is shown in any case, and lineParts into how
// many parts the lines of a training divide it otherwise.
const (
	lineEvery = 10 * time.Second
	lineParts = 20
)

func (l *Lines) say(format string, args ...any) { fmt.Fprintf(l.w, "adit: "+format+"\n", args...) }

// Stage writes a line when another stage begins that takes a while.
func (l *Lines) Stage(what string, done, total int64) {
	if what != l.stage && (what == "encoding text" || what == "loading the model") {
		l.say("%s", what)
	}
	l.stage = what
}

// Note writes a line.
func (l *Lines) Note(text string) { l.say("%s", text) }

// Begin writes a line.
func (l *Lines) Begin(p Plan) {
	l.total = p.Steps
	l.say("training %s", planText(p))
}

// Step writes a line for the first step, the last, and some between.
func (l *Lines) Step(s Step) {
	every := max(1, l.total/lineParts)
	due := l.total > 0 && (s.Step%every == 0 || s.Step == l.total)
	if now := time.Now(); due || now.Sub(l.shown) >= lineEvery {
		l.say("%s  %s", countText(s), strings.Join(stepParts(s), "  "))
		l.shown = now
	}
}

// Evaluated writes a line.
func (l *Lines) Evaluated(e Evaluated) { l.say("step %d: %s", e.Step, evaluatedText(e)) }

// Saved writes a line.
func (l *Lines) Saved(s Saved) { l.say("saved step %d in %s", s.Step, s.Out) }

// JSON is a Watcher that writes an object a line, for programs. Its kind says what
// it is.
type JSON struct {
	enc *json.Encoder
	err error
}

// NewJSON returns one that writes to w.
func NewJSON(w io.Writer) *JSON { return &JSON{enc: json.NewEncoder(w)} }

func (j *JSON) write(v any) {
	if j.err == nil {
		j.err = j.enc.Encode(v)
	}
}

// Err returns the first error of writing.
func (j *JSON) Err() error { return j.err }

// Stage is of no use to a program.
func (j *JSON) Stage(string, int64, int64) {}

// Note writes a note.
func (j *JSON) Note(text string) {
	j.write(struct {
		Kind string `json:"kind"`
		Text string `json:"text"`
	}{"note", text})
}

// Begin writes a plan.
func (j *JSON) Begin(p Plan) {
	j.write(struct {
		Kind string `json:"kind"`
		Plan
	}{"begin", p})
}

// Step writes a step.
func (j *JSON) Step(s Step) {
	j.write(struct {
		Kind string `json:"kind"`
		Step
	}{"step", s})
}

// Evaluated writes an evaluation.
func (j *JSON) Evaluated(e Evaluated) {
	j.write(struct {
		Kind string `json:"kind"`
		Evaluated
	}{"eval", e})
}

// Saved writes where a checkpoint is.
func (j *JSON) Saved(s Saved) {
	j.write(struct {
		Kind string `json:"kind"`
		Saved
	}{"saved", s})
}

// Summary writes the summary of a training.
func (j *JSON) Summary(s Summary) {
	j.write(struct {
		Kind string `json:"kind"`
		Summary
	}{"summary", s})
}
