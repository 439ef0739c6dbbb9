package connito

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"golang.org/x/crypto/blake2b"

	"adit/internal/tensor"
)

// hashSize is the length of a model hash: blake2b with 192 bits. Upstream's
// comments speak of 256 bits and of sha256; its code does neither.
const hashSize = 24

// Hash returns the hash that commits to a model: over each tensor in byte-wise
// order of the keys, the key and then the raw little-endian values. Neither
// dtype, nor shape, nor the file around them count.
func Hash(d tensor.Dict) string {
	h, err := blake2b.New(hashSize, nil)
	if err != nil {
		panic(err) // unreachable: the size is valid and there is no key
	}
	for _, key := range d.Keys() {
		h.Write([]byte(key))
		h.Write(d[key].Data)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// A Commit is the JSON that neurons write to the chain. The first of a pair
// holds the signature alone; the second tells what was signed and where it is.
type Commit struct {
	Signed   string  `json:"m,omitempty"`  // base64url of the signature over the hash's hexadecimal digits
	Group    *int    `json:"e,omitempty"`  // expert group
	Hash     string  `json:"h,omitempty"`  // see [Hash]
	Version  *uint64 `json:"v,omitempty"`  // miner: of the baseline it started from; validator: of this one
	Seed     *uint64 `json:"s,omitempty"`  // validator, in generations that commit one
	Repo     string  `json:"r,omitempty"`  // Hub repository
	Revision string  `json:"rv,omitempty"` // the first seven digits of its revision
}

// revisionDigits is how much of a Hub revision goes on chain.
const revisionDigits = 7

// commit1 returns the first commitment: the signature alone, so that nobody
// learns from it what will be submitted.
func commit1(sig []byte) string {
	return encode(Commit{Signed: base64.RawURLEncoding.EncodeToString(sig)})
}

// minerCommit2 and validatorCommit2 return the second. The key order is that
// of the reference implementation's two schemas.
func minerCommit2(group int, hash string, version uint64, repo, revision string) string {
	return encode(Commit{Group: &group, Hash: hash, Version: &version, Repo: repo, Revision: short(revision)})
}

func validatorCommit2(group int, hash string, version uint64, repo, revision string) string {
	c := struct {
		Hash     string `json:"h"`
		Version  uint64 `json:"v"`
		Group    int    `json:"e"`
		Repo     string `json:"r"`
		Revision string `json:"rv"`
	}{hash, version, group, repo, short(revision)}
	return encode(c)
}

func short(revision string) string { return revision[:min(len(revision), revisionDigits)] }

// encode writes compact JSON, as the reference implementation does.
func encode(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // unreachable: strings and numbers only
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// checkBudget says whether a commitment fits the chain's field.
func (r Rules) checkBudget(commit string) error {
	if len(commit) > r.CommitMax {
		return fmt.Errorf("chain commit exceeds payload budget: %d > %d bytes", len(commit), r.CommitMax)
	}
	return nil
}

// parseCommits returns the commits in a commitment's fields: one per field, or,
// from a validator of many groups, several in one. They come from other
// neurons: what does not parse is left out, as the slot of a hotkey may hold
// anything.
func parseCommits(fields []string) []Commit {
	var commits []Commit
	for _, f := range fields {
		d := json.NewDecoder(strings.NewReader(f))
		for {
			var c Commit
			if d.Decode(&c) != nil {
				break
			}
			commits = append(commits, c)
		}
	}
	return commits
}

// packCommits lays commits into the chain's three fields: one each, or, where
// there are more, one after another.
func packCommits(commits []string) []string {
	const maxFields = 3
	fields := make([]string, min(len(commits), maxFields))
	for i, c := range commits {
		fields[i%maxFields] += c
	}
	return fields
}

// signature returns the signature in a first commitment.
func (c Commit) signature() ([]byte, error) {
	sig, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(c.Signed, "="))
	if err != nil || len(sig) != 64 {
		return nil, fmt.Errorf("malformed signature %.100q", c.Signed)
	}
	return sig, nil
}

// complete says what a second commitment lacks, or "".
func (c Commit) complete() string {
	switch {
	case len(c.Hash) != 2*hashSize:
		return "no hash"
	case c.Version == nil:
		return "no version"
	case c.Group == nil:
		return "no expert group"
	case c.Repo == "" || c.Revision == "":
		return "no repository or revision"
	}
	return ""
}
