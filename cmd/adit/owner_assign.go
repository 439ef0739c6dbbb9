package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"adit/internal/protocol/connito"
	"adit/internal/solo"
	"adit/internal/subnet"
)

// OwnerAssignCommand makes an expert group's assignment.
type OwnerAssignCommand struct {
	Model string `required:"" placeholder:"DIR" help:"The whole model: config.json, safetensors, tokenizer.json."`
	textFlags
	SeqLen    int    `placeholder:"N" help:"Tokens of a sequence (256, or what the model can)." group:"Text"`
	Sequences int64  `placeholder:"N" help:"Look at the first so many sequences only." group:"Text"`
	Batch     int    `default:"8" placeholder:"N" help:"Sequences that go through the model at once, 8 at most (${default})."`
	Threads   int    `placeholder:"N" help:"Threads to compute with; one a core, unless given. The result is the same."`
	Experts   int    `default:"8" placeholder:"N" help:"Experts of each layer in the group (${default})."`
	Layers    string `placeholder:"A-B,…" help:"The layers, such as 1-26; all that have experts, unless given."`
	Name      string `placeholder:"NAME" help:"The group's name: with --group-id, its directory is made, with config.yaml."`
	GroupID   int    `name:"group-id" default:"-1" placeholder:"N" help:"The group's number."`
	Groups    string `default:"expert_groups" placeholder:"DIR" help:"Where the directories of groups are (${default})."`
	Out       string `placeholder:"FILE" help:"Where the assignment goes, if not into the group's directory."`
	JSON      bool   `help:"Print JSON."`
}

// Help shows examples.
func (OwnerAssignCommand) Help() string {
	return `Runs the whole model over the group's text, sums the weights that the router of each
layer gives its experts, and takes the heaviest. The same model and text give the same
group.

Examples:
  adit owner assign --model models/v2-lite --data math.jsonl --name exp_math --group-id 0
  adit owner assign --model models/tiny --data law.txt --experts 2 --layers 1-3 --out expert_assignment.json`
}

func (c OwnerAssignCommand) options() solo.EvalOptions {
	return solo.EvalOptions{
		Model: c.Model, Tokenizer: c.Tokenizer, Data: solo.Data{Paths: c.Data, Field: c.DataField},
		SeqLen: c.SeqLen, Batch: c.Batch, Sequences: c.Sequences, Threads: c.Threads,
	}
}

// Validate says everything that is wrong with the options at once.
func (c OwnerAssignCommand) Validate() error {
	errs := []error{c.options().Validate()}
	if c.Experts < 1 {
		errs = append(errs, fmt.Errorf("--experts: %d; give at least 1", c.Experts))
	}
	if _, err := parseLayers(c.Layers); err != nil {
		errs = append(errs, err)
	}
	if (c.Name == "") != (c.GroupID < 0) {
		errs = append(errs, errors.New("--name and --group-id go together"))
	}
	if c.Name == "" && c.Out == "" {
		errs = append(errs, errors.New("give --name and --group-id, or --out"))
	}
	if c.Name != "" && (c.Name != filepath.Base(c.Name) || strings.HasPrefix(c.Name, ".")) {
		errs = append(errs, fmt.Errorf("--name: %q is no name of a directory", c.Name))
	}
	return errors.Join(errs...)
}

// Run makes the assignment.
func (c OwnerAssignCommand) Run(ctx context.Context, t terminal) error {
	out, dir := c.Out, ""
	if c.Name != "" {
		dir = filepath.Join(c.Groups, c.Name)
		if err := c.checkGroup(dir); err != nil {
			return err // before hours of work
		}
		if out == "" {
			out = filepath.Join(dir, "expert_assignment.json")
		}
	}
	o := c.options()
	o.Data.Cache = c.data().Cache
	w, end := watch(terminal{in: t.in, out: io.Discard, err: t.err}, c.JSON)
	defer end()
	routed, err := solo.Route(ctx, o, w)
	end()
	if err != nil {
		return err
	}
	weights, err := c.chosen(routed.Weights)
	if err != nil {
		return err
	}
	a, err := connito.BuildAssignment(weights, c.Experts)
	if err != nil {
		return err
	}
	files := []string{out}
	if err := writeWhole(out, a.Encode()); err != nil {
		return err
	}
	if dir != "" {
		config := filepath.Join(dir, "config.yaml")
		if _, err := os.Stat(config); err != nil {
			if err := writeWhole(config, fmt.Appendf(nil, "# The expert group %s.\ngroup_id: %d\n", c.Name, c.GroupID)); err != nil {
				return err
			}
			files = append(files, config)
		}
	}
	return c.show(t.out, routed, weights, a, files)
}

// checkGroup returns an error if a group's config.yaml is of another number.
func (c OwnerAssignCommand) checkGroup(dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, "config.yaml"))
	if err != nil {
		return nil // there is none yet, or writing it will say
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "group_id:"); ok && strings.TrimSpace(value) != strconv.Itoa(c.GroupID) {
			return subnet.WithHint(fmt.Errorf("%s has group_id %s, not %d", filepath.Join(dir, "config.yaml"), strings.TrimSpace(value), c.GroupID),
				"give that --group-id, or another --name")
		}
	}
	return nil
}

// chosen returns the weights of the layers that are asked for.
func (c OwnerAssignCommand) chosen(weights map[int][]float64) (map[int][]float64, error) {
	layers, err := parseLayers(c.Layers)
	if err != nil || layers == nil {
		return weights, err
	}
	chosen := make(map[int][]float64)
	for _, l := range layers {
		if weights[l] == nil {
			return nil, fmt.Errorf("--layers: layer %d has no routed experts; those that have: %v", l, slices.Sorted(maps.Keys(weights)))
		}
		chosen[l] = weights[l]
	}
	return chosen, nil
}

// maxLayer is beyond the layers of any model.
const maxLayer = 10_000

// parseLayers reads "1-26" or "1,3,5-8"; nil is all.
func parseLayers(s string) ([]int, error) {
	if s == "" {
		return nil, nil
	}
	var layers []int
	for part := range strings.SplitSeq(s, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(part), "-")
		a, err := strconv.Atoi(from)
		b := a
		if err == nil && isRange {
			b, err = strconv.Atoi(to)
		}
		if err != nil || a < 0 || b < a || b >= maxLayer {
			return nil, fmt.Errorf("--layers: %q; give for example 1-26 or 1,3,5", s)
		}
		for l := a; l <= b; l++ {
			layers = append(layers, l)
		}
	}
	return layers, nil
}

// show prints what was chosen: of each layer the experts, by weight, and their
// share of all the weight.
func (c OwnerAssignCommand) show(out io.Writer, r solo.Routed, weights map[int][]float64, a connito.Assignment, files []string) error {
	type layer struct {
		Layer   int     `json:"layer"`
		Experts []int   `json:"experts"`
		Share   float64 `json:"share"`
	}
	var layers []layer
	for _, l := range slices.Sorted(maps.Keys(a)) {
		row := layer{Layer: l}
		var all, own float64
		for _, w := range weights[l] {
			all += w
		}
		for _, p := range a[l] {
			row.Experts = append(row.Experts, p[1])
			own += weights[l][p[1]]
		}
		row.Share = own / all
		layers = append(layers, row)
	}
	if c.JSON {
		return json.NewEncoder(out).Encode(struct {
			Files     []string    `json:"files"`
			Sequences int         `json:"sequences"`
			Tokens    int         `json:"tokens"`
			Loss      solo.Number `json:"loss"`
			Layers    []layer     `json:"layers"`
		}{files, r.Sequences, r.Tokens, r.Loss, layers})
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "LAYER\tSHARE\tEXPERTS")
	for _, l := range layers {
		fmt.Fprintf(table, "%d\t%.1f%%\t%s\n", l.Layer, 100*l.Share, strings.Trim(fmt.Sprint(l.Experts), "[]"))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\n%d sequences, %d tokens. Wrote %s.\n", r.Sequences, r.Tokens, strings.Join(files, " and "))
	return err
}

// writeWhole makes a file that appears whole, and its directory.
func writeWhole(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp_*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
