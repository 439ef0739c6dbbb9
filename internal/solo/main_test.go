package solo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"adit/internal/data"
	"adit/internal/engine/train"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// config is a model that a step of takes milliseconds.
const config = `{
  "model_type": "llama",
  "architectures": ["LlamaForCausalLM"],
  "vocab_size": 300,
  "hidden_size": 16,
  "intermediate_size": 32,
  "num_hidden_layers": 2,
  "num_attention_heads": 2,
  "max_position_embeddings": 64,
  "eos_token_id": 0
}
`

// prose returns a text in which some words follow others.
func prose(words int) string {
	who := []string{"the miner", "a validator", "the owner", "nobody"}
	does := []string{"digs", "weighs", "sells", "finds"}
	what := []string{"gold.", "a stone.", "the adit.", "nothing at all."}
	var b strings.Builder
	for i := range words {
		fmt.Fprintf(&b, "%s %s %s ", who[i*i%4], does[(i+i/3)%4], what[(i*7+i/5)%4])
	}
	return b.String()
}

// tokenizerFile is a tokenizer.json of 300 tokens.
var tokenizerFile = sync.OnceValues(func() ([]byte, error) {
	tok, err := data.TrainBPE(context.Background(), []string{prose(400)}, 300, nil)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	err = tok.Save(&b)
	return []byte(b.String()), err
})

func write(t testing.TB, path string, content []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// blank makes a directory with a model without weights, and a text.
func blank(t testing.TB) (dir, text string) {
	t.Helper()
	tok, err := tokenizerFile()
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	write(t, filepath.Join(dir, "model", tokenizerName), tok)
	write(t, filepath.Join(dir, "model", configName), []byte(config))
	return dir, write(t, filepath.Join(dir, "text.txt"), []byte(prose(1200)))
}

// options are those of a short training.
func options(dir, text string) TrainOptions {
	return TrainOptions{
		Model: filepath.Join(dir, "model"), Out: filepath.Join(dir, "out"), Init: true,
		Data: Data{Paths: []string{text}, Cache: filepath.Join(dir, "cache")}, Steps: 10, SeqLen: 16, Seed: 3,
		Batch: 2, Accum: 1, Curve: train.Cosine, LR: 1e-2, Warmup: Auto, MinLR: 0.1,
		Rules: train.Rules{Beta1: 0.9, Beta2: 0.95, WeightDecay: 0.1, ClipNorm: 1}, Threads: 1,
	}
}

// trained trains a model and returns its directory.
func trained(t testing.TB) (out, text string) {
	t.Helper()
	dir, text := blank(t)
	o := options(dir, text)
	if _, err := Train(t.Context(), o, &recorder{}); err != nil {
		t.Fatal(err)
	}
	return o.Out, text
}

// A recorder remembers what it is told.
type recorder struct {
	notes []string
	steps []Step
	evals []Evaluated
	saved []int
	plan  Plan
	after func(Step) // is called with each step
}

func (r *recorder) Stage(string, int64, int64) {}
func (r *recorder) Note(text string)           { r.notes = append(r.notes, text) }
func (r *recorder) Begin(p Plan)               { r.plan = p }
func (r *recorder) Evaluated(e Evaluated)      { r.evals = append(r.evals, e) }
func (r *recorder) Saved(s Saved)              { r.saved = append(r.saved, s.Step) }
func (r *recorder) Step(s Step) {
	r.steps = append(r.steps, s)
	if r.after != nil {
		r.after(s)
	}
}

func fileTime(t testing.TB, path string) time.Time {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.ModTime()
}
