package connito

import (
	"encoding/json"
	"fmt"
	"strings"

	"adit/internal/subnet"
)

// A Commit is the JSON that neurons write to the chain. Of a pair, the first
// holds the signature alone; the second tells what was signed and where it is.
type Commit struct {
	Signed   string  `json:"m,omitempty"`  // signature over the hash's hexadecimal digits
	Group    *int    `json:"e,omitempty"`  // expert group
	Hash     string  `json:"h,omitempty"`  // see [Hash]
	Version  *uint64 `json:"v,omitempty"`  // miner: of the baseline it started from; validator: of this one
	Seed     *uint64 `json:"s,omitempty"`  // validator, in generations that commit one
	Repo     string  `json:"r,omitempty"`  // Hub repository
	Revision string  `json:"rv,omitempty"` // the first seven digits of its revision
	Block    *uint64 `json:"b,omitempty"`  // miner of an early generation: of the commitment
	Inner    *int    `json:"i,omitempty"`  // and its optimizer steps
}

// revisionDigits is how much of a Hub revision goes on chain.
const revisionDigits = 7

// A CommitStyle is how the JSON of a commitment is laid out. The early
// generations wrote it as Python does by itself: spaced, and with null for each
// field of the schema that has no value.
type CommitStyle = jsonStyle

// signedCommit returns the first commitment: the signature alone, so that nobody
// learns from it what will be submitted.
func (r Rules) signedCommit(sig []byte) string {
	return r.encode(fields{{"m", Base64URL.encode(sig)}})
}

// minerCommit returns what a miner tells in the second commitment, or, where
// there is one only, in that. The later generations send neither the block nor
// the steps.
func (r Rules) minerCommit(c Commit) string {
	f := fields{
		{"b", number(c.Block)}, {"e", number(c.Group)}, {"m", nil}, {"h", text(c.Hash)}, {"v", number(c.Version)},
		{"i", number(c.Inner)}, {"r", text(c.Repo)}, {"rv", text(short(c.Revision))},
	}
	if !r.TwoCommits() {
		f = fields{f[0], f[1], f[3], f[4], f[5]}
	} else if r.Commits.Nulls {
		f = f[:6] // there was no Hub yet
	}
	return r.encode(withoutHalf(f))
}

// validatorCommit returns what a validator tells: at start its version and group,
// then the baseline it has, and the seed where the generation has one.
func (r Rules) validatorCommit(c Commit) string {
	f := fields{
		{"h", text(c.Hash)}, {"v", number(c.Version)}, {"e", number(c.Group)}, {"s", number(c.Seed)},
		{"r", text(c.Repo)}, {"rv", text(short(c.Revision))},
	}
	if r.Commits.Nulls {
		f = f[:4]
	}
	return r.encode(withoutHalf(f))
}

// withoutHalf leaves out a repository without a revision, and the other way
// round: a failed upload is told by the absence of both.
func withoutHalf(f fields) fields {
	if n := len(f); n > 1 && f[n-1].Key == "rv" && (f[n-1].Value == nil || f[n-2].Value == nil) {
		return f[:n-2]
	}
	return f
}

func (r Rules) encode(f fields) string { return string(appendJSON(nil, f, r.Commits)) }

// number and text make nil of what is absent.
func number[T int | uint64](n *T) any {
	if n == nil {
		return nil
	}
	return *n
}

func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// minerCommit2 and validatorCommit2 return the second commitment of a model that
// was published.
func (r Rules) minerCommit2(group int, hash string, version uint64, repo, revision string) string {
	return r.minerCommit(Commit{Group: &group, Hash: hash, Version: &version, Repo: repo, Revision: revision})
}

func (r Rules) validatorCommit2(group int, hash string, version uint64, repo, revision string) string {
	return r.validatorCommit(Commit{Group: &group, Hash: hash, Version: &version, Repo: repo, Revision: revision})
}

func short(revision string) string { return revision[:min(len(revision), revisionDigits)] }

// checkBudget says whether a commitment fits the chain's field.
func (r Rules) checkBudget(commit string) error {
	if r.CommitMax > 0 && len(commit) > r.CommitMax {
		return fmt.Errorf("chain commit exceeds payload budget: %d > %d bytes", len(commit), r.CommitMax)
	}
	return nil
}

// checkRepo says whether a repository's name fits a commitment with a version of
// as many digits as the height has: one less from block 10,000,000 on.
func (r Rules) checkRepo(repo string, height subnet.Block) error {
	if r.CommitMax == 0 {
		return nil
	}
	group, version := 0, uint64(height)
	rest := len(r.minerCommit(Commit{Group: &group, Hash: strings.Repeat("0", 2*hashSize), Version: &version, Repo: "r", Revision: "0000000"})) - 1
	if room := min(r.RepoMax, r.CommitMax-rest); len(repo) > room {
		return subnet.WithHint(fmt.Errorf("HF repo id is too long for the chain payload budget: %d > %d characters", len(repo), room), "choose a shorter name under hf.checkpoint_repo")
	}
	return nil
}

// UnmarshalJSON reads a commitment under its short names or upstream's long ones,
// the short ones first.
func (c *Commit) UnmarshalJSON(data []byte) error {
	type plain Commit
	var w struct {
		plain
		LongSigned   string  `json:"signed_model_hash"`
		LongGroup    *int    `json:"expert_group"`
		LongHash     string  `json:"model_hash"`
		LongVersion  *uint64 `json:"global_ver"`
		LongSeed     *uint64 `json:"miner_seed"`
		LongRepo     string  `json:"hf_repo_id"`
		LongRevision string  `json:"hf_revision"`
		LongBlock    *uint64 `json:"block"`
		LongInner    *int    `json:"inner_opt"`
	}
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	*c = Commit{
		Signed: either(w.Signed, w.LongSigned), Group: either(w.Group, w.LongGroup), Hash: either(w.Hash, w.LongHash),
		Version: either(w.Version, w.LongVersion), Seed: either(w.Seed, w.LongSeed), Repo: either(w.Repo, w.LongRepo),
		Revision: either(w.Revision, w.LongRevision), Block: either(w.Block, w.LongBlock), Inner: either(w.Inner, w.LongInner),
	}
	return nil
}

func either[T comparable](a, b T) T {
	var none T
	if a != none {
		return a
	}
	return b
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
func (c Commit) signature() ([]byte, error) { return Base64URL.decode(c.Signed) }

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
		return noPlace
	}
	return ""
}

// noPlace is what a commitment lacks whose upload failed.
const noPlace = "no repository or revision"
