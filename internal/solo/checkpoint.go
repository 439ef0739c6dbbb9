package solo

import (
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

// prepareOut returns an error if checkpoints could not be written to dir when it
// is time.
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
	dir, err := filepath.Abs(s.dir)
	if err != nil {
		return err
	}
	beside := filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+".state")
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
