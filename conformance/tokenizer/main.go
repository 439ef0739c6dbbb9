// Command tokenizer writes what check.py compares: texts and the tokens this
// program makes of them.
//
//	tokenizer [-load FILE] OUT
//	tokenizer -families OUT
//
// It writes OUT/tokenizer.json, trained on the Go distribution or read from FILE,
// and OUT/cases.jsonl, an object {"text", "ids"} a line. With -families it reads
// each OUT/NAME/tokenizer.json instead and writes OUT/NAME/cases.jsonl, which
// has "prompt", "shown" and "skipped" as well: the tokens with those put around
// them, and the texts of the tokens with the special ones and without.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"adit/internal/data"
)

func main() {
	load := flag.String("load", "", "tokenizer.json to use instead of training one")
	all := flag.Bool("families", false, "read every tokenizer below OUT")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: tokenizer [-load FILE | -families] OUT")
		os.Exit(2)
	}
	var err error
	if *all {
		err = families(flag.Arg(0))
	} else {
		err = run(context.Background(), *load, flag.Arg(0))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tokenizer:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, load, out string) error {
	texts, err := documents()
	if err != nil {
		return err
	}
	tok, err := tokenizer(ctx, load, texts)
	if err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(out, "tokenizer.json"))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := tok.Save(f); err != nil {
		return err
	}
	g, err := os.Create(filepath.Join(out, "cases.jsonl"))
	if err != nil {
		return err
	}
	defer g.Close()
	w := bufio.NewWriter(g)
	enc := json.NewEncoder(w)
	for _, text := range append(append(texts, edges...), random(2000)...) {
		ids := tok.Encode(text)
		if back, err := tok.Decode(ids); err != nil || back != text {
			return fmt.Errorf("%.40q does not come back: %v", text, err)
		}
		if err := enc.Encode(map[string]any{"text": text, "ids": ids}); err != nil {
			return err
		}
	}
	return w.Flush()
}

// families writes the cases of every tokenizer below dir.
func families(dir string) error {
	texts, err := documents()
	if err != nil {
		return err
	}
	var some []string
	for i := 0; i < len(texts); i += 20 {
		some = append(some, texts[i])
	}
	some = append(append(some, edges...), random(500)...)
	paths, err := filepath.Glob(filepath.Join(dir, "*", "tokenizer.json"))
	if err != nil || len(paths) == 0 {
		return fmt.Errorf("no tokenizers in %s: %w", dir, err)
	}
	for i, path := range paths {
		if err := family(path, some, uint64(i)); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

// family writes what one tokenizer makes of texts, and of tokens that are drawn.
func family(path string, texts []string, seed uint64) error {
	tok, err := tokenizer(context.Background(), path, nil)
	if err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(filepath.Dir(path), "cases.jsonl"))
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	enc := json.NewEncoder(w)
	for _, text := range texts {
		ids := tok.Encode(text)
		if err := enc.Encode(map[string]any{"text": text, "ids": ids, "prompt": tok.Prompt(text),
			"shown": tok.Text(ids, false), "skipped": tok.Text(ids, true)}); err != nil {
			return err
		}
	}
	r := rand.New(rand.NewPCG(seed, 3))
	for range 500 {
		ids := make([]int32, 1+r.IntN(20))
		for i := range ids {
			ids[i] = r.Int32N(int32(tok.VocabSize()))
		}
		if err := enc.Encode(map[string]any{"ids": ids, "shown": tok.Text(ids, false), "skipped": tok.Text(ids, true)}); err != nil {
			return err
		}
	}
	return w.Flush()
}

func tokenizer(ctx context.Context, load string, texts []string) (*data.Tokenizer, error) {
	if load == "" {
		return data.TrainBPE(ctx, texts[:min(len(texts), 1000)], data.DefaultVocab, nil)
	}
	f, err := os.Open(load)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return data.LoadTokenizer(f)
}

// documents returns 2000 documents each of Go code and of prose.
func documents() ([]string, error) {
	root, err := data.FindGoRoot()
	if err != nil {
		return nil, err
	}
	code, prose, err := data.GoTree(root)
	if err != nil {
		return nil, err
	}
	var texts []string
	for _, s := range []data.Source{code, prose} {
		n := 0
		for d, err := range s.Documents() {
			if err != nil {
				return nil, err
			}
			texts = append(texts, d.Text)
			if n++; n == 2000 {
				break
			}
		}
	}
	return texts, nil
}

// edges are what splitters get wrong.
var edges = []string{
	"", " ", "  ", "\n", "\n\n", " \n ", "a", " a", "  a", "   a", "a ", "a  ", "\ta", "\t\ta", "\n\na", "a\n\n\nb", "a \n b",
	"it's we're I've I'm he'll she'd don't IT'S WE'RE 's 't 're 've 'm 'll 'd '", "''s", "x''ll'", "'sx 'tx 'rex 'dx", " 's", "'l 'r 'v",
	"1234567 12.5e-3 0x1F ½ ² Ⅷ ٣", "naïve café — “quoted” …", "日本語 中文 한국어", "Привет, мир!", "שלום עולם", "مرحبا", "🙂🙂 👩‍👩‍👧", "e\u0301 \u0301",
	"a\u00a0b\u2003c\u3000d\u200be\ufefff", "\r\n\r\na\r\n", "\v\f\u0085\u2028\u2029x", "\x00\x01\x7f", "\U0001F600\U0010FFFF",
	"<|endoftext|>", "a<|endoftext|>b", " <|endoftext|> ", "<|endoftext|><|endoftext|>", "<|endoftext", "|endoftext|>",
	strings.Repeat("=", 1000), strings.Repeat("ab", 5000), strings.Repeat(" ", 777) + "x", strings.Repeat("a", 4001), strings.Repeat("the ", 500),
}

// random returns n short texts over the characters that every version of Unicode
// in use agrees on, many of them white space and apostrophes.
func random(n int) []string {
	r := rand.New(rand.NewPCG(1, 2))
	common := []rune("  \n\t''sdtmlrvetheand0123.,;(){}=\u00a0\u3000")
	texts := make([]string, n)
	for i := range texts {
		var b strings.Builder
		for range r.IntN(60) {
			c := common[r.IntN(len(common))]
			if r.IntN(6) == 0 {
				c = rune(r.IntN(0x30000))
				if !unicode.In(c, unicode.Latin, unicode.Greek, unicode.Cyrillic, unicode.Han, unicode.Hangul, unicode.Common) {
					continue
				}
			}
			b.WriteRune(c)
		}
		texts[i] = b.String()
	}
	return texts
}
