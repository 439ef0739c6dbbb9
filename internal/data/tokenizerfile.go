package data

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"adit/internal/subnet"
)

// Bounds of a tokenizer file; Gemma's, of 256000 tokens, has 33 MB.
const (
	maxTokenizerBytes = 128 << 20
	maxTokenBytes     = 16 << 10
	maxMerges         = 4 * maxVocabulary
	maxParts          = 64 // of one stage
)

// A tokenizerFile is a tokenizer.json of the tokenizers library. The parts whose
// fields depend on their type are read apart.
type tokenizerFile struct {
	Version       string          `json:"version"`
	Truncation    json.RawMessage `json:"truncation"` // not looked at: see LoadTokenizer
	Padding       json.RawMessage `json:"padding"`
	AddedTokens   []addedToken    `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       json.RawMessage `json:"decoder"`
	Model         json.RawMessage `json:"model"`
}

type addedToken struct {
	ID         int32  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

// LoadTokenizer reads a tokenizer.json: byte pair encoding with the normalizers,
// pre-tokenizers and decoders of the models in use. It names and refuses what it
// does not know, as any of it would make it encode differently from the library
// that wrote the file. As in transformers, a truncation or padding that was saved
// with the file does not count.
func LoadTokenizer(r io.Reader) (*Tokenizer, error) {
	t, err := loadTokenizer(r)
	if err != nil {
		return nil, subnet.WithHint(fmt.Errorf("tokenizer.json: %w", err),
			"take the tokenizer.json of a model that uses byte pair encoding, such as GPT-2, Llama, Mistral, Qwen or DeepSeek, as it was published")
	}
	return t, nil
}

func loadTokenizer(r io.Reader) (*Tokenizer, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxTokenizerBytes+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxTokenizerBytes {
		return nil, fmt.Errorf("larger than %d MiB", maxTokenizerBytes>>20)
	}
	if !utf8.Valid(b) {
		return nil, errors.New("not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	var f tokenizerFile
	if err := dec.Decode(&f); err != nil {
		line := 1 + bytes.Count(b[:min(int(dec.InputOffset()), len(b))], []byte("\n"))
		if at, ok := errors.AsType[*json.SyntaxError](err); ok {
			line = 1 + bytes.Count(b[:min(int(at.Offset), len(b))], []byte("\n"))
		}
		return nil, fmt.Errorf("line %d: %w", line, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("something follows the JSON object")
	}
	t, err := f.tokenizer()
	if err != nil {
		return nil, err
	}
	t.file = b
	return t, nil
}

// tokenizer puts the parts of a file together.
func (f *tokenizerFile) tokenizer() (*Tokenizer, error) {
	t := &Tokenizer{special: map[int32]bool{}, names: map[string]int32{}, end: -1}
	var err error
	if t.normalizers, err = parseNormalizer(f.Normalizer, "normalizer"); err != nil {
		return nil, err
	}
	if t.splitters, t.model.byteLevel, err = parsePreTokenizer(f.PreTokenizer, "pre_tokenizer"); err != nil {
		return nil, err
	}
	m, err := parseModel(f.Model)
	if err != nil {
		return nil, err
	}
	spelled, err := f.vocabulary(m.Vocab)
	if err != nil {
		return nil, err
	}
	if err := t.decode(f.Decoder, spelled); err != nil {
		return nil, err
	}
	if err := parsePostProcessor(f.PostProcessor, "post_processor", t); err != nil {
		return nil, err
	}
	merges, err := m.build(&t.model)
	if err != nil {
		return nil, err
	}
	t.add(f.AddedTokens, m.Vocab)
	t.ready(merges)
	return t, nil
}

// vocabulary returns all tokens by id.
func (f *tokenizerFile) vocabulary(vocab map[string]int32) ([]string, error) {
	count := len(vocab) + len(f.AddedTokens)
	if len(vocab) == 0 || count > maxVocabulary {
		return nil, fmt.Errorf("model.vocab: %d tokens, want 1 to %d", count, maxVocabulary)
	}
	// There may be gaps, but no id may make more of them than tokens.
	limit := 2*count + 1024
	size := int32(0)
	sorted := make([]string, 0, count)
	for s, id := range vocab {
		if id < 0 || int(id) >= limit || len(s) > maxTokenBytes {
			return nil, fmt.Errorf("model.vocab: token %.40q of %d bytes has id %d: want at most %d bytes, and ids near 0 to %d", s, len(s), id, maxTokenBytes, count-1)
		}
		size = max(size, id+1)
		sorted = append(sorted, s)
	}
	slices.Sort(sorted) // for the same error every time
	for i, a := range f.AddedTokens {
		switch id, ok := vocab[a.Content]; {
		case a.Content == "" || len(a.Content) > maxTokenBytes:
			return nil, fmt.Errorf("added_tokens[%d]: a token of %d bytes, want 1 to %d", i, len(a.Content), maxTokenBytes)
		case ok && id != a.ID:
			return nil, fmt.Errorf("added_tokens[%d]: %s is not token %d as added_tokens says, but %d in model.vocab", i, a.Content, a.ID, id)
		case a.ID < 0 || int(a.ID) >= limit:
			return nil, fmt.Errorf("added_tokens[%d]: %s has id %d: ids must be near 0 to %d", i, a.Content, a.ID, count-1)
		}
		size = max(size, a.ID+1)
	}
	spelled := make([]string, size)
	taken := make([]bool, size)
	put := func(s string, id int32) error {
		if taken[id] && spelled[id] != s {
			return fmt.Errorf("model.vocab: tokens %q and %q both have id %d: each must have its own", spelled[id], s, id)
		}
		spelled[id], taken[id] = s, true
		return nil
	}
	for _, s := range sorted {
		if err := put(s, vocab[s]); err != nil {
			return nil, err
		}
	}
	for _, a := range f.AddedTokens {
		if err := put(a.Content, a.ID); err != nil {
			return nil, err
		}
	}
	return spelled, nil
}

// ends are the names that the models in use have for the end of a text, the ones
// that mean nothing else first.
var ends = []string{EndOfText, "<|end_of_text|>", "<｜end▁of▁sentence｜>", "</s>", "<eos>", "[EOS]", "<|eot_id|>", "<|im_end|>"}

// add takes the added tokens.
func (t *Tokenizer) add(tokens []addedToken, vocab map[string]int32) {
	var plain, normalized []addedToken
	for _, a := range tokens {
		t.names[a.Content] = a.ID
		if a.Special {
			t.special[a.ID] = true
		}
		if !a.Normalized {
			plain = append(plain, a)
			continue
		}
		for _, n := range t.normalizers {
			a.Content = n(a.Content, beginning)
		}
		if a.Content != "" {
			normalized = append(normalized, a)
		}
	}
	t.added = newAddedTokens(plain)
	if len(normalized) > 0 {
		t.normalized = newAddedTokens(normalized)
	}
	for _, name := range ends {
		id, ok := t.names[name]
		if !ok {
			id, ok = vocab[name]
		}
		if ok {
			t.end = id
			break
		}
	}
}
