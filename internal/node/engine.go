package node

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"adit/internal/data"
	"adit/internal/engine"
	"adit/internal/engine/device/cpu"
	"adit/internal/engine/model"
	"adit/internal/subnet"
	"adit/internal/tensor"
)

// A lazyEngine sets up the engine when a role first asks for a model, since not
// every role does.
type lazyEngine struct {
	services subnet.Services
	ranks    engine.Ranks

	mu     sync.Mutex
	engine *engine.Engine
}

// Open implements [subnet.Engine].
func (l *lazyEngine) Open(ctx context.Context, files ...subnet.File) (subnet.Model, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.setUp(); err != nil {
		return nil, err
	}
	return l.engine.Open(ctx, files...)
}

// Encode implements [subnet.Engine].
func (l *lazyEngine) Encode(text string) ([]int32, error) {
	l.mu.Lock()
	err := l.setUp()
	l.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return l.engine.Encode(text)
}

func (l *lazyEngine) setUp() error {
	if l.engine != nil {
		return nil
	}
	e, err := OpenEngine(l.services, l.ranks)
	if err != nil {
		return err
	}
	l.engine = e
	return nil
}

// Close closes the base model's files.
func (l *lazyEngine) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.engine != nil {
		return l.engine.Close()
	}
	return nil
}

// ModelFile, ConfigFile and TokenizerFile are the names of a base model's files,
// as Hugging Face has them.
const (
	ModelFile     = "model.safetensors"
	ConfigFile    = "config.json"
	TokenizerFile = "tokenizer.json"
)

// OpenEngine returns an engine for the base model and the text that the
// services name, and that has help as r says. Services that name no text get an
// engine that works with what it is given.
func OpenEngine(s subnet.Services, r engine.Ranks) (*engine.Engine, error) {
	var err error
	if s.Model, err = ModelDir(s.Model); err != nil {
		return nil, err
	}
	cfg, err := readConfig(filepath.Join(s.Model, ConfigFile))
	if err != nil {
		return nil, err
	}
	if s.ExpertsPerToken > 0 && cfg.NRoutedExperts > 0 {
		cfg.NumExpertsPerTok = min(s.ExpertsPerToken, cfg.NRoutedExperts)
	}
	var text engine.Data
	if s.Data != "" {
		corpus, err := data.OpenCorpus(s.Data)
		if err != nil {
			return nil, err
		}
		if corpus.VocabSize() > cfg.VocabSize {
			return nil, subnet.WithHint(fmt.Errorf("the text in %s has tokens up to %d, the model in %s knows %d", s.Data, corpus.VocabSize(), s.Model, cfg.VocabSize),
				"prepare the text with the model's own tokenizer.json")
		}
		text = corpus
	}
	dtype, ok := map[string]tensor.DType{"f32": tensor.F32, "f16": tensor.F16, "bf16": tensor.BF16}[s.DType]
	if !ok {
		return nil, fmt.Errorf("unknown precision %q", s.DType)
	}
	base, err := openBase(s.Model)
	if err != nil {
		return nil, err
	}
	return engine.New(engine.Options{
		Device: cpu.New(s.Threads), Config: cfg, Data: text, SeqLen: s.SeqLen, DType: dtype,
		Encode: encoder(filepath.Join(s.Model, TokenizerFile), cfg.VocabSize),
		Base:   base, Ranks: r,
	}), nil
}

// encoder returns what makes tokens of a text for a model with this many. It reads
// the tokenizer when it is first called: not every protocol has texts.
func encoder(path string, vocab int) func(text string) ([]int32, error) {
	load := sync.OnceValues(func() (*data.Tokenizer, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, subnet.WithHint(fmt.Errorf("tokenizer of the base model: %w", err), "put the model's own tokenizer.json beside its config.json")
		}
		defer f.Close()
		tok, err := data.LoadTokenizer(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if n := tok.VocabSize(); n > vocab {
			return nil, fmt.Errorf("%s has tokens up to %d, the model knows %d", path, n-1, vocab)
		}
		return tok, nil
	})
	return func(text string) ([]int32, error) {
		tok, err := load()
		if err != nil {
			return nil, err
		}
		return tok.Encode(text), nil
	}
}

// maxConfig is more than any config.json needs.
const maxConfig = 1 << 20

func readConfig(path string) (model.Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return model.Config{}, subnet.WithHint(fmt.Errorf("base model: %w", err), "model.model_path must name a directory with config.json and model.safetensors")
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxConfig))
	if err != nil {
		return model.Config{}, err
	}
	cfg, err := model.ParseConfig(text)
	if err != nil {
		return model.Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return cfg, nil
}

// A file is a file outside the neuron's directory.
type file struct {
	*os.File
	size int64
}

func openFile(path string) (subnet.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	return file{f, info.Size()}, nil
}

func (f file) Size() int64 { return f.size }
