package chainnode

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"adit/internal/drand"
	"adit/internal/ledger"
)

// quicknetPulse is one that the real beacon gave out: round 1000.
func quicknetPulse(t *testing.T) drand.Pulse {
	t.Helper()
	b, err := hex.DecodeString("b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39")
	if err != nil {
		t.Fatal(err)
	}
	return drand.Pulse{Round: 1000, Signature: [48]byte(b), Randomness: sha256.Sum256(b)}
}

func TestOwnBeacon(t *testing.T) {
	g := devGenesis()
	g.Beacon = DevBeaconChain()
	n := open(t, Options{Genesis: g, BlockTime: 12 * time.Second})
	produce(t, n)
	first := n.ledger.LastRound()
	if due := g.Beacon.Latest(float64(n.head().millis) / 1000); first != due {
		t.Fatalf("the last round is %d, want %d", first, due)
	}
	// Four rounds pass from one block to the next.
	if _, err := n.Advance(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	if got := n.ledger.LastRound(); got != first+12 {
		t.Errorf("after three blocks the last round is %d, want %d", got, first+12)
	}
	body, err := n.disk.body(n.head().place)
	if err != nil || len(body) != 2 {
		t.Errorf("a block has %d extrinsics, %v; want the time and the pulses", len(body), err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, Options{Dir: n.opts.Dir}) // whose genesis is not asked for
	produce(t, again)
	if got := again.ledger.LastRound(); got < first+12 {
		t.Errorf("after a restart the last round is %d", got)
	}
}

// A chain that follows another's beacon gets its pulses from whoever sends them.
func TestForeignPulses(t *testing.T) {
	n := open(t, Options{})
	produce(t, n)
	if got := n.ledger.LastRound(); got != 0 {
		t.Fatalf("round %d from nowhere", got)
	}
	pulse := quicknetPulse(t)
	s, notices := watched(n)
	if err := watch(t, n, s, ledger.PulseExtrinsic(n.number(), pulse)); err != nil {
		t.Fatal(err)
	}
	in := produce(t, n)
	if got := n.ledger.LastRound(); got != 1000 {
		t.Errorf("the last round is %d, want 1000", got)
	}
	want := []any{"ready", map[string]any{"inBlock": hexOf(in)}, map[string]any{"finalized": hexOf(in)}}
	if diff := cmp.Diff(want, notices()); diff != "" {
		t.Error(diff)
	}

	if _, err := ask(n, "author_submitExtrinsic", hexBytes(ledger.PulseExtrinsic(n.number(), pulse))); err == nil || err.Code != 1010 {
		t.Errorf("the same pulse again: %v", err)
	}
	forged := pulse
	forged.Round++
	if err := watch(t, n, s, ledger.PulseExtrinsic(n.number(), forged)); err != nil {
		t.Fatal(err) // looking at its signature takes long, and is left to the block
	}
	produce(t, n)
	if diff := cmp.Diff([]any{"ready", "invalid"}, notices()); diff != "" {
		t.Error(diff)
	}
}
