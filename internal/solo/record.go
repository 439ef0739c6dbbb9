package solo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"adit/internal/subnet"
)

// A record is training.json.
type record struct {
	Version int     `json:"version"`
	Step    int     `json:"step"`
	Tokens  int64   `json:"tokens"`
	Seconds float64 `json:"seconds"` // of training
	// Fixed are the settings without which the next step would be another, by
	// their flags; Free those that a person may change.
	Fixed map[string]string `json:"fixed"`
	Free  map[string]string `json:"free"`
}

const recordVersion = 1

// record returns that of a training before its first step.
func (o TrainOptions) record(text string, seqLen int) record {
	end := "1 epoch"
	switch {
	case o.Steps > 0:
		end = fmt.Sprintf("%d steps", o.Steps)
	case o.Epochs > 0:
		end = fmt.Sprintf("%v epochs", o.Epochs)
	case o.Time > 0:
		end = o.Time.String()
	}
	return record{
		Version: recordVersion,
		Fixed: map[string]string{
			"data": text, "seq-len": fmt.Sprint(seqLen), "seed": fmt.Sprint(o.Seed),
			"shard": fmt.Sprintf("%d/%d", o.Shard+1, max(o.Shards, 1)), "eval-split": fmt.Sprint(o.EvalSplit),
			"dtype": strings.ToLower(o.DType.String()),
		},
		Free: map[string]string{
			"end": end, "batch": fmt.Sprint(o.Batch), "accumulate": fmt.Sprint(max(o.Accum, 1)), "schedule": string(o.Curve),
			"lr": fmt.Sprint(o.LR), "warmup": fmt.Sprint(o.Warmup), "min-lr": fmt.Sprint(o.MinLR), "optimizer": string(o.Rules.Method),
			"beta1": fmt.Sprint(o.Rules.Beta1), "beta2": fmt.Sprint(o.Rules.Beta2), "eps": fmt.Sprint(o.Rules.Eps),
			"momentum": fmt.Sprint(o.Rules.Momentum), "weight-decay": fmt.Sprint(o.Rules.WeightDecay), "clip": fmt.Sprint(o.Rules.ClipNorm),
			"precision": string(o.Precision), "train": strings.Join(o.Params, " "),
		},
	}
}

// readRecord reads the record in a directory. The error wraps subnet.ErrNotFound
// if there is none.
func readRecord(dir string) (record, error) {
	path := filepath.Join(dir, recordName)
	b, err := readSmall(path)
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, subnet.WithHint(fmt.Errorf("%s: no training to go on with: %w", dir, subnet.ErrNotFound), "name the directory that the training wrote to with --out, or leave --resume out to begin one")
	}
	if err != nil {
		return record{}, err
	}
	var r record
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	err = dec.Decode(&r)
	switch {
	case err != nil:
	case r.Version != recordVersion:
		err = fmt.Errorf("version %d, want %d", r.Version, recordVersion)
	case r.Step < 0 || r.Tokens < 0 || !(r.Seconds >= 0):
		err = errors.New("a negative number")
	}
	if err != nil {
		return r, subnet.WithHint(fmt.Errorf("%s: %w", path, err), "the checkpoint is damaged; begin anew from the model in it, with another --out")
	}
	return r, nil
}

// follows returns an error if a training with the settings of r would not go on
// with that of the record old, and notes about what it does otherwise.
func (r record) follows(old record, dir string) (notes []string, err error) {
	for _, name := range sortedKeys(r.Fixed) {
		if was, is := old.Fixed[name], r.Fixed[name]; was != is {
			if name == "data" {
				was, is = "another text", "this one"
			}
			return nil, subnet.WithHint(fmt.Errorf("--%s is %s, but the training in %s had %s", name, is, dir, was),
				"give what it had to go on; to train its model in another way, begin anew from it with another --out")
		}
	}
	for _, name := range sortedKeys(r.Free) {
		if was, is := old.Free[name], r.Free[name]; was != is {
			notes = append(notes, fmt.Sprintf("goes on with another --%s: %s, was %s", name, orNone(is), orNone(was)))
		}
	}
	return notes, nil
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func sortedKeys(m map[string]string) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
