package data

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"adit/internal/subnet"
)

// Bounds of a tokenizer file; GPT-2's, of 50257 tokens, has 2 MB.
const (
	maxTokenizerBytes = 16 << 20
	maxTokenBytes     = 1 << 10
)

// byteChars is the character that stands for each byte in a tokenizer file: a
// printable Latin-1 character for itself, the others for U+0100 and on, as GPT-2
// does, so that no token looks like white space.
var byteChars = func() (t [256]rune) {
	next := rune(256)
	for b := range t {
		if '!' <= b && b <= '~' || 0xa1 <= b && b <= 0xac || 0xae <= b {
			t[b] = rune(b)
		} else {
			t[b] = next
			next++
		}
	}
	return t
}()

// charBytes is the way back.
var charBytes = func() map[rune]byte {
	t := make(map[rune]byte, len(byteChars))
	for b, r := range byteChars {
		t[r] = byte(b)
	}
	return t
}()

// A tokenizerFile is a tokenizer.json of the tokenizers library, as far as this
// package has a use for it.
type tokenizerFile struct {
	Version       string          `json:"version"`
	Truncation    json.RawMessage `json:"truncation"`
	Padding       json.RawMessage `json:"padding"`
	AddedTokens   []addedToken    `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  *byteLevel      `json:"pre_tokenizer"`
	PostProcessor *byteLevel      `json:"post_processor"`
	Decoder       *byteLevel      `json:"decoder"`
	Model         *bpeModel       `json:"model"`
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

type byteLevel struct {
	Type           string `json:"type"`
	AddPrefixSpace bool   `json:"add_prefix_space"`
	TrimOffsets    bool   `json:"trim_offsets"`
	UseRegex       *bool  `json:"use_regex"` // true where it is missing
}

type bpeModel struct {
	Type                    string           `json:"type"`
	Dropout                 *float64         `json:"dropout"`
	UnkToken                *string          `json:"unk_token"`
	ContinuingSubwordPrefix *string          `json:"continuing_subword_prefix"`
	EndOfWordSuffix         *string          `json:"end_of_word_suffix"`
	FuseUnk                 bool             `json:"fuse_unk"`
	ByteFallback            bool             `json:"byte_fallback"`
	IgnoreMerges            bool             `json:"ignore_merges"`
	Vocab                   map[string]int32 `json:"vocab"`
	Merges                  []mergePair      `json:"merges"`
}

// A mergePair is written "a b" by older versions of the library and ["a", "b"]
// by newer ones.
type mergePair [2]string

func (m *mergePair) UnmarshalJSON(b []byte) error {
	if b[0] == '[' {
		var parts []string
		if err := json.Unmarshal(b, &parts); err != nil {
			return err
		}
		if len(parts) != 2 {
			return fmt.Errorf("a merge of %d tokens", len(parts))
		}
		*m = mergePair(parts)
		return nil
	}
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	left, right, ok := strings.Cut(s, " ")
	if !ok {
		return fmt.Errorf("merge %q has no space", s)
	}
	*m = mergePair{left, right}
	return nil
}

// Save writes the tokenizer as a tokenizer.json, tokens and merges in order.
func (t *Tokenizer) Save(w io.Writer) error {
	var b bytes.Buffer
	b.WriteString(`{
  "version": "1.0",
  "truncation": null,
  "padding": null,
  "added_tokens": [
    {"id": `)
	fmt.Fprint(&b, t.end)
	b.WriteString(`, "content": "` + EndOfText + `", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}
  ],
  "normalizer": null,
  "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
  "post_processor": null,
  "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
  "model": {
    "type": "BPE",
    "dropout": null,
    "unk_token": null,
    "continuing_subword_prefix": null,
    "end_of_word_suffix": null,
    "fuse_unk": false,
    "byte_fallback": false,
    "ignore_merges": false,
    "vocab": {`)
	for id := range t.bytes {
		separate(&b, id)
		quote(&b, t.spell(int32(id)))
		fmt.Fprintf(&b, ": %d", id)
	}
	b.WriteString("\n    },\n    \"merges\": [")
	for i, m := range t.merges {
		separate(&b, i)
		quote(&b, t.spell(m.left)+" "+t.spell(m.right))
	}
	b.WriteString("\n    ]\n  }\n}\n")
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("save tokenizer: %w", err)
	}
	return nil
}

// separate begins the i-th line of a list.
func separate(b *bytes.Buffer, i int) {
	if i > 0 {
		b.WriteByte(',')
	}
	b.WriteString("\n      ")
}

// quote writes a JSON string without the escapes for HTML.
func quote(b *bytes.Buffer, s string) {
	b.WriteByte('"')
	for _, r := range s {
		if r == '"' || r == '\\' {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	b.WriteByte('"')
}

// spell returns a token as it stands in the file.
func (t *Tokenizer) spell(id int32) string {
	if id == t.end {
		return EndOfText
	}
	var b strings.Builder
	for i := range len(t.bytes[id]) {
		b.WriteRune(byteChars[t.bytes[id][i]])
	}
	return b.String()
}

// unspell returns the bytes of a token as it stands in the file.
func unspell(s string) (string, error) {
	if s == "" || len(s) > maxTokenBytes {
		return "", fmt.Errorf("token of %d bytes: want 1 to %d", len(s), maxTokenBytes)
	}
	b := make([]byte, 0, len(s))
	for _, r := range s {
		c, ok := charBytes[r]
		if !ok {
			return "", fmt.Errorf("token %q: %q is no character of the byte alphabet", s, r)
		}
		b = append(b, c)
	}
	return string(b), nil
}

// LoadTokenizer reads a tokenizer.json. It takes byte-level BPE with GPT-2's words
// and the one special token [EndOfText], which this package writes and GPT-2 has,
// and refuses any setting that would make it encode differently from the library
// that wrote the file.
func LoadTokenizer(r io.Reader) (*Tokenizer, error) {
	t, err := loadTokenizer(r)
	if err != nil {
		return nil, subnet.WithHint(fmt.Errorf("tokenizer.json: %w", err),
			"it must be a byte-level BPE with GPT-2's pre-tokenizer, as written by this program")
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
	if err := f.check(); err != nil {
		return nil, err
	}
	return f.tokenizer()
}

// check refuses what Encode does not do.
func (f *tokenizerFile) check() error {
	given := func(raw json.RawMessage) bool { return raw != nil && string(raw) != "null" }
	full := func(s *string) bool { return s != nil && *s != "" }
	m := f.Model
	switch {
	case m == nil:
		return errors.New("model: missing")
	case m.Type != "BPE" && m.Type != "": // the first files named no type
		return fmt.Errorf("model.type: %q, want BPE", m.Type)
	case m.Dropout != nil && *m.Dropout != 0:
		return errors.New("model.dropout: want null")
	case full(m.ContinuingSubwordPrefix), full(m.EndOfWordSuffix):
		return errors.New("model: a prefix or suffix of subwords is not byte-level BPE")
	case m.ByteFallback, m.IgnoreMerges:
		return errors.New("model: byte_fallback and ignore_merges must be false")
	case given(f.Normalizer):
		return errors.New("normalizer: want null")
	case given(f.Truncation), given(f.Padding):
		return errors.New("truncation, padding: want null")
	case f.PreTokenizer == nil || f.PreTokenizer.Type != "ByteLevel":
		return errors.New("pre_tokenizer.type: want ByteLevel")
	case f.PreTokenizer.AddPrefixSpace:
		return errors.New("pre_tokenizer.add_prefix_space: want false")
	case f.PreTokenizer.UseRegex != nil && !*f.PreTokenizer.UseRegex:
		return errors.New("pre_tokenizer.use_regex: want true")
	case f.Decoder == nil || f.Decoder.Type != "ByteLevel":
		return errors.New("decoder.type: want ByteLevel")
	case f.PostProcessor != nil && f.PostProcessor.Type != "ByteLevel":
		return errors.New("post_processor.type: want ByteLevel or null")
	case len(f.AddedTokens) != 1 || f.AddedTokens[0].Content != EndOfText:
		return fmt.Errorf("added_tokens: want %s and no other", EndOfText)
	}
	if a := f.AddedTokens[0]; a.SingleWord || a.LStrip || a.RStrip {
		return errors.New("added_tokens[0]: single_word, lstrip and rstrip must be false")
	}
	if n := len(m.Vocab); n < minVocab || n > maxVocab {
		return fmt.Errorf("model.vocab: %d tokens, want %d to %d", n, minVocab, maxVocab)
	}
	if n := len(m.Merges); n > maxVocab {
		return fmt.Errorf("model.merges: %d, want at most %d", n, maxVocab)
	}
	return nil
}

// tokenizer builds the tokenizer of a checked file.
func (f *tokenizerFile) tokenizer() (*Tokenizer, error) {
	m, end := f.Model, f.AddedTokens[0].ID
	if id, ok := m.Vocab[EndOfText]; !ok || id != end {
		return nil, fmt.Errorf("model.vocab: %s is not token %d as added_tokens says", EndOfText, end)
	}
	tokens := make([]string, len(m.Vocab))
	taken := make([]bool, len(m.Vocab))
	spelled := make([]string, 0, len(m.Vocab))
	for s := range m.Vocab {
		spelled = append(spelled, s)
	}
	slices.Sort(spelled) // for the same error every time
	for _, s := range spelled {
		id := m.Vocab[s]
		if id < 0 || int(id) >= len(tokens) || taken[id] {
			return nil, fmt.Errorf("model.vocab: token %q has id %d: the ids of %d tokens must be 0 to %d, each once", s, id, len(tokens), len(tokens)-1)
		}
		taken[id] = true
		if id == end {
			continue
		}
		b, err := unspell(s)
		if err != nil {
			return nil, fmt.Errorf("model.vocab: %w", err)
		}
		tokens[id] = b
	}
	var single [256]int32
	for b, r := range byteChars {
		id, ok := m.Vocab[string(r)]
		if !ok {
			return nil, fmt.Errorf("model.vocab: no token for byte %d, %q", b, r)
		}
		single[b] = id
	}
	merges := make([]merge, len(m.Merges))
	seen := make(map[[2]int32]bool, len(merges))
	for i, p := range m.Merges {
		left, ok1 := m.Vocab[p[0]]
		right, ok2 := m.Vocab[p[1]]
		into, ok3 := m.Vocab[p[0]+p[1]]
		pair := [2]int32{left, right}
		switch {
		case !ok1 || !ok2 || !ok3:
			return nil, fmt.Errorf("model.merges[%d]: %q, %q and both together must be tokens", i, p[0], p[1])
		case left == end || right == end || into == end:
			return nil, fmt.Errorf("model.merges[%d]: the special token cannot be merged", i)
		case seen[pair]:
			return nil, fmt.Errorf("model.merges[%d]: %q %q is there twice", i, p[0], p[1])
		}
		seen[pair] = true
		merges[i] = merge{left, right, into}
	}
	return newTokenizer(tokens, end, single, merges), nil
}
