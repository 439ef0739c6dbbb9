package data

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// parseStrict reads a part of a tokenizer file, in which v has all fields there
// may be.
func parseStrict(raw json.RawMessage, path string, v any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// typeOf returns the type of a part, "" if it is null or missing.
func typeOf(raw json.RawMessage, path string) (string, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return "", nil
	}
	var v struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	if v.Type == "" {
		return "", fmt.Errorf("%s.type: missing", path)
	}
	return v.Type, nil
}

// eachPart hands over the part, or those of a Sequence, which list them under a
// name of the stage.
func eachPart(raw json.RawMessage, path, list string, visit func(raw json.RawMessage, typ, path string) error) error {
	left := maxParts
	var walk func(raw json.RawMessage, path string, depth int) error
	walk = func(raw json.RawMessage, path string, depth int) error {
		typ, err := typeOf(raw, path)
		if err != nil || typ == "" {
			return err
		}
		if left--; left < 0 || depth > 4 {
			return fmt.Errorf("%s: more than %d parts, or in more than 4 sequences", path, maxParts)
		}
		if typ != "Sequence" {
			return visit(raw, typ, path)
		}
		var fields map[string]json.RawMessage
		var parts []json.RawMessage
		if err := json.Unmarshal(raw, &fields); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if fields[list] == nil || len(fields) != 2 {
			return fmt.Errorf("%s: a Sequence has %s and nothing else", path, list)
		}
		if err := json.Unmarshal(fields[list], &parts); err != nil {
			return fmt.Errorf("%s.%s: %w", path, list, err)
		}
		for i, p := range parts {
			if err := walk(p, fmt.Sprintf("%s.%s[%d]", path, list, i), depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	return walk(raw, path, 0)
}

// A pattern is a string, or a regular expression.
type pattern struct {
	String *string `json:"String"`
	Regex  *string `json:"Regex"`
}

// parseNormalizer reads a normalizer.
func parseNormalizer(raw json.RawMessage, path string) (out []normalizer, err error) {
	var grown growth
	err = eachPart(raw, path, "normalizers", func(raw json.RawMessage, typ, path string) error {
		switch typ {
		case "NFC":
			out = append(out, func(s string, _ place) string { return nfc(s) })
		case "Prepend":
			var p struct {
				Type    string `json:"type"`
				Prepend string `json:"prepend"`
			}
			if err := parseStrict(raw, path, &p); err != nil {
				return err
			}
			if len(p.Prepend) > 64 {
				return fmt.Errorf("%s.prepend: %d bytes, more than 64", path, len(p.Prepend))
			}
			out = append(out, func(s string, at place) string {
				if s == "" || at == continued {
					return s
				}
				return p.Prepend + s
			})
		case "Replace":
			old, to, err := parseReplace(raw, path)
			if err != nil {
				return err
			}
			if err := grown.replace(old, to, path); err != nil {
				return err
			}
			out = append(out, func(s string, _ place) string { return strings.ReplaceAll(s, old, to) })
		default:
			return fmt.Errorf("%s.type: %q is not supported, only NFC, Prepend, Replace and a Sequence of them", path, typ)
		}
		return nil
	})
	return out, err
}

// parseReplace reads a Replace, which is a normalizer as well as a decoder.
func parseReplace(raw json.RawMessage, path string) (old, to string, err error) {
	var p struct {
		Type    string  `json:"type"`
		Pattern pattern `json:"pattern"`
		Content string  `json:"content"`
	}
	if err := parseStrict(raw, path, &p); err != nil {
		return "", "", err
	}
	if p.Pattern.String == nil || *p.Pattern.String == "" || p.Pattern.Regex != nil {
		return "", "", fmt.Errorf("%s.pattern: only a String is supported", path)
	}
	return *p.Pattern.String, p.Content, nil
}

// maxGrowth bounds how much longer a file may make a text, which a few
// replacements after one another could blow up without end. ▁ is three times
// as long as a space.
const maxGrowth = 16

// A growth is how much longer a text can get.
type growth int

func (g *growth) replace(old, to, path string) error {
	*g = max(*g, 1) * growth(max(1, (len(to)+len(old)-1)/len(old)))
	if *g > maxGrowth {
		return fmt.Errorf("%s: replacements that make a text more than %d times as long", path, maxGrowth)
	}
	return nil
}

// parsePreTokenizer reads a pre-tokenizer, and whether it ends in bytes.
func parsePreTokenizer(raw json.RawMessage, path string) (out []splitter, byteLevel bool, err error) {
	err = eachPart(raw, path, "pretokenizers", func(raw json.RawMessage, typ, path string) error {
		if byteLevel {
			return fmt.Errorf("%s: %s after ByteLevel is not supported", path, typ)
		}
		switch typ {
		case "ByteLevel":
			p := byteLevelPart{AddPrefixSpace: true, UseRegex: true}
			if err := parseStrict(raw, path, &p); err != nil {
				return err
			}
			byteLevel = true
			if p.AddPrefixSpace {
				out = append(out, spaced{})
			}
			if p.UseRegex {
				out = append(out, words(nextWord))
			}
		case "Digits":
			var p struct {
				Type string `json:"type"`
				Each bool   `json:"individual_digits"`
			}
			if err := parseStrict(raw, path, &p); err != nil {
				return err
			}
			out = append(out, digits{p.Each})
		case "Metaspace":
			m, err := parseMetaspace(raw, path)
			if err != nil {
				return err
			}
			out = append(out, m)
		case "Split":
			s, err := parseSplit(raw, path)
			if err != nil {
				return err
			}
			out = append(out, s)
		default:
			return fmt.Errorf("%s.type: %q is not supported, only ByteLevel, Digits, Metaspace, Split and a Sequence of them", path, typ)
		}
		return nil
	})
	return out, byteLevel, err
}

// byteLevelPart is ByteLevel as a pre-tokenizer, post-processor or decoder.
type byteLevelPart struct {
	Type           string `json:"type"`
	AddPrefixSpace bool   `json:"add_prefix_space"`
	TrimOffsets    bool   `json:"trim_offsets"`
	UseRegex       bool   `json:"use_regex"`
}

// parseMetaspace reads a Metaspace, of the present or of an older form.
func parseMetaspace(raw json.RawMessage, path string) (metaspace, error) {
	p := struct {
		Type           string  `json:"type"`
		Replacement    string  `json:"replacement"`
		StrRep         string  `json:"str_rep"`
		AddPrefixSpace *bool   `json:"add_prefix_space"`
		PrependScheme  *string `json:"prepend_scheme"`
		Split          *bool   `json:"split"`
	}{}
	if err := parseStrict(raw, path, &p); err != nil {
		return metaspace{}, err
	}
	m := metaspace{space: p.Replacement, prefix: "always", cut: p.Split == nil || *p.Split}
	if utf8.RuneCountInString(m.space) != 1 {
		return m, fmt.Errorf("%s.replacement: %q is not one character", path, m.space)
	}
	if p.AddPrefixSpace != nil && !*p.AddPrefixSpace {
		m.prefix = "never"
	}
	if p.PrependScheme != nil {
		m.prefix = *p.PrependScheme
	}
	switch m.prefix {
	case "always", "first", "never":
		return m, nil
	}
	return m, fmt.Errorf("%s.prepend_scheme: %q, want always, first or never", path, m.prefix)
}

func parseSplit(raw json.RawMessage, path string) (splitter, error) {
	var p struct {
		Type      string    `json:"type"`
		Pattern   pattern   `json:"pattern"`
		Behaviour behaviour `json:"behavior"`
		Invert    bool      `json:"invert"`
	}
	if err := parseStrict(raw, path, &p); err != nil {
		return nil, err
	}
	switch p.Behaviour {
	case isolated, removed, toPrevious, toNext:
	default:
		return nil, fmt.Errorf("%s.behavior: %q is not supported, only %s, %s, %s and %s", path, p.Behaviour, isolated, removed, toPrevious, toNext)
	}
	switch {
	case p.Pattern.String != nil && p.Pattern.Regex == nil && *p.Pattern.String != "":
		return matcher{literal(*p.Pattern.String), p.Behaviour, p.Invert}, nil
	case p.Pattern.Regex != nil && p.Pattern.String == nil:
		s, err := patternSplitter(*p.Pattern.Regex, p.Behaviour, p.Invert)
		if err != nil {
			return nil, fmt.Errorf("%s.%w", path, err)
		}
		return s, nil
	}
	return nil, fmt.Errorf("%s.pattern: want a String or a Regex", path)
}

// parsePostProcessor reads what is put around a prompt.
func parsePostProcessor(raw json.RawMessage, path string, t *Tokenizer) error {
	return eachPart(raw, path, "processors", func(raw json.RawMessage, typ, path string) error {
		switch typ {
		case "ByteLevel": // changes what is told of the places of tokens, not the tokens
			return nil
		case "TemplateProcessing":
		default:
			return fmt.Errorf("%s.type: %q is not supported, only ByteLevel, TemplateProcessing and a Sequence of them", path, typ)
		}
		type item struct {
			ID     string `json:"id"`
			TypeID int    `json:"type_id"`
		}
		var p struct {
			Type   string `json:"type"`
			Single []struct {
				SpecialToken *item `json:"SpecialToken"`
				Sequence     *item `json:"Sequence"`
			} `json:"single"`
			Pair    json.RawMessage `json:"pair"`
			Special map[string]struct {
				ID     string   `json:"id"`
				IDs    []int32  `json:"ids"`
				Tokens []string `json:"tokens"`
			} `json:"special_tokens"`
		}
		if err := parseStrict(raw, path, &p); err != nil {
			return err
		}
		var around [2][]int32 // before and after the text
		side := 0
		for i, it := range p.Single {
			switch {
			case it.Sequence != nil && it.SpecialToken == nil && it.Sequence.ID == "A" && side == 0:
				side = 1
			case it.SpecialToken != nil && it.Sequence == nil:
				ids := p.Special[it.SpecialToken.ID].IDs
				if len(ids) == 0 || len(around[side]) > maxParts {
					return fmt.Errorf("%s.single[%d]: %q has no ids in special_tokens", path, i, it.SpecialToken.ID)
				}
				for _, id := range ids {
					if id < 0 || int(id) >= len(t.bytes) {
						return fmt.Errorf("%s.special_tokens: %q is token %d, outside the vocabulary of %d", path, it.SpecialToken.ID, id, len(t.bytes))
					}
				}
				around[side] = append(around[side], ids...)
			default:
				return fmt.Errorf("%s.single[%d]: want special tokens around the sequence A", path, i)
			}
		}
		if side == 0 {
			return fmt.Errorf("%s.single: the sequence A is missing", path)
		}
		t.prefix, t.suffix = append(around[0], t.prefix...), append(t.suffix, around[1]...)
		return nil
	})
}

// decode works out what each token is in text.
func (t *Tokenizer) decode(raw json.RawMessage, spelled []string) error {
	d := decoderParts{fallback: map[int32]bool{}, first: map[int32]string{}}
	if err := eachPart(raw, "decoder", "decoders", d.add); err != nil {
		return err
	}
	switch {
	case d.byteLevel && len(d.seen) > 1, d.space != "" && len(d.seen) > 1:
		return errors.New("decoder: ByteLevel and Metaspace are supported on their own only")
	case len(d.seen) == 0:
		return errors.New("decoder: null is not supported: it would put a space between tokens")
	case d.strip > 0 && !d.fused:
		return errors.New("decoder: Strip without Fuse before it is not supported")
	}
	t.bytes = make([]string, len(spelled))
	for id, s := range spelled {
		t.bytes[id] = d.text(int32(id), s)
	}
	t.decoding = decoding{strip: d.strip, fallback: d.fallback, first: d.first}
	return nil
}

// decoderParts is what a decoder does.
type decoderParts struct {
	seen      []string
	byteLevel bool
	space     string // that Metaspace writes for a space
	prefixed  bool   // whether it puts one before a text
	replace   [][2]string
	grown     growth
	bytes     bool // ByteFallback
	fused     bool
	strip     int

	fallback map[int32]bool
	first    map[int32]string
}

func (d *decoderParts) add(raw json.RawMessage, typ, path string) error {
	defer func() { d.seen = append(d.seen, typ) }()
	switch typ {
	case "ByteLevel":
		d.byteLevel = true
	case "Metaspace":
		m, err := parseMetaspace(raw, path)
		if err != nil {
			return err
		}
		d.space, d.prefixed = m.space, m.prefix != "never"
	case "Replace":
		old, to, err := parseReplace(raw, path)
		if err != nil {
			return err
		}
		if d.bytes || d.fused {
			return fmt.Errorf("%s: Replace after ByteFallback or Fuse is not supported", path)
		}
		if err := d.grown.replace(old, to, path); err != nil {
			return err
		}
		d.replace = append(d.replace, [2]string{old, to})
	case "ByteFallback":
		if d.fused {
			return fmt.Errorf("%s: ByteFallback after Fuse is not supported", path)
		}
		d.bytes = true
	case "Fuse":
		d.fused = true
	case "Strip":
		var p struct {
			Type    string `json:"type"`
			Content string `json:"content"`
			Start   int    `json:"start"`
			Stop    int    `json:"stop"`
		}
		if err := parseStrict(raw, path, &p); err != nil {
			return err
		}
		if p.Content != " " || p.Stop != 0 || p.Start < 0 || p.Start > maxParts {
			return fmt.Errorf("%s: only a Strip of spaces at the start is supported", path)
		}
		d.strip += p.Start
	default:
		return fmt.Errorf("%s.type: %q is not supported, only ByteLevel, Metaspace, or a Sequence of Replace, ByteFallback, Fuse and Strip", path, typ)
	}
	return nil
}

// text returns the bytes of a token.
func (d *decoderParts) text(id int32, s string) string {
	if d.byteLevel {
		if b, ok := unspell(s); ok {
			return b
		}
		return s
	}
	if d.space != "" {
		if d.prefixed && strings.Contains(s, d.space) {
			d.first[id] = strings.ReplaceAll(s, d.space, "")
		}
		return strings.ReplaceAll(s, d.space, " ")
	}
	for _, r := range d.replace {
		s = strings.ReplaceAll(s, r[0], r[1])
	}
	if d.bytes {
		if b, ok := parseByteToken(s); ok {
			d.fallback[id] = true
			return string([]byte{b})
		}
	}
	return s
}
