package solo

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
)

var (
	aPlan = Plan{Out: "out", Model: "llama", Params: 12_345_678, Trained: 12_345_678, Tokens: 1_200_000, Steps: 1000, First: 1, PerStep: 2048, Device: "cpu avx2 x2", Peak: 123e9}
	aStep = Step{Step: 250, Loss: 3.21456, LR: 2.9e-4, GradNorm: 1.5, Tokens: 2048, TokensPer: 1500, PeakShare: 0.7, Wait: 0.1, Total: 1000,
		Speed: 1234.5, Share: 0.678, WaitShare: 0.05, Left: 10 * time.Minute, Spent: 0.25}
	anEval = Evaluated{Step: 250, Loss: 3.1, Perplexity: 22.2, Tokens: 50_000, Sequences: 50}
)

// TestLines tells of some steps, not of all.
func TestLines(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	l := NewLines(&b)
	l.Stage("encoding text", 0, 10)
	l.Stage("encoding text", 5, 10)
	l.Begin(aPlan)
	for n := 1; n <= 100; n++ {
		s := aStep
		s.Step = n
		l.Step(s)
	}
	l.Note("a note")
	l.Evaluated(anEval)
	l.Saved(Saved{Step: 250, Out: "out"})
	const rest = "  loss 3.2146  lr 2.90e-04  1234 tok/s  10 min left  68% of peak  waits 5%\n"
	want := "adit: encoding text\n" +
		"adit: training 12.3M parameters of a llama model on 1.2M tokens, to step 1000 of 2048 tokens each, on cpu avx2 x2 with a peak of 123 GFLOP/s\n" +
		"adit: step    1/1000" + rest + "adit: step   50/1000" + rest + "adit: step  100/1000" + rest +
		"adit: a note\n" +
		"adit: step 250: loss 3.1000 on 50.0k held-out tokens, perplexity 22.2\n" +
		"adit: saved step 250 in out\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}

// TestBar draws on one line of a terminal, no wider than that, not more often than
// a person can see, and leaves the terminal as it was.
func TestBar(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	now := time.Unix(0, 0)
	bar := NewBar(&b, func() int { return 60 })
	bar.now = func() time.Time { return now }
	bar.Stage("loading the model", 1, 4)
	bar.Begin(aPlan)
	for n := 250; n <= 350; n++ {
		s := aStep
		s.Step = n
		bar.Step(s)
		now = now.Add(redraw / 50)
	}
	bar.Evaluated(anEval)
	bar.Stage("saving", 0, 0)
	bar.Saved(Saved{})
	bar.Close()
	bar.Close()
	out := b.String()
	if strings.Count(out, hideCursor) != strings.Count(out, showCursor) || !strings.HasSuffix(out, clearLine+showCursor) {
		t.Errorf("the terminal is not as it was: %q", out)
	}
	var lines []string
	for _, line := range strings.FieldsFunc(strings.ReplaceAll(ansi.Strip(out), "\r", "\n"), func(r rune) bool { return r == '\n' }) {
		if !strings.HasPrefix(line, "adit: ") && ansi.StringWidth(line) > 59 {
			t.Errorf("%q is too wide", line)
		}
		lines = append(lines, line)
	}
	want := []string{
		"loading the model  ━━━━━━──────────────────  25%",
		"adit: training 12.3M parameters of a llama model on 1.2M tokens, to step 1000 of 2048 tokens each, on cpu avx2 x2 with a peak of 123 GFLOP/s",
		"step  250/1000  ━━━━─────────────  loss 3.2146  lr 2.90e-04",
		"step  300/1000  ━━━━─────────────  loss 3.2146  lr 2.90e-04",
		"step  350/1000  ━━━━─────────────  loss 3.2146  lr 2.90e-04",
		"adit: step 250: loss 3.1000 on 50.0k held-out tokens, perplexity 22.2",
		"step  350/1000  ━━━━─────────────  loss 3.2146  lr 2.90e-04",
		"step  350/1000  saving",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
}

// broken is a file on a full disk.
type broken struct{}

var errFull = errors.New("disk full")

func (broken) Write([]byte) (int, error) { return 0, errFull }

// TestJSON writes an object a line, whatever the numbers are.
func TestJSON(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	j := NewJSON(&b)
	j.Begin(aPlan)
	s := aStep
	s.Loss, s.GradNorm = Number(math.NaN()), Number(math.Inf(1))
	j.Step(s)
	j.Note("x")
	j.Evaluated(anEval)
	j.Saved(Saved{Step: 1})
	j.Summary(Summary{Loss: Number(math.NaN())})
	var kinds []string
	for line := range strings.Lines(b.String()) {
		var x map[string]any
		if err := json.Unmarshal([]byte(line), &x); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		kinds = append(kinds, x["kind"].(string))
		if x["kind"] == "step" {
			want := map[string]any{"kind": "step", "step": 250.0, "loss": nil, "lr": 2.9e-4, "grad_norm": nil, "tokens": 2048.0,
				"tokens_per_s": 1500.0, "peak_share": 0.7, "wait_s": 0.1, "skipped": false, "scale": 0.0, "balance": 0.0}
			if diff := cmp.Diff(want, x); diff != "" {
				t.Error(diff)
			}
		}
	}
	if diff := cmp.Diff([]string{"begin", "step", "note", "eval", "saved", "summary"}, kinds); diff != "" || j.Err() != nil {
		t.Errorf("%v\n%s", j.Err(), diff)
	}
	full := NewJSON(broken{})
	full.Note("x")
	full.Note("y")
	if !errors.Is(full.Err(), errFull) {
		t.Errorf("on a full disk: %v", full.Err())
	}
}

func TestTexts(t *testing.T) {
	t.Parallel()
	s := aStep
	s.Loss, s.Skipped, s.Scale, s.Balance, s.Total, s.Speed, s.WaitShare, s.Left, s.Share = Number(math.Inf(1)), true, 32768, 0.0123, 0, 123456, 0, 0, 0
	for _, tt := range []struct{ got, want string }{
		{countText(s) + "  " + strings.Join(stepParts(s), "  "), "step 250  loss inf  lr 2.90e-04  skipped  123k tok/s  scale 32768  balance 0.0123"},
		{spanText(3*time.Hour + 5*time.Minute), "3 h 05 min"},
		{amountText(1.5e9) + " " + amountText(9999), "1.50G 9999"},
		{planText(Plan{Model: "gpt2", Params: 100, Trained: 40, Tokens: 5, First: 3, Time: time.Minute, PerStep: 8, Device: "cpu"}),
			"40 of 100 parameters of a gpt2 model on 5 tokens, from step 3 on, for 60 s of 8 tokens each, on cpu"},
		{Summary{Out: "o", Step: 4, Steps: 9, Tokens: 100, Seconds: 2, Loss: 2, Eval: &anEval, TokensPer: 50, PeakShare: 0.5, Skipped: 1, Interrupted: true}.Text(),
			"steps       4 of 9, 1 skipped\ntokens      100 in 2 s, 50 tok/s, 50% of peak\nloss        2.0000 over the last steps\nevaluation  loss 3.1000 on 50.0k held-out tokens, perplexity 22.2\nmodel       o\n"},
		{Evaluated{Loss: Number(math.Inf(1)), Perplexity: Number(math.Inf(1)), Tokens: 32, Sequences: 2, Bad: 1, Seconds: 2, TokensPer: 16, Each: []Number{1, Number(math.Inf(1))}}.Text(),
			"sequence 0      1.0000\nsequence 1      inf\nloss        inf nats a token\nperplexity  inf\ntokens      32 in 2 sequences\nbad         1 sequences, whose loss is not a number\ntime        2.0 s, 16 tok/s\n"},
	} {
		if diff := cmp.Diff(tt.want, tt.got); diff != "" {
			t.Error(diff)
		}
	}
}
