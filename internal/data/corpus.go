package data

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"adit/internal/subnet"
)

const (
	corpusFile     = "corpus.json"
	tokenizerName  = "tokenizer.json"
	corpusVersion  = 1
	maxCorpusBytes = 1 << 20
	maxDomains     = 64
)

// A Corpus is prepared text: for each domain a stream of tokens to train on and
// one that is held out. It does not change and is safe for concurrent use.
type Corpus struct {
	info    corpusInfo
	tok     *Tokenizer
	streams []stream
}

type stream struct{ train, heldOut []uint16 }

// corpusInfo is corpus.json.
type corpusInfo struct {
	Version   int      `json:"version"`
	Made      string   `json:"made_from"` // digest of sources and options
	Options   options  `json:"options"`
	Vocab     int      `json:"vocab"`
	Tokenizer string   `json:"tokenizer_sha256"`
	Domains   []Domain `json:"domains"`
}

// A Domain describes the text of one domain.
type Domain struct {
	Name        string `json:"name"`
	Fingerprint string `json:"fingerprint"` // of the source
	Train       Side   `json:"train"`
	HeldOut     Side   `json:"heldout"`
}

// A Side describes one side of the split.
type Side struct {
	Documents int    `json:"documents"`
	Bytes     int64  `json:"bytes"`  // of text
	Tokens    int64  `json:"tokens"` // with one EndOfText a document
	SHA256    string `json:"sha256"` // of the .tok file
}

func trainFile(domain int) string   { return fmt.Sprintf("train-%d.tok", domain) }
func heldOutFile(domain int) string { return fmt.Sprintf("heldout-%d.tok", domain) }

// OpenCorpus reads a directory that [Prepare] wrote, whole and checked. The error
// wraps [subnet.ErrNotFound] if there is none.
func OpenCorpus(dir string) (*Corpus, error) {
	info, err := readCorpusInfo(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, subnet.WithHint(fmt.Errorf("open corpus %s: %w", dir, errors.Join(subnet.ErrNotFound, err)),
			"prepare the text first")
	}
	var c *Corpus
	if err == nil {
		c, err = openCorpus(dir, info)
	}
	if err != nil {
		return nil, subnet.WithHint(fmt.Errorf("open corpus %s: %w", dir, err),
			"delete the directory and prepare the text again")
	}
	return c, nil
}

func readCorpusInfo(dir string) (*corpusInfo, error) {
	b, err := readCapped(filepath.Join(dir, corpusFile), maxCorpusBytes)
	if err != nil {
		return nil, err
	}
	info, err := parseCorpusInfo(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", corpusFile, err)
	}
	return info, nil
}

func parseCorpusInfo(b []byte) (*corpusInfo, error) {
	var info corpusInfo
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&info); err != nil {
		return nil, err
	}
	switch {
	case info.Version != corpusVersion:
		return nil, fmt.Errorf("version %d, want %d", info.Version, corpusVersion)
	case info.Vocab < minVocab || info.Vocab > maxVocab:
		return nil, fmt.Errorf("vocabulary of %d", info.Vocab)
	case len(info.Domains) == 0 || len(info.Domains) > maxDomains:
		return nil, fmt.Errorf("%d domains, want 1 to %d", len(info.Domains), maxDomains)
	}
	return &info, nil
}

func openCorpus(dir string, info *corpusInfo) (*Corpus, error) {
	b, err := readChecked(dir, tokenizerName, info.Tokenizer, maxTokenizerBytes)
	if err != nil {
		return nil, err
	}
	c := &Corpus{info: *info}
	if c.tok, err = LoadTokenizer(bytes.NewReader(b)); err != nil {
		return nil, err
	}
	if c.tok.VocabSize() != info.Vocab {
		return nil, fmt.Errorf("%s has %d tokens, want %d", tokenizerName, c.tok.VocabSize(), info.Vocab)
	}
	read := func(name string, side Side) ([]uint16, error) {
		b, err := readChecked(dir, name, side.SHA256, tokenHeaderSize+2*maxTokens)
		if err != nil {
			return nil, err
		}
		tokens, err := decodeTokens(b, info.Vocab)
		if err == nil && int64(len(tokens)) != side.Tokens {
			err = fmt.Errorf("%d tokens, want %d", len(tokens), side.Tokens)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return tokens, nil
	}
	for g, d := range info.Domains {
		train, err := read(trainFile(g), d.Train)
		if err != nil {
			return nil, err
		}
		heldOut, err := read(heldOutFile(g), d.HeldOut)
		if err != nil {
			return nil, err
		}
		c.streams = append(c.streams, stream{train, heldOut})
	}
	return c, nil
}

// Domains returns the number of domains.
func (c *Corpus) Domains() int { return len(c.streams) }

// Domain describes a domain.
func (c *Corpus) Domain(domain int) Domain { return c.info.Domains[domain] }

// VocabSize returns the number of tokens, the special one included. It is smaller
// than was asked for if the text was small.
func (c *Corpus) VocabSize() int { return c.info.Vocab }

// Tokenizer returns the tokenizer of the corpus.
func (c *Corpus) Tokenizer() *Tokenizer { return c.tok }

// stream returns the tokens of a domain.
func (c *Corpus) stream(domain int) (stream, error) {
	if domain < 0 || domain >= len(c.streams) {
		return stream{}, fmt.Errorf("domain %d of %d", domain, len(c.streams))
	}
	return c.streams[domain], nil
}
