package data

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

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

func TestTokenizerFile(t *testing.T) {
	tok, _ := library(t)
	var first, second bytes.Buffer
	if err := tok.Save(&first); err != nil {
		t.Fatal(err)
	}
	again, err := LoadTokenizer(bytes.NewReader(first.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Save(&second); err != nil {
		t.Fatal(err)
	}
	if first.String() != second.String() {
		t.Error("saved, loaded and saved again, the file differs")
	}
	if again.VocabSize() != 600 || again.End() != 0 {
		t.Errorf("%d tokens, end %d", again.VocabSize(), again.End())
	}
}

func TestTokenizerFileErrors(t *testing.T) {
	tok, _ := library(t)
	var b bytes.Buffer
	if err := tok.Save(&b); err != nil {
		t.Fatal(err)
	}
	good := b.String()
	for _, tt := range []struct{ old, new, want string }{
		{good, "", "line 1: EOF"},
		{good, "{\n\n]", "line 3: invalid character"},
		{good, "null", "model: missing"},
		{"\"model\"", "\"modell\"", `unknown field "modell"`},
		{"\"BPE\"", "\"Unigram\"", `model.type: "Unigram", want BPE`},
		{"\"dropout\": null", "\"dropout\": 0.1", "model.dropout"},
		{"\"byte_fallback\": false", "\"byte_fallback\": true", "byte_fallback"},
		{"\"normalizer\": null", "\"normalizer\": {\"type\": \"NFC\"}", "normalizer: want null"},
		{"\"add_prefix_space\": false", "\"add_prefix_space\": true", "pre_tokenizer.add_prefix_space"},
		{"\"use_regex\": true", "\"use_regex\": false", "pre_tokenizer.use_regex"},
		{"{\"id\": 0", "{\"id\": 1", "is not token 1"},
		{"\"" + EndOfText + "\": 0", "\"" + EndOfText + "\": 9", "is not token 0"},
		{"\"!\": ", "\"! \": ", "no character of the byte alphabet"},
		{"\"!\": ", "\"!!!!!\": ", `no token for byte 33, '!'`},
		{": 599\n", ": 600\n", "has id 600: the ids of 600 tokens must be 0 to 599"},
		{": 599\n", ": 3\n", "each once"},
		{"\"merges\": [", "\"merges\": [\"ab\",", `merge "ab" has no space`},
		{"\"merges\": [", "\"merges\": [[\"a\"],", "a merge of 1 tokens"},
		{"\"merges\": [", "\"merges\": [\"\u00ff \u00ff\",", "model.merges[0]"},
		{"\"merges\": [", "\"merges\": [\"" + EndOfText + " a\",", "model.merges[0]"},
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
	_, err := LoadTokenizer(strings.NewReader(strings.Repeat(" ", maxTokenizerBytes+1)))
	if err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("too large: %v", err)
	}
}

func TestDecodeErrors(t *testing.T) {
	tok, _ := library(t)
	for _, id := range []int32{-1, 600} {
		if _, err := tok.Decode([]int32{5, id}); err == nil {
			t.Errorf("decoded token %d", id)
		}
	}
}

// A megabyte without a word's end must not take the square of its length.
func TestEncodeLongWord(t *testing.T) {
	tok, _ := library(t)
	start := time.Now()
	for _, unit := range []string{"a", "=", " ", "returned", "ab"} {
		text := strings.Repeat(unit, 1<<20/len(unit))
		if back, err := tok.Decode(tok.Encode(text)); err != nil || back != text {
			t.Errorf("a long run of %q does not come back", unit)
		}
	}
	if d := time.Since(start); d > 30*time.Second {
		t.Errorf("took %v", d)
	}
}

func FuzzLoadTokenizer(f *testing.F) {
	tok, _ := library(f)
	var b bytes.Buffer
	if err := tok.Save(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte(`{"model":{"type":"BPE","vocab":{"a":0},"merges":[["a","b"],"a b"]},"added_tokens":[{"id":0,"content":"<|endoftext|>"}],"pre_tokenizer":{"type":"ByteLevel"},"decoder":{"type":"ByteLevel"}}`))
	f.Add([]byte(`{"model":{"vocab":{"a":-1},"merges":[null]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		tok, err := LoadTokenizer(bytes.NewReader(b))
		if err != nil {
			return
		}
		text := "it's a test\n\n of \x80 " + EndOfText
		if back, err := tok.Decode(tok.Encode(text)); err != nil || back != text {
			t.Errorf("an accepted tokenizer makes %q of %q, %v", back, text, err)
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
