package solo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"adit/internal/data"
	"adit/internal/subnet"
)

// Data says where text is.
type Data struct {
	// Paths are files and folders of text, JSON lines or Parquet; or files of
	// tokens, mapped as they are.
	Paths []string
	// Field is the field of JSON lines and the column of Parquet files that
	// holds the text; "" finds it.
	Field string
	// Cache is the folder in which text stays as tokens for the next time; ""
	// makes them anew each time.
	Cache string
}

// tokens is text as numbers, open until it is closed.
type tokens struct {
	*data.Tokens
	// id tells the text from others, whatever its name and place.
	id     string
	remove string // a folder that goes with it
}

// use puts a part of the tokens in their place.
func (t *tokens) use(part *data.Tokens) { t.Tokens = part }

func (t *tokens) Close() error {
	err := t.Tokens.Close() // a part closes the whole
	if t.remove != "" {
		err = errors.Join(err, os.RemoveAll(t.remove))
	}
	return err
}

// loadTokenizer reads a tokenizer.json for a model with this many tokens.
func loadTokenizer(path string, vocab int) (*data.Tokenizer, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, subnet.WithHint(fmt.Errorf("tokenizer %s: %w", path, subnet.ErrNotFound), "give the path of a tokenizer.json, or of the folder that it is in")
	}
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	defer f.Close()
	tok, err := data.LoadTokenizer(f)
	if err != nil {
		return nil, fmt.Errorf("tokenizer %s: %w", path, err)
	}
	if n := tok.VocabSize(); n > vocab {
		return nil, subnet.WithHint(fmt.Errorf("tokenizer %s has tokens up to %d, but the model's vocab_size is %d", path, n-1, vocab),
			"use the tokenizer that the model was made with; for a new model, set vocab_size in config.json to at least the tokenizer's")
	}
	return tok, nil
}

// useTokenizer takes the tokenizer at path, which is a tokenizer.json or the folder
// that it is in, in the place of the model's own.
func (s *source) useTokenizer(path string) error {
	dir := path
	if isFile(path) {
		if filepath.Base(path) != tokenizerName {
			return subnet.WithHint(fmt.Errorf("tokenizer %s: it is not called %s", path, tokenizerName), "rename the file, as programs look for it by its name")
		}
		dir = filepath.Dir(path)
	}
	s.findTokenizer(dir)
	if s.tokenizer == "" {
		return subnet.WithHint(fmt.Errorf("tokenizer %s: %w", path, subnet.ErrNotFound), "give the path of a tokenizer.json, or of the folder that it is in")
	}
	return nil
}

// needTokenizer is the error of a model without one.
func needTokenizer(path string) error {
	return subnet.WithHint(fmt.Errorf("model %s: there is no %s", path, tokenizerName),
		"download the model's tokenizer.json into the folder, or name one with --tokenizer")
}

// ready opens the tokens of d, which are made first if it is text. ends are the
// tokens that may end a document by the model's settings; of these, the first
// that the tokenizer has is put after each.
func (d Data) ready(ctx context.Context, s *source, vocab int, w Watcher) (*tokens, error) {
	files, err := data.TokenFiles(d.Paths...)
	if err != nil {
		return nil, err
	}
	if len(files) > 0 {
		t, err := data.Open(data.TokenOptions{Vocab: vocab}, files...)
		if err != nil {
			return nil, err
		}
		id, err := fileID(files)
		if err != nil {
			return nil, errors.Join(err, t.Close())
		}
		return &tokens{Tokens: t, id: id}, nil
	}
	if s.tokenizer == "" {
		return nil, needTokenizer(s.path)
	}
	tok, err := loadTokenizer(s.tokenizer, vocab)
	if err != nil {
		return nil, err
	}
	texts, err := data.NewTexts(d.Field, d.Paths...)
	if err != nil {
		return nil, err
	}
	opt := data.EncodeOptions{Progress: func(done, total int64) { w.Stage("encoding text", done, total) }}
	for _, id := range s.settings.Ends {
		if opt.End == nil && int(id) < tok.VocabSize() {
			opt.End = &id
		}
	}
	return d.encode(ctx, texts, tok, opt, vocab)
}

// encode makes tokens of texts, or finds those that were made of them before.
func (d Data) encode(ctx context.Context, texts *data.Texts, tok *data.Tokenizer, opt data.EncodeOptions, vocab int) (_ *tokens, err error) {
	dir, remove := d.Cache, ""
	if dir != "" {
		err = os.MkdirAll(dir, 0o755)
		if err == nil {
			tidy(dir)
		}
	} else if dir, err = os.MkdirTemp("", "adit-tokens-"); err == nil {
		remove = dir
		defer func() {
			if err != nil {
				err = errors.Join(err, os.RemoveAll(remove))
			}
		}()
	}
	if err != nil {
		return nil, subnet.WithHint(fmt.Errorf("make room for tokens: %w", err), "name a folder for them with --cache")
	}
	end := tok.End()
	if opt.End != nil {
		end = *opt.End
	}
	key := sha256.Sum256(fmt.Appendf(nil, "%s %d %q %s %s", tok.Digest(), end, d.Field, texts.Name(), texts.Fingerprint()))
	path := filepath.Join(dir, hex.EncodeToString(key[:12])+tokenSuffix)
	info, err := data.Encode(ctx, path, texts, tok, opt)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	_ = os.Chtimes(path, now, now) // for tidy, which a folder that is read-only does not need
	t, err := data.Open(data.TokenOptions{Vocab: vocab}, path)
	if err != nil {
		return nil, err
	}
	return &tokens{Tokens: t, id: info.SHA256, remove: remove}, nil
}

const tokenSuffix = ".tokens"

// keepTokens is how long tokens stay in the cache after they were last used.
const keepTokens = 30 * 24 * time.Hour

// tidy removes from a cache what nobody has used for a while. What it cannot
// remove stays.
func tidy(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || !strings.HasSuffix(e.Name(), tokenSuffix) || time.Since(info.ModTime()) < keepTokens {
			continue
		}
		path := filepath.Join(dir, e.Name())
		_ = os.Remove(path + ".json")
		_ = os.Remove(path)
	}
}

// fileID tells token files from others by their names and sizes, as they may be
// too large to be read for it.
func fileID(paths []string) (string, error) {
	h := sha256.New()
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return "", fmt.Errorf("read data: %w", err)
		}
		fmt.Fprintf(h, "%q %d\n", filepath.Base(path), info.Size())
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
