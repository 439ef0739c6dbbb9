package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"

	"adit/internal/engine/train"
	"adit/internal/solo"
	"adit/internal/tensor"
)

// A textFlags is where text is.
type textFlags struct {
	Data      []string `sep:"none" placeholder:"PATH" help:"Text: a file or folder of text, JSONL or Parquet, or of tokens. May be given again." group:"Text"`
	DataField string   `placeholder:"NAME" help:"The field or column that holds the text, if it has no customary name." group:"Text"`
	Tokenizer string   `placeholder:"PATH" help:"A tokenizer.json, or its folder, if the model has none." group:"Text"`
	Cache     string   `placeholder:"DIR" help:"Where text is kept as tokens for the next time, 30 days after the last. A folder for that in your account's cache, unless given." group:"Text"`
}

// data returns where the text is.
func (f textFlags) data() solo.Data {
	cache := f.Cache
	if cache == "" {
		if dir, err := os.UserCacheDir(); err == nil {
			cache = filepath.Join(dir, "adit", "tokens")
			if os.MkdirAll(cache, 0o755) != nil {
				cache = "" // no home that can be written to: the tokens are made anew each time
			}
		}
	}
	return solo.Data{Paths: f.Data, Field: f.DataField, Cache: cache}
}

// TrainCommand trains: a model by itself, or the guides' first terminal.
type TrainCommand struct {
	Model string `arg:"" optional:"" help:"A model's directory: config.json, safetensors, tokenizer.json. With --init a config.json will do."`

	Out    string `placeholder:"DIR" help:"Where checkpoints go; MODEL-trained, unless given."`
	Init   bool   `help:"Begin with random parameters, by --seed."`
	Resume bool   `help:"Go on from the checkpoint in --out, to the bit."`
	JSON   bool   `help:"Report in JSON, one object a line, on standard output."`

	textFlags
	SeqLen    int      `placeholder:"N" help:"Tokens of a sequence (256, or what the model can)." group:"Text"`
	Shard     string   `placeholder:"I/N" help:"Train on the I-th of N parts of the sequences only." group:"Text"`
	Seed      uint64   `help:"Of the order of the text, and of random parameters." group:"Text"`
	EvalData  []string `sep:"none" placeholder:"PATH" help:"Text to evaluate on. May be given again." group:"Text"`
	EvalSplit float64  `placeholder:"SHARE" help:"Hold this share of --data out and evaluate on it, such as 0.02." group:"Text"`

	Steps     int           `placeholder:"N" help:"End after so many steps, those before --resume included." group:"How long"`
	Epochs    float64       `placeholder:"X" help:"End after the text was read so often (1)." group:"How long"`
	Time      time.Duration `placeholder:"10m" help:"End when it has trained that long." group:"How long"`
	EvalEvery int           `placeholder:"N" help:"Evaluate after every so many steps, not only at the end." group:"How long"`
	SaveEvery int           `default:"500" placeholder:"N" help:"Save after every so many steps (${default}); 0 saves at the end only." group:"How long"`

	Batch       int     `default:"8" placeholder:"N" help:"Sequences that go through the model at once (${default})." group:"Method"`
	Accumulate  int     `default:"1" placeholder:"N" help:"Batches that a step learns from (${default})." group:"Method"`
	LR          float64 `name:"lr" default:"3e-4" placeholder:"X" help:"Highest learning rate (${default})." group:"Method"`
	Schedule    string  `default:"cosine" placeholder:"NAME" help:"How it falls: cosine, linear, constant or inverse_sqrt (${default})." group:"Method"`
	Warmup      *int    `placeholder:"N" help:"Steps in which it rises (a tenth of all, at most 100)." group:"Method"`
	MinLR       float64 `name:"min-lr" default:"0.1" placeholder:"SHARE" help:"What it falls to, as a share of --lr (${default})." group:"Method"`
	Optimizer   string  `default:"adamw" placeholder:"NAME" help:"adamw or sgd (${default})." group:"Method"`
	Beta1       float64 `name:"beta1" default:"0.9" placeholder:"X" help:"AdamW's (${default})." group:"Method"`
	Beta2       float64 `name:"beta2" default:"0.95" placeholder:"X" help:"AdamW's (${default})." group:"Method"`
	Eps         float64 `default:"1e-8" placeholder:"X" help:"AdamW's (${default})." group:"Method"`
	Momentum    float64 `default:"0.9" placeholder:"X" help:"SGD's, Nesterov's kind (${default})." group:"Method"`
	WeightDecay float64 `default:"0.1" placeholder:"X" help:"Of all but norms and biases (${default})." group:"Method"`
	Clip        float64 `default:"1" placeholder:"X" help:"Highest norm of the gradient (${default}); 0 does not clip." group:"Method"`
	Precision   string  `default:"fp32" placeholder:"NAME" help:"Of gradients: fp32, bf16-mixed or fp16-mixed (${default})." group:"Method"`

	Train     []string `sep:"none" placeholder:"PATTERN" help:"Train the parameters of these names only, such as '*.mlp.*'. May be given again." group:"Method"`
	Freeze    []string `sep:"none" placeholder:"PATTERN" help:"Leave the parameters of these names as they are. May be given again." group:"Method"`
	Recompute bool     `help:"Take less memory and a third more time." group:"Method"`
	Threads   int      `placeholder:"N" help:"Threads to compute with; one a core, unless given." group:"Method"`

	DType     string `name:"dtype" default:"f32" placeholder:"TYPE" help:"Of the saved parameters: f32, f16 or bf16 (${default})." group:"Method"`
	ShardSize string `default:"5GB" placeholder:"SIZE" help:"Of a saved file (${default})." group:"Method"`

	Path string   `placeholder:"DIR" help:"A miner's directory, or the config.yaml in it: train what 'adit model-io' downloads there." group:"For a miner"`
	Set  []string `sep:"none" placeholder:"KEY=VALUE" help:"Replace a setting of that file, for example opt.lr=1e-3. May be given again." group:"For a miner"`
	settingFlags
	MetricsPort uint16 `placeholder:"PORT" env:"CONNITO_TELEMETRY_PORT" help:"Serve metrics for Prometheus at this port. With ENABLE_TELEMETRY=true in the environment the role's own is served." group:"For a miner"`
	Supervised  bool   `hidden:"" help:"Report in JSON, and end when standard input does."`
}

// Help shows examples.
func (TrainCommand) Help() string {
	return `Trains a model of the Hugging Face kind on your text. Checkpoints are directories
that the transformers library loads, with the trainer's state beside. Ctrl-C saves
and ends; the same command with --resume goes on to the bit.

Patterns are a shell's: * stands for any run of characters, dots included.

With --path it is the first half of a miner instead: it trains the baselines that
'adit model-io' downloads into the same directory, and speaks to the chain only to
know the time.

Examples:
  adit train models/tiny --data books/ --steps 1000 --eval-split 0.02
  adit train models/tiny --data books/ --steps 1000 --eval-split 0.02 --resume
  adit train config.json --init --tokenizer tokenizer.json --data code.jsonl --time 10m --out new
  adit train models/moe --data a.parquet --train '*.experts.*' --dtype bf16 --json
  adit train --path checkpoints/miner/me/hk1/foundation`
}

// Validate says everything that is wrong with the options at once.
func (c TrainCommand) Validate() error {
	if c.mines() {
		if c.Model != "" || len(c.Data) > 0 || c.Out != "" || c.Init || c.Resume {
			return errors.New("--path and --hotkey_name train for a miner, whose directory says what; give one of those or a MODEL")
		}
		return nil
	}
	if c.Model == "" && !c.Resume {
		return errors.New("expected MODEL, the model to train, or --path=DIR, a miner's directory")
	}
	if len(c.Set) > 0 || c.Supervised {
		return errors.New("--set is for the settings of a miner's directory, which --path names")
	}
	o, err := c.options()
	return errors.Join(err, o.Validate())
}

// mines reports whether this is the first half of a miner.
func (c TrainCommand) mines() bool { return c.Path != "" || c.named() }

// options returns what is asked for.
func (c TrainCommand) options() (solo.TrainOptions, error) {
	var errs []error
	o := solo.TrainOptions{
		Model: c.Model, Tokenizer: c.Tokenizer, Out: c.Out, Init: c.Init, Resume: c.Resume,
		Data: solo.Data{Paths: c.Data, Field: c.DataField}, EvalData: c.EvalData, EvalSplit: c.EvalSplit,
		EvalEvery: c.EvalEvery, SaveEvery: c.SaveEvery,
		Steps: c.Steps, Epochs: c.Epochs, Time: c.Time,
		SeqLen: c.SeqLen, Seed: c.Seed,
		Batch: c.Batch, Accum: c.Accumulate, Curve: train.Curve(c.Schedule), LR: c.LR, Warmup: solo.Auto, MinLR: c.MinLR,
		Rules: train.Rules{
			Method: train.Method(c.Optimizer), Beta1: c.Beta1, Beta2: c.Beta2, Eps: c.Eps,
			Momentum: c.Momentum, WeightDecay: c.WeightDecay, ClipNorm: c.Clip,
		},
		Precision: train.Precision(c.Precision), Recompute: c.Recompute, Threads: c.Threads,
	}
	if c.Warmup != nil {
		if o.Warmup = *c.Warmup; o.Warmup < 0 {
			errs = append(errs, fmt.Errorf("--warmup: %d steps; give 0 or more", o.Warmup))
		}
	}
	if o.Out == "" {
		o.Out = c.defaultOut()
	}
	o.Params = append(o.Params, c.Train...)
	for _, p := range c.Freeze {
		o.Params = append(o.Params, "!"+p)
	}
	var err error
	if o.Shard, o.Shards, err = parseShard(c.Shard); err != nil {
		errs = append(errs, err)
	}
	if o.ShardBytes, err = parseSize(c.ShardSize); err != nil {
		errs = append(errs, err)
	}
	var ok bool
	if o.DType, ok = tensor.ParseDType(strings.ToUpper(c.DType)); !ok {
		errs = append(errs, fmt.Errorf("--dtype: %q; give f32, f16 or bf16", c.DType))
	}
	return o, errors.Join(errs...)
}

// defaultOut is where checkpoints go if nobody says: beside the model, or where
// the checkpoint is that is gone on from.
func (c TrainCommand) defaultOut() string {
	model := filepath.Clean(c.Model)
	if filepath.Base(model) == "config.json" && filepath.Dir(model) != "." {
		model = filepath.Dir(model)
	}
	if c.Resume && solo.IsCheckpoint(model) {
		return model
	}
	return strings.TrimSuffix(model, ".json") + "-trained"
}

// parseShard reads "2/4", the second of four.
func parseShard(s string) (shard, shards int, err error) {
	if s == "" {
		return 0, 1, nil
	}
	i, n, ok := strings.Cut(s, "/")
	shard, err1 := strconv.Atoi(i)
	shards, err2 := strconv.Atoi(n)
	if !ok || err1 != nil || err2 != nil || shard < 1 || shard > shards {
		return 0, 1, fmt.Errorf("--shard: %q; give for example 1/4, the first of four", s)
	}
	return shard - 1, shards, nil
}

// parseSize reads a number of bytes, such as 5GB or 200MB.
func parseSize(s string) (int64, error) {
	number, unit := strings.ToUpper(strings.TrimSpace(s)), int64(1)
	for _, u := range []struct {
		name  string
		bytes int64
	}{{"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1}} {
		if rest, ok := strings.CutSuffix(number, u.name); ok {
			number, unit = rest, u.bytes
			break
		}
	}
	x, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || !(x*float64(unit) >= 1 && x*float64(unit) < 1<<60) {
		return 0, fmt.Errorf("--shard-size: %q; give a size such as 5GB or 200MB", s)
	}
	return int64(x * float64(unit)), nil
}

// Run trains until it is done or interrupted.
func (c TrainCommand) Run(ctx context.Context, t terminal) error {
	if c.mines() {
		f := neuronFlags{Path: c.Path, Set: c.Set, settingFlags: c.settingFlags, JSON: c.JSON, MetricsPort: c.MetricsPort, Supervised: c.Supervised}
		return f.run(ctx, t, "connito", "train")
	}
	o, err := c.options()
	if err != nil {
		return err
	}
	o.Data.Cache = c.data().Cache
	w, end := watch(t, c.JSON)
	defer end()
	s, err := solo.Train(ctx, o, w)
	end()
	if s.Step > 0 { // or there is nothing to sum up
		if j, ok := w.(*solo.JSON); ok {
			j.Summary(s)
			return cmp.Or(err, j.Err())
		}
		if _, werr := io.WriteString(t.out, s.Text()); err == nil {
			err = werr
		}
	}
	return err
}

// watch returns who shows how work gets on: JSON lines on standard output, or for
// people on standard error, a bar if that is a terminal. end leaves it as it was.
func watch(t terminal, asJSON bool) (w solo.Watcher, end func()) {
	if asJSON {
		return solo.NewJSON(t.out), func() {}
	}
	if f, ok := t.err.(*os.File); ok && drawable(f) {
		bar := solo.NewBar(f, func() int {
			if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
				return width
			}
			return 80
		})
		return bar, bar.Close
	}
	return solo.NewLines(t.err), func() {}
}

// drawable reports whether f is a terminal that can go back to the beginning of a
// line.
func drawable(f *os.File) bool {
	kind := os.Getenv("TERM")
	return isTerminal(f) && kind != "dumb" && (kind != "" || runtime.GOOS == "windows")
}
