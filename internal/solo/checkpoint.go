package solo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"adit/internal/engine/device"
	"adit/internal/engine/model"
	"adit/internal/engine/pretrained"
	"adit/internal/engine/train"
	"adit/internal/safetensors"
	"adit/internal/subnet"
	"adit/internal/tensor"
)

// What a checkpoint has beside the model.
const (
	recordName = "training.json"                // how far the training is, and how it was set
	stateName  = "training.safetensors"         // of the trainer
	masterName = "training.weights.safetensors" // the parameters in 32 bits, where the model's files have fewer
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

// settingsOf returns the settings of a training for its record.
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

// A saver writes checkpoints of one training.
type saver struct {
	dir        string
	dev        device.Device
	m          *model.Model
	trainer    *train.Trainer
	config     []byte
	generation []byte
	files      []string // of the tokenizer
	dtype      tensor.DType
	shardBytes int64
}

// prepare returns an error if the checkpoint could not be written when it is
// time.
func prepareOut(dir string, resume bool) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) && resume:
		_, err := readRecord(dir)
		return err
	case errors.Is(err, fs.ErrNotExist):
		return writable(filepath.Dir(filepath.Clean(dir)))
	case err != nil:
		return subnet.WithHint(fmt.Errorf("checkpoints: %w", err), "name a directory for them with --out")
	case !resume && isFile(filepath.Join(dir, recordName)):
		return subnet.WithHint(fmt.Errorf("%s holds a training already", dir), "go on with it by --resume, or name another directory with --out")
	case !resume && len(entries) > 0:
		return subnet.WithHint(fmt.Errorf("%s is not empty", dir), "name a new directory with --out; checkpoints replace all that is in it")
	}
	for _, e := range entries {
		if e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			return subnet.WithHint(fmt.Errorf("%s holds %s, which would be lost when a checkpoint replaces the directory", dir, e.Name()), "move it elsewhere")
		}
	}
	return writable(filepath.Dir(filepath.Clean(dir)))
}

// writable makes a directory if need be, and tries whether files can be made
// in it.
func writable(dir string) error {
	err := os.MkdirAll(dir, 0o777)
	if err == nil {
		var f *os.File
		if f, err = os.CreateTemp(dir, ".adit-"); err == nil {
			err = errors.Join(f.Close(), os.Remove(f.Name()))
		}
	}
	if err != nil {
		return subnet.WithHint(fmt.Errorf("checkpoints: %w", err), "name a directory that you may write to with --out")
	}
	return nil
}

// errDiverged is wrapped by the error of a training that has come to nothing.
var errDiverged = errors.New("has become infinite or not a number")

// save writes a checkpoint in the place of the one before. If it returns an
// error, that one is still there.
func (s *saver) save(r record) error {
	if err := s.write(r); err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	return nil
}

func (s *saver) write(r record) (err error) {
	for _, p := range s.m.Params() {
		if !s.dev.Finite(s.m.Weights(p)) {
			return subnet.WithHint(fmt.Errorf("the parameter %s %w", p.Name, errDiverged),
				"the checkpoint before is as it was; go on from it with a lower --lr")
		}
	}
	// The trainer's files are made beside the directory, and copied into it. A
	// kill leaves them to the next call.
	beside := filepath.Join(filepath.Dir(filepath.Clean(s.dir)), "."+filepath.Base(s.dir)+".state")
	if err := os.RemoveAll(beside); err != nil {
		return err
	}
	if err := os.Mkdir(beside, 0o777); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(beside)) }()
	c := pretrained.Contents{
		Config: s.config, Generation: s.generation, ShardBytes: s.shardBytes,
		Files: slices.Clone(s.files), Tensors: weightSources(s.dev, s.m, s.dtype),
	}
	add := func(name string, fill func(io.Writer) error) error {
		path := filepath.Join(beside, name)
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		c.Files = append(c.Files, path)
		return errors.Join(fill(f), f.Close())
	}
	if err := add(stateName, s.trainer.Save); err != nil {
		return err
	}
	if s.dtype != tensor.F32 {
		if err := add(masterName, s.writeMaster); err != nil {
			return err
		}
	}
	err = add(recordName, func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	})
	if err != nil {
		return err
	}
	if c.Files, err = s.keep(c.Files); err != nil {
		return err
	}
	return pretrained.Write(s.dir, c)
}

// made are the files that a checkpoint has anew each time, whether it has them or
// not.
var made = regexp.MustCompile(`^(config\.json|generation_config\.json|(model|pytorch_model)[-.].*|training\..*)$`)

// keep adds to files those that a person has put beside the checkpoint, such as
// a README.md.
func (s *saver) keep(files []string) ([]string, error) {
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return files, nil
	}
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name := e.Name()
		there := slices.ContainsFunc(files, func(path string) bool { return filepath.Base(path) == name })
		if e.Type().IsRegular() && !there && !made.MatchString(name) && !strings.HasPrefix(name, ".") {
			files = append(files, filepath.Join(s.dir, name))
		}
	}
	return files, nil
}

// writeMaster writes all parameters in 32 bits.
func (s *saver) writeMaster(w io.Writer) error {
	sources := weightSources(s.dev, s.m, tensor.F32)
	var specs []safetensors.Spec
	for _, src := range sources {
		specs = append(specs, safetensors.Spec{Name: src.Name, DType: tensor.F32, Shape: src.Shape})
	}
	header, order, err := safetensors.Header(specs, nil)
	if err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	for _, i := range order {
		err := sources[i].Floats(func(vals []float32) error {
			_, err := w.Write(tensor.FromFloats(tensor.F32, []int{len(vals)}, vals).Data)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// A diskFile is a file that the engine reads.
type diskFile struct {
	*os.File
	size int64
}

func (f diskFile) Size() int64 { return f.size }

func openFile(path string) (diskFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return diskFile{}, err
	}
	info, err := f.Stat()
	if err != nil {
		return diskFile{}, errors.Join(err, f.Close())
	}
	return diskFile{f, info.Size()}, nil
}

// resume takes up the trainer's state in a directory, and the parameters where
// the model's files, which m was loaded from, do not have all their bits.
func resume(dir string, dtype tensor.DType, dev device.Device, m *model.Model, t *train.Trainer) error {
	if dtype != tensor.F32 {
		if err := readMaster(filepath.Join(dir, masterName), dev, m); err != nil {
			return err
		}
	}
	f, err := openFile(filepath.Join(dir, stateName))
	if err != nil {
		return subnet.WithHint(fmt.Errorf("resume training: %w", err), hintBroken)
	}
	defer f.Close()
	if err := t.Resume(f); err != nil {
		return subnet.WithHint(err, hintBroken)
	}
	return nil
}

const hintBroken = "give the --optimizer, --train and --freeze that it had; if the file is damaged, begin anew from the model in this directory, with another --out"

// readMaster reads what writeMaster wrote.
func readMaster(path string, dev device.Device, m *model.Model) (err error) {
	defer func() {
		if err != nil {
			err = subnet.WithHint(fmt.Errorf("resume training: %s: %w", path, err), hintBroken)
		}
	}()
	f, err := openFile(path)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := safetensors.Open(f, f.size)
	if err != nil {
		return err
	}
	var vals []float32
	var b []byte
	for _, p := range m.Params() {
		info, ok := st.Info(p.Name)
		if !ok || info.DType != tensor.F32 || !slices.Equal(info.Shape, p.Shape) {
			return fmt.Errorf("tensor %q is not there as F32%v", p.Name, p.Shape)
		}
		b = slices.Grow(b[:0], int(info.Size))[:info.Size]
		if _, err := io.ReadFull(st.Reader(p.Name), b); err != nil {
			return fmt.Errorf("tensor %q: %w", p.Name, err)
		}
		x := tensor.Tensor{DType: tensor.F32, Shape: p.Shape, Data: b}
		if !x.Finite() {
			return fmt.Errorf("tensor %q is not finite", p.Name)
		}
		if vals, err = x.Floats(vals); err != nil {
			return err
		}
		dev.Upload(m.Weights(p), vals)
	}
	if st.Len() != len(m.Params()) {
		return fmt.Errorf("it holds %d tensors, and the model has %d", st.Len(), len(m.Params()))
	}
	return nil
}

// IsCheckpoint reports whether Train wrote to a directory.
func IsCheckpoint(dir string) bool { return isFile(filepath.Join(dir, recordName)) }
