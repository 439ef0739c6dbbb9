package connito

import (
	"fmt"
	"strings"
	"testing"

	"adit/internal/protocol/actor"
	"adit/internal/subnet"
)

// TestSignedBefore refuses a copy of what another miner signed and never told, and
// nobody else.
func TestSignedBefore(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name         string
		signed, copy subnet.Block // of the first commitments
		told         bool         // the first miner's second commitment
		other        bool         // it signed another hash
		refused      bool
	}{
		{"a copy", 100, 102, false, false, true},
		{"of what was told, which the ranks see to", 100, 102, true, false, false},
		{"signed in the same block", 102, 102, false, false, false},
		{"signed later", 103, 102, false, false, false},
		{"something else", 100, 102, false, true, false},
	} {
		sc := begin(t, G3)
		thief := sc.actor("thief", false)
		hash := strings.Repeat("ab", hashSize)
		sign := func(who subnet.Hotkey, hash string) []Commit {
			sig, err := actorKey{who, sc.keys[who]}.Sign(t.Context(), []byte(hash))
			if err != nil {
				t.Fatal(err)
			}
			return parseCommits([]string{G3.signedCommit(sig)})
		}
		fields := func(c []Commit) []string { return []string{fmt.Sprintf(`{"m":%q}`, c[0].Signed)} }
		second := []Commit{{Group: ptr(0), Hash: hash, Version: ptr(G3.Schedule.Version(0)), Repo: "o/r", Revision: "1234567"}}
		mine := hash
		if tt.other {
			mine = strings.Repeat("cd", hashSize)
		}
		f := &frame{
			first: map[subnet.Hotkey]subnet.Commitment{
				sc.miner.Me: {Hotkey: sc.miner.Me, Block: tt.signed, Fields: fields(sign(sc.miner.Me, mine))},
				thief:       {Hotkey: thief, Block: tt.copy, Fields: fields(sign(thief, hash))},
			},
			revealed: map[subnet.Hotkey][]Commit{thief: second},
			seconds:  map[subnet.Hotkey]subnet.Block{thief: 110},
		}
		if tt.told {
			f.revealed[sc.miner.Me] = second
		}
		_, why := G3.admit(sc.validator.claim(f, thief), sc.cycle)
		g, bad := why.failed()
		if bad != tt.refused || bad && g.Reason != "another miner signed the same hash earlier" {
			t.Errorf("%s: refused %v (%s), want %v", tt.name, bad, g.Reason, tt.refused)
		}
	}
}

// TestWaitForBaselineThatCounts trains on an older baseline when the newest does not
// come in time, but on none that is too old to submit anything of.
func TestWaitForBaselineThatCounts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		of      []uint64 // the cycles that the baselines are of
		trained int      // the one that is taken, or -1
	}{
		{"the newest", []uint64{5, 8}, 8},
		{"an older one", []uint64{6, 7}, 7},
		{"one too old", []uint64{5}, -1},
	} {
		sc := begin(t, G3)
		const cycle = 9
		for _, of := range tt.of {
			name := baselineName(0, sc.validator.Me, G3.Schedule.Version(of)) + "/" + shardFile(0, G3.Formats[0])
			put(t, sc.miner.Dir, name, sc.shard)
		}
		sc.jump(G3.Schedule.Start(cycle, Train))
		ctx, cancel := actor.Until(t.Context(), sc, G3.Schedule.Start(cycle, Train)+3)
		p, _, err := sc.miner.waitForBaseline(ctx, cycle, sc.group)
		cancel()
		switch {
		case tt.trained < 0:
			if err == nil {
				t.Errorf("%s: trained on version %d", tt.name, p.version)
			}
		case err != nil || p.version != G3.Schedule.Version(uint64(tt.trained)):
			t.Errorf("%s: version %d, %v", tt.name, p.version, err)
		}
	}
}
