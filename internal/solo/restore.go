package solo

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"adit/internal/engine/device"
	"adit/internal/engine/model"
	"adit/internal/engine/train"
	"adit/internal/safetensors"
	"adit/internal/subnet"
	"adit/internal/tensor"
)

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
