package data

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// Save writes the tokenizer as a tokenizer.json: the one it was read from, or else
// tokens and merges in order.
func (t *Tokenizer) Save(w io.Writer) error {
	if t.file != nil {
		if _, err := w.Write(t.file); err != nil {
			return fmt.Errorf("save tokenizer: %w", err)
		}
		return nil
	}
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
	for i, m := range t.model.merges {
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
