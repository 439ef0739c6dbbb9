package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"adit/internal/data"
	"adit/internal/engine"
	"adit/internal/engine/device/cpu"
	"adit/internal/subnet"
	"adit/internal/tui"
	"adit/internal/wirebench"
)

// BenchWireCommand measures what the wires of a network are worth.
type BenchWireCommand struct {
	benchFlags
	Methods []string `default:"dense,slices,r2,sparse,adit" placeholder:"NAME" help:"Which ways of merging: dense, slices, r2, sparse, adit."`
	Seeds   []int    `default:"1,2,3" placeholder:"N" help:"Beginnings of the model and orders of the text."`

	Miners int `default:"4" help:"How many miners there are."`
	Inner  int `default:"3" help:"How many steps each takes in a round."`
	Rounds int `default:"500" help:"How many rounds there are."`
	Every  int `default:"25" help:"After how many rounds the loss is measured."`

	Width  int     `default:"128" help:"How wide the model is, a multiple of 32."`
	Layers int     `default:"2" help:"How many layers it has."`
	Vocab  int     `default:"1024" help:"How many tokens there are."`
	SeqLen int     `name:"seq-len" default:"64" help:"How many tokens a sequence has."`
	Batch  int     `default:"2" help:"How many sequences a step has."`
	LR     float64 `name:"lr" default:"3e-3" help:"AdamW's learning rate at its highest."`

	OuterRate     map[string]float64 `placeholder:"METHOD=RATE" help:"By what a method's merge is multiplied; several with ; between them."`
	OuterMomentum map[string]float64 `placeholder:"METHOD=SHARE" help:"Nesterov's momentum of a method's outer step. None, unless it is said."`
	Decay         map[string]float64 `placeholder:"METHOD=SHARE" help:"What is left, in each round, of what a miner has not said."`
	Again         float64            `name:"aggregator-decay" default:"1" help:"The same of the aggregator."`
	Ahead         map[string]float64 `placeholder:"METHOD=SHARE" help:"By what share of what it has not said a miner's model is ahead."`
	AheadTables   map[string]float64 `placeholder:"METHOD=SHARE" help:"The same of the tables with a row for each token."`
	Keep          int                `default:"64" help:"How many values are sent of 4096."`

	Data []string `type:"path" placeholder:"PATH" help:"Text to learn from: files and folders. Go's own source code, unless it is said."`
	From []string `type:"existingfile" placeholder:"FILE" help:"Train nothing: show what was printed with --json before."`
	SVG  string   `name:"svg" type:"path" placeholder:"FILE" help:"Draw the loss by the bytes sent."`
	Top  float64  `placeholder:"LOSS" help:"The greatest loss that is drawn. All, unless it is said."`
}

// Help shows examples.
func (BenchWireCommand) Help() string {
	return `Trains one small Llama with several miners in one process, once for each way of
merging what they learn, on the same text from the same beginnings, and shows the loss
on text that none of them sees beside the bytes that a miner sends and receives. The
messages are real ones. docs/templar-bytes.md tells what came of it.

With --json each measured round is a line, and any number of such files are shown as
one with --from.

Examples:
  adit bench wire
  adit bench wire --methods dense,adit --seeds 1 --rounds 20
  adit bench wire --outer-rate 'dense=0.7;adit=1' --outer-momentum dense=0.9
  adit bench wire --json > points.jsonl
  adit bench wire --from points.jsonl --svg loss.svg`
}

// Run measures, or shows what was measured.
func (c BenchWireCommand) Run(ctx context.Context, t terminal) error {
	points, err := c.points(ctx, t)
	if err != nil {
		return fmt.Errorf("bench wire: %w", err)
	}
	if c.SVG != "" {
		if err := c.draw(points); err != nil {
			return fmt.Errorf("bench wire: %w", err)
		}
	}
	if c.JSON {
		return nil
	}
	return printWires(t, wirebench.Summarise(points))
}

// points returns what was measured, and with --json prints it as it comes.
func (c BenchWireCommand) points(ctx context.Context, t terminal) ([]wirebench.Point, error) {
	var points []wirebench.Point
	if len(c.From) > 0 {
		for _, path := range c.From {
			more, err := readPoints(path)
			if err != nil {
				return nil, err
			}
			points = append(points, more...)
		}
		return points, nil
	}
	runs, err := c.runs()
	if err != nil {
		return nil, err
	}
	e, done, err := c.engine(ctx, t)
	if err != nil {
		return nil, err
	}
	defer done()
	lines := json.NewEncoder(t.out)
	for _, o := range runs {
		err := wirebench.Run(ctx, e, o, func(p wirebench.Point) {
			points = append(points, p)
			fmt.Fprintf(t.err, "%s, seed %d: round %d of %d, loss %.4f, %s sent, %s received\n",
				p.Method, p.Seed, p.Round, o.Rounds, p.Loss, wireSize(p.Up), wireSize(p.Down))
			if c.JSON {
				_ = lines.Encode(p) // standard output is checked when the command ends
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return points, nil
}

func readPoints(path string) ([]wirebench.Point, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	points, err := wirebench.ReadPoints(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return points, nil
}

// runs returns the options of each run: all methods of a seed before the next.
func (c BenchWireCommand) runs() ([]wirebench.Options, error) {
	var runs []wirebench.Options
	for _, seed := range c.Seeds {
		for _, method := range c.Methods {
			o := wirebench.Usual(method)
			o.Seed, o.Miners, o.Inner, o.Rounds, o.Every = seed, c.Miners, c.Inner, c.Rounds, c.Every
			o.Batch, o.SeqLen, o.LR = c.Batch, c.SeqLen, c.LR
			o.Again, o.Keep = c.Again, c.Keep
			if rate, ok := c.OuterRate[method]; ok {
				o.Rate = rate
			}
			if decay, ok := c.Decay[method]; ok {
				o.Decay = decay
			}
			if ahead, ok := c.Ahead[method]; ok {
				o.Ahead = ahead
			}
			if ahead, ok := c.AheadTables[method]; ok {
				o.AheadTables = ahead
			}
			o.Momentum = c.OuterMomentum[method]
			if err := o.Validate(); err != nil {
				return nil, err
			}
			runs = append(runs, o)
		}
	}
	for _, said := range []map[string]float64{c.OuterRate, c.OuterMomentum, c.Decay, c.Ahead, c.AheadTables} {
		for method := range said {
			if !slices.Contains(c.Methods, method) {
				return nil, subnet.WithHint(fmt.Errorf("a setting of %q, which is not among the methods", method), "the methods are "+strings.Join(c.Methods, ", "))
			}
		}
	}
	return runs, nil
}

// engine returns an engine with text, and what removes it again.
func (c BenchWireCommand) engine(ctx context.Context, t terminal) (_ *engine.Engine, done func(), err error) {
	if c.Width < 32 || c.Width%32 != 0 {
		return nil, nil, subnet.WithHint(fmt.Errorf("a model of width %d", c.Width), "it must be a multiple of 32, the width of a head")
	}
	source, err := c.text()
	if err != nil {
		return nil, nil, err
	}
	dir, err := os.MkdirTemp("", "adit-wire-")
	if err != nil {
		return nil, nil, err
	}
	remove := func() { _ = os.RemoveAll(dir) }
	defer func() {
		if err != nil {
			remove()
		}
	}()
	stage := data.Stage("")
	corpus, err := data.Prepare(ctx, filepath.Join(dir, "text"), []data.Source{source}, data.Options{Vocab: c.Vocab}, func(p data.Progress) {
		if p.Stage != stage {
			stage = p.Stage
			fmt.Fprintf(t.err, "%s\n", stage)
		}
	})
	if err != nil {
		return nil, nil, err
	}
	config := wirebench.Shape(c.Width, c.Layers, corpus.VocabSize())
	if err := config.Validate(); err != nil {
		return nil, nil, err
	}
	o, err := c.options()
	if err != nil {
		return nil, nil, err
	}
	device := cpu.New(o.Threads)
	if o.Kernel != "" {
		if device, err = cpu.NewKernel(o.Threads, o.Kernel); err != nil {
			return nil, nil, err
		}
	}
	e := engine.New(engine.Options{Device: device, Config: config, Data: corpus, SeqLen: c.SeqLen})
	return e, func() { _ = e.Close(); remove() }, nil
}

func (c BenchWireCommand) text() (data.Source, error) {
	if len(c.Data) > 0 {
		return data.Files(c.Data...)
	}
	root, err := data.FindGoRoot()
	if err != nil {
		return nil, err
	}
	code, _, err := data.GoTree(root)
	return code, err
}

// draw writes the plot.
func (c BenchWireCommand) draw(points []wirebench.Point) error {
	f, err := os.Create(c.SVG)
	if err != nil {
		return err
	}
	return errors.Join(wirebench.Plot(f, wireTitle(points), wirebench.Curves(points), c.Top), f.Close())
}

func wireTitle(points []wirebench.Point) string {
	if len(points) == 0 {
		return ""
	}
	p := points[0]
	seeds := make(map[int]bool)
	for _, q := range points {
		seeds[q.Seed] = true
	}
	return fmt.Sprintf("Loss by bytes: %d miners, %d parameters, steps a round: %d, seeds: %d", p.Miners, p.Parameters, p.Inner, len(seeds))
}

// printWires prints how each method ended.
func printWires(t terminal, all []wirebench.Summary) error {
	table := tui.Table{Columns: []tui.Column{
		{Head: "method"}, {Head: "seeds", Right: true, Drop: 3}, {Head: "rounds", Right: true, Drop: 2}, {Head: "loss", Right: true}, {Head: "range", Right: true, Drop: 1},
		{Head: "to dense", Right: true}, {Head: "up", Right: true}, {Head: "down", Right: true}, {Head: "fewer bytes", Right: true}, {Head: "payload", Right: true, Drop: 5}, {Head: "bits", Right: true, Drop: 4},
	}}
	for _, s := range all {
		bits, behind, fewer := "-", "-", "-"
		if s.Bits > 0 {
			bits = fmt.Sprintf("%.4f", s.Bits)
		}
		if s.Fewer > 0 {
			behind, fewer = fmt.Sprintf("%+.2f%%", 100*s.Behind), fmt.Sprintf("%.4gx", s.Fewer)
		}
		table.Rows = append(table.Rows, []string{
			s.Method, fmt.Sprint(s.Seeds), fmt.Sprint(s.Rounds), fmt.Sprintf("%.4f", s.Loss), fmt.Sprintf("%.4f-%.4f", s.Least, s.Most),
			behind, wireSize(s.Up), wireSize(s.Down), fewer, wireSize(s.Payload), bits,
		})
	}
	return printTable(t, table)
}

// wireSize writes a number of bytes with three digits and a decimal unit.
func wireSize(n int64) string {
	x, units := float64(n), []string{"B", "kB", "MB", "GB", "TB"}
	for x >= 999.5 && len(units) > 1 {
		x, units = x/1000, units[1:]
	}
	return fmt.Sprintf("%.3g %s", x, units[0])
}
