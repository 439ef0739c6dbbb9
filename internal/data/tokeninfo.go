package data

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"adit/internal/subnet"
)

const (
	tokenInfoSuffix   = ".json"
	tokenInfoVersion  = 1
	maxTokenInfoBytes = 64 << 10
)

// TokenInfo says what a packed file of tokens holds and was made from. It stands
// beside the file, which has tokens only, in another of its name with .json.
type TokenInfo struct {
	Version     int       `json:"version"`
	Vocab       int       `json:"vocab"`  // of the tokenizer
	Type        TokenType `json:"type"`   // uint16 or uint32
	Tokens      int64     `json:"tokens"` // one End a document included
	Documents   int64     `json:"documents"`
	TextBytes   int64     `json:"text_bytes"`       // of UTF-8
	End         int32     `json:"end"`              // the token after each document
	Tokenizer   string    `json:"tokenizer_sha256"` // [Tokenizer.Digest]
	Source      string    `json:"source"`           // [Texts.Name]
	Fingerprint string    `json:"fingerprint"`      // [Texts.Fingerprint]
	SHA256      string    `json:"sha256"`           // of the file of tokens
}

// usable returns what stands beside the file at path, if the file was made as want
// says.
func usable(path string, want TokenInfo) (TokenInfo, bool) {
	old, err := readTokenInfo(path)
	if err != nil {
		return old, false
	}
	got := old
	got.Tokens, got.Documents, got.TextBytes, got.SHA256 = 0, 0, 0, ""
	stat, err := os.Stat(path)
	return old, err == nil && got == want && stat.Size() == old.Tokens*old.Type.size()
}

// readTokenInfo reads what stands beside the token file at path. The error wraps
// [os.ErrNotExist] if nothing does.
func readTokenInfo(path string) (TokenInfo, error) {
	b, err := readCapped(path+tokenInfoSuffix, maxTokenInfoBytes)
	if err != nil {
		return TokenInfo{}, err
	}
	info, err := parseTokenInfo(b)
	if err != nil {
		return info, subnet.WithHint(fmt.Errorf("%s%s: %w", filepath.Base(path), tokenInfoSuffix, err),
			"delete both files and encode the text again; without it the file is read as raw tokens")
	}
	return info, nil
}

func parseTokenInfo(b []byte) (TokenInfo, error) {
	var info TokenInfo
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&info); err != nil {
		return info, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return info, fmt.Errorf("something follows the JSON object")
	}
	switch {
	case info.Version != tokenInfoVersion:
		return info, fmt.Errorf("version %d, want %d", info.Version, tokenInfoVersion)
	case info.Type != Uint16 && info.Type != Uint32:
		return info, fmt.Errorf("tokens of type %q", info.Type)
	case info.Vocab < 1 || info.Vocab > maxVocabulary || info.End < 0 || int(info.End) >= info.Vocab:
		return info, fmt.Errorf("vocabulary of %d, documents that end in %d", info.Vocab, info.End)
	case info.Tokens < 1 || info.Tokens > 1<<50 || info.Documents < 0 || info.Documents > info.Tokens || info.TextBytes < 0:
		return info, fmt.Errorf("%d tokens of %d documents and %d bytes", info.Tokens, info.Documents, info.TextBytes)
	}
	return info, nil
}

// layout is that of the file, which has size bytes.
func (i TokenInfo) layout(size int64, opt TokenOptions) (layout, error) {
	switch {
	case opt.Type != "" && opt.Type != i.Type:
		return layout{}, fmt.Errorf("it holds %s, not %s", i.Type, opt.Type)
	case size != i.Tokens*i.Type.size():
		return layout{}, subnet.WithHint(fmt.Errorf("it has %d bytes, but %d tokens of type %s were written", size, i.Tokens, i.Type),
			"delete it and encode the text again")
	}
	return layout{count: i.Tokens, typ: i.Type}, nil
}

// write puts it beside the file at path.
func (i TokenInfo) write(path string) error {
	b, err := json.MarshalIndent(i, "", "  ")
	if err != nil {
		return err
	}
	return writeWhole(filepath.Dir(path), filepath.Base(path)+tokenInfoSuffix, append(b, '\n'))
}
