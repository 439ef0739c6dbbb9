package data

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"adit/internal/subnet"
)

// library returns the tokenizer that Hugging Face's library, version 0.21.1,
// trained and wrote, and the texts it encoded with it.
func library(t testing.TB) (*Tokenizer, []libraryCase) {
	t.Helper()
	f, err := os.Open("testdata/library.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tok, err := LoadTokenizer(f)
	if err != nil {
		t.Fatal(err)
	}
	g, err := os.Open("testdata/library.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	var cases []libraryCase
	for lines := bufio.NewScanner(g); lines.Scan(); {
		var c libraryCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	if len(cases) != 400 {
		t.Fatalf("%d cases", len(cases))
	}
	return tok, cases
}

type libraryCase struct {
	Text  string   `json:"text"`
	IDs   []int32  `json:"ids"`
	Words [][2]int `json:"words"` // in characters
}

func TestEncodesAsTheLibrary(t *testing.T) {
	tok, cases := library(t)
	for _, c := range cases {
		got := tok.Encode(c.Text)
		if diff := cmp.Diff(append([]int32{}, c.IDs...), got); diff != "" {
			t.Errorf("%.60q: ids (-library +ours):\n%s", c.Text, diff)
		}
		if back, err := tok.Decode(got); err != nil || back != c.Text {
			t.Errorf("%.60q comes back as %.60q, %v", c.Text, back, err)
		}
	}
}

func TestWordsAsTheLibrary(t *testing.T) {
	_, cases := library(t)
	for _, c := range cases {
		runes, rest := []rune(c.Text), c.Text
		for _, w := range c.Words {
			want := string(runes[w[0]:w[1]])
			if got := rest[:nextWord(rest)]; got != want {
				t.Errorf("in %.60q: word %q, want %q", c.Text, got, want)
				break
			}
			rest = rest[len(want):]
		}
	}
}

// A trained tokenizer is written, read, and written again as it was; one that was
// read is written as it was read.
func TestTokenizerFile(t *testing.T) {
	tok, _ := library(t)
	read, err := os.ReadFile("testdata/library.json")
	if err != nil {
		t.Fatal(err)
	}
	if got := canonical(t, tok); got == string(read) {
		t.Error("the library's file is our own")
	}
	tok, _ = library(t)
	var kept bytes.Buffer
	if err := tok.Save(&kept); err != nil || kept.String() != string(read) || tok.Digest() != digest(read) {
		t.Errorf("a file that was read is written otherwise, %v", err)
	}
	first := canonical(t, tok)
	again, err := LoadTokenizer(strings.NewReader(first))
	if err != nil {
		t.Fatal(err)
	}
	if canonical(t, again) != first {
		t.Error("saved, loaded and saved again, the file differs")
	}
	if again.VocabSize() != 600 || again.End() != 0 {
		t.Errorf("%d tokens, end %d", again.VocabSize(), again.End())
	}
}

// canonical returns the file that is written of a tokenizer as if it were trained.
func canonical(t testing.TB, tok *Tokenizer) string {
	t.Helper()
	tok.file = nil
	var b bytes.Buffer
	if err := tok.Save(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTokenizerFileErrors(t *testing.T) {
	tok, _ := library(t)
	good := canonical(t, tok)
	null := func(stage string) string { return "\"" + stage + "\": null" }
	part := func(stage, part string) string { return "\"" + stage + "\": " + part }
	post, norm := null("post_processor"), null("normalizer")
	pre := part("pre_tokenizer", `{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}`)
	dec := part("decoder", `{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}`)
	regex := func(p string) string {
		b, _ := json.Marshal(p)
		return part("pre_tokenizer", `{"type": "Split", "pattern": {"Regex": `+string(b)+`}, "behavior": "Isolated", "invert": false}`)
	}
	for _, tt := range []struct{ old, new, want string }{
		{good, "", "line 1: EOF"},
		{good, "{\n\n]", "line 3: invalid character"},
		{good, "null", "model: missing"},
		{"\"model\"", "\"modell\"", `unknown field "modell"`},
		{"\"BPE\"", "\"Unigram\"", `model.type: "Unigram", want BPE`},
		{"\"dropout\": null", "\"dropout\": 0.1", "model.dropout"},
		{"\"dropout\": null", "\"drop\": null", `model: json: unknown field "drop"`},
		{"\"end_of_word_suffix\": null", "\"end_of_word_suffix\": \"</w>\"", "prefix or suffix of subwords"},
		{"\"unk_token\": null", "\"unk_token\": \"<unk>\"", `model.unk_token: "<unk>" is not in the vocabulary`},
		{norm, part("normalizer", `{"type": "NFKC"}`), `normalizer.type: "NFKC" is not supported`},
		{norm, part("normalizer", `{"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Lowercase"}]}`), `normalizer.normalizers[1].type: "Lowercase" is not supported`},
		{norm, part("normalizer", `{"type": "Sequence", "parts": []}`), "a Sequence has normalizers and nothing else"},
		{norm, part("normalizer", `{"typ": "NFC"}`), "normalizer.type: missing"},
		{norm, part("normalizer", `{"type": "Replace", "pattern": {"Regex": "a"}, "content": "b"}`), "only a String is supported"},
		{norm, part("normalizer", `{"type": "Replace", "pattern": {"String": "a"}, "content": "`+strings.Repeat("b", 17)+`"}`), "more than 16 times as long"},
		{norm, part("normalizer", `{"type": "Prepend", "prepend": "`+strings.Repeat("b", 65)+`"}`), "normalizer.prepend: 65 bytes"},
		{norm, part("normalizer", strings.Repeat(`{"type": "Sequence", "normalizers": [`, 6)+strings.Repeat("]}", 6)), "more than 4 sequences"},
		{pre, part("pre_tokenizer", `{"type": "Whitespace"}`), `pre_tokenizer.type: "Whitespace" is not supported`},
		{pre, part("pre_tokenizer", `{"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}, {"type": "Digits", "individual_digits": true}]}`), "Digits after ByteLevel"},
		{pre, part("pre_tokenizer", `{"type": "Metaspace", "replacement": "__"}`), `pre_tokenizer.replacement: "__" is not one character`},
		{pre, part("pre_tokenizer", `{"type": "Metaspace", "replacement": "_", "prepend_scheme": "last"}`), `pre_tokenizer.prepend_scheme: "last"`},
		{pre, part("pre_tokenizer", `{"type": "Split", "pattern": {"String": "a"}, "behavior": "Contiguous", "invert": false}`), `pre_tokenizer.behavior: "Contiguous" is not supported`},
		{pre, part("pre_tokenizer", `{"type": "Split", "pattern": {}, "behavior": "Isolated", "invert": false}`), "want a String or a Regex"},
		{pre, regex(`a(?=b)`), `"(?=b" is not supported`},
		{pre, regex(`(?<!a)b`), `is not supported`},
		{pre, regex(`a++`), "repeats what cannot be"},
		{pre, regex(`\bword`), `\b is not supported`},
		{pre, regex(`[a[b]]`), "within one another"},
		{pre, regex(`[a&&b]`), "within one another"},
		{pre, regex(`[a`), "does not end"},
		{pre, regex(`(a`), "a parenthesis too few"},
		{pre, regex(`a)`), "a parenthesis too many"},
		{pre, regex(`a{1,2000}`), "{1,2000} is not supported"},
		{pre, regex(`a*`), "it matches nothing at all"},
		{pre, regex(`\p{Nonsense}`), "pre_tokenizer.pattern"},
		{post, part("post_processor", `{"type": "BertProcessing"}`), `post_processor.type: "BertProcessing" is not supported`},
		{post, part("post_processor", `{"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}]}`), `"<s>" has no ids`},
		{post, part("post_processor", `{"type": "TemplateProcessing", "single": []}`), "the sequence A is missing"},
		{post, part("post_processor", `{"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}], "special_tokens": {"<s>": {"id": "<s>", "ids": [600], "tokens": []}}}`), "outside the vocabulary of 600"},
		{dec, null("decoder"), "decoder: null is not supported"},
		{dec, part("decoder", `{"type": "WordPiece"}`), `decoder.type: "WordPiece" is not supported`},
		{dec, part("decoder", `{"type": "Sequence", "decoders": [{"type": "ByteLevel"}, {"type": "Fuse"}]}`), "on their own only"},
		{dec, part("decoder", `{"type": "Strip", "content": " ", "start": 1, "stop": 0}`), "Strip without Fuse"},
		{dec, part("decoder", `{"type": "Sequence", "decoders": [{"type": "Fuse"}, {"type": "ByteFallback"}]}`), "decoder.decoders[1]: ByteFallback after Fuse"},
		{dec, part("decoder", `{"type": "Sequence", "decoders": [{"type": "Fuse"}, {"type": "Strip", "content": "_", "start": 1, "stop": 0}]}`), "only a Strip of spaces"},
		{"{\"id\": 0", "{\"id\": 1", "is not token 1"},
		{"{\"id\": 0", "{\"id\": -1", "is not token -1"},
		{"\"" + EndOfText + "\", \"single", "\"\", \"single", "added_tokens[0]: a token of 0 bytes"},
		{"\"" + EndOfText + "\", \"single", "\"new\", \"single", `both have id 0`},
		{"\"" + EndOfText + "\": 0", "\"" + EndOfText + "\": 9", "is not token 0"},
		{": 599\n", ": 6000\n", "has id 6000: want at most 16384 bytes, and ids near 0 to 600"},
		{": 599\n", ": 3\n", "both have id 3: each must have its own"},
		{"\"merges\": [", "\"merges\": [\"ab\",", `merge "ab" has no space`},
		{"\"merges\": [", "\"merges\": [[\"a\"],", "a merge of 1 tokens"},
		{"\"merges\": [", "\"merges\": [\"\u00ff \u00ff\",", "model.merges[0]"},
		{"\n}\n", "\n}\n{", "something follows"},
		{"!", "\xff", "not UTF-8"},
	} {
		bad := strings.Replace(good, tt.old, tt.new, 1)
		if bad == good {
			t.Errorf("%q is not in the file", tt.old)
			continue
		}
		_, err := LoadTokenizer(strings.NewReader(bad))
		if err == nil || !strings.Contains(err.Error(), tt.want) || subnet.Hint(err) == "" {
			t.Errorf("%.40q for %.40q: got %v, want …%s…, with a hint", tt.new, tt.old, err, tt.want)
		}
	}
	_, err := LoadTokenizer(io.LimitReader(endless{}, maxTokenizerBytes+1))
	if err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("too large: %v", err)
	}
}

// endless is a file of spaces without end.
type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	return len(b), nil
}

func TestDecodeErrors(t *testing.T) {
	tok, _ := library(t)
	for _, id := range []int32{-1, 600} {
		if _, err := tok.Decode([]int32{5, id}); err == nil {
			t.Errorf("decoded token %d", id)
		}
	}
}

// A megabyte without a word's end must not take the square of its length: that would
// be hours, and this does not end.
func TestEncodeLongWord(t *testing.T) {
	tok, _ := library(t)
	for _, unit := range []string{"a", "=", " ", "returned", "ab"} {
		text := strings.Repeat(unit, 1<<20/len(unit))
		if back, err := tok.Decode(tok.Encode(text)); err != nil || back != text {
			t.Errorf("a long run of %q does not come back", unit)
		}
	}
}

func FuzzLoadTokenizer(f *testing.F) {
	// Small ones: what large ones are cut down to takes the time of the search.
	f.Add([]byte(`{"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2,"Ġ":3,"Ċ":4,"<|endoftext|>":5},"merges":[["a","b"]]},"added_tokens":[{"id":5,"content":"<|endoftext|>","special":true},{"id":6,"content":"x","single_word":true,"lstrip":true,"rstrip":true}],`+
		`"normalizer":{"type":"NFC"},"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"[^\\r\\n\\p{L}]?\\p{L}+|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"},"behavior":"Removed","invert":true},{"type":"Digits","individual_digits":true},{"type":"ByteLevel","use_regex":false}]},`+
		`"decoder":{"type":"ByteLevel"}}`), "ab \u0301 x <|endoftext|>a\n")
	f.Add([]byte(`{"model":{"type":"BPE","unk_token":"<unk>","fuse_unk":true,"byte_fallback":true,"ignore_merges":true,"vocab":{"<unk>":0,"<s>":1,"▁":2,"a":3,"▁a":4,"<0x0A>":5},"merges":["▁ a"]},"added_tokens":[{"id":1,"content":"<s>","special":true,"normalized":true}],`+
		`"normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]},"pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":false},`+
		`"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[],"special_tokens":{"<s>":{"id":"<s>","ids":[1],"tokens":["<s>"]}}},`+
		`"decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]}}`), "a a\nb<s>a")
	f.Add([]byte(`{"model":{"vocab":{"a":-1},"merges":[null]}}`), "a")
	f.Fuzz(func(t *testing.T, b []byte, text string) {
		tok, err := LoadTokenizer(bytes.NewReader(b))
		if err != nil {
			return
		}
		ids := tok.Prompt(text)
		for _, id := range ids {
			if id < 0 || int(id) >= tok.VocabSize() {
				t.Errorf("token %d of a vocabulary of %d", id, tok.VocabSize())
			}
		}
		if _, err := tok.Decode(ids); err != nil {
			t.Error(err)
		}
		if s := tok.Text(ids, true); !utf8.ValidString(s) {
			t.Errorf("%q is no text", s)
		}
	})
}

func FuzzEncodeDecode(f *testing.F) {
	tok, cases := library(f)
	for _, c := range cases[:40] {
		f.Add(c.Text)
	}
	f.Add("\xff\xfe '\x80s \xe2\x80")
	f.Add("<|endof<|endoftext|>text|>")
	f.Fuzz(func(t *testing.T, text string) {
		back, err := tok.Decode(tok.Encode(text))
		if err != nil || back != text {
			t.Errorf("%q comes back as %q, %v", text, back, err)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	tok, cases := library(b)
	var text strings.Builder
	for _, c := range cases {
		text.WriteString(c.Text)
	}
	b.SetBytes(int64(text.Len()))
	var dst []int32
	for b.Loop() {
		dst = tok.Append(dst[:0], text.String())
	}
}
