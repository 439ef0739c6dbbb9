package data

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
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

// unspell returns the bytes of a token of characters that stand for bytes.
func unspell(s string) (string, bool) {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		c, ok := charBytes[r]
		if !ok {
			return "", false
		}
		b = append(b, c)
	}
	return string(b), true
}

// parseByteToken returns the byte that a token such as <0x0A> stands for.
func parseByteToken(s string) (byte, bool) {
	if len(s) != len("<0x0A>") || !strings.HasPrefix(s, "<0x") || s[5] != '>' {
		return 0, false
	}
	b, err := strconv.ParseUint(s[3:5], 16, 8)
	return byte(b), err == nil
}

// A bpeModel is the model of a tokenizer file.
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

// parseModel reads the model and refuses what is no byte pair encoding.
func parseModel(raw json.RawMessage) (*bpeModel, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, errors.New("model: missing")
	}
	var kind struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(raw, &kind); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	if kind.Type != "BPE" && kind.Type != "" { // the first files named no type
		return nil, fmt.Errorf("model.type: %q, want BPE", kind.Type)
	}
	m := &bpeModel{}
	if err := parseStrict(raw, "model", m); err != nil {
		return nil, err
	}
	full := func(s *string) bool { return s != nil && *s != "" }
	switch {
	case m.Dropout != nil && *m.Dropout != 0:
		return nil, errors.New("model.dropout: want null")
	case full(m.ContinuingSubwordPrefix), full(m.EndOfWordSuffix):
		return nil, errors.New("model: a prefix or suffix of subwords is not supported")
	case len(m.Merges) > maxMerges:
		return nil, fmt.Errorf("model.merges: %d, want at most %d", len(m.Merges), maxMerges)
	}
	return m, nil
}

// build fills the table of merges, but for its ranks.
func (m *bpeModel) build(to *bpe) ([]merge, error) {
	to.unknown, to.fuse = -1, m.FuseUnk
	if m.UnkToken != nil {
		id, ok := m.Vocab[*m.UnkToken]
		if !ok && *m.UnkToken != "" {
			return nil, fmt.Errorf("model.unk_token: %q is not in the vocabulary", *m.UnkToken)
		}
		if ok {
			to.unknown = id
		}
	}
	if err := m.begin(to); err != nil {
		return nil, err
	}
	merges := make([]merge, len(m.Merges))
	const metaspace = '▁'
	if _, ok := to.chars[metaspace]; ok {
		to.space = metaspace
	}
	for i, p := range m.Merges {
		left, ok1 := m.Vocab[p[0]]
		right, ok2 := m.Vocab[p[1]]
		into, ok3 := m.Vocab[p[0]+p[1]]
		if !ok1 || !ok2 || !ok3 {
			return nil, fmt.Errorf("model.merges[%d]: %q, %q and both together must be tokens", i, p[0], p[1])
		}
		merges[i] = merge{left, right, into}
		first, _ := utf8.DecodeRuneInString(p[1])
		if last, _ := utf8.DecodeLastRuneInString(p[0]); first == metaspace && last != metaspace {
			to.space = 0 // this one goes across
		}
	}
	return merges, nil
}

// begin fills in what words begin as.
func (m *bpeModel) begin(to *bpe) error {
	missing := -1
	for b := range to.single {
		name := string(byteChars[b])
		if !to.byteLevel {
			name = fmt.Sprintf("<0x%02X>", b)
		}
		id, ok := m.Vocab[name]
		if !ok || !to.byteLevel && !m.ByteFallback {
			id, missing = -1, b
		}
		to.single[b] = id
	}
	if to.byteLevel && missing >= 0 && (to.unknown >= 0 || m.ByteFallback) {
		return fmt.Errorf("model.vocab: no token for byte %d, %q, and an unk_token or byte_fallback for it is not supported", missing, byteChars[missing])
	}
	if !to.byteLevel {
		to.chars = map[rune]int32{}
		for s, id := range m.Vocab {
			if r, size := utf8.DecodeRuneInString(s); size > 0 && size == len(s) {
				to.chars[r] = id
			}
		}
	}
	if m.IgnoreMerges {
		to.whole = make(map[string]int32, len(m.Vocab))
		for s, id := range m.Vocab {
			ok := true
			if to.byteLevel {
				s, ok = unspell(s)
			}
			if ok && s != "" {
				to.whole[s] = id
			}
		}
	}
	return nil
}
