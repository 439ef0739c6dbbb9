package subtensor

import (
	"errors"
	"strings"
	"testing"

	"adit/internal/subnet"
)

func TestParseNetwork(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in, name, first string
		n               int
		known           bool
	}{
		{"finney", "finney", "wss://entrypoint-finney.opentensor.ai:443", 3, true},
		{"Test", "test", "wss://test.finney.opentensor.ai:443", 1, true},
		{"local", "local", "ws://127.0.0.1:9944", 1, false},
		{"archive, finney", "archive", "wss://archive.chain.opentensor.ai:443", 5, true},
		{"wss://archive.chain.opentensor.ai/x", "archive", "wss://archive.chain.opentensor.ai/x", 1, true},
		{"ws://localhost:1,ws://localhost:2,ws://localhost:1", "", "ws://localhost:1", 2, false},
		{"ws://localhost:1,finney", "finney", "ws://localhost:1", 4, true},
	} {
		n, err := ParseNetwork(tt.in)
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		if n.Name != tt.name || n.Endpoints[0] != tt.first || len(n.Endpoints) != tt.n || (n.Genesis != [32]byte{}) != tt.known {
			t.Errorf("%s: %+v", tt.in, n)
		}
	}
	for in, want := range map[string]string{
		"nakamoto": "its successor is finney", "akatsuki": "its successor is finney", "NOBUNAGA": "its successor is test",
		"": "give finney", "fini": "give finney", "http://x": "give finney", "ws://": "give finney", "finney,": "give finney",
	} {
		if n, err := ParseNetwork(in); err == nil || !strings.Contains(subnet.Hint(err), want) {
			t.Errorf("%q: %+v, %v, hint %q", in, n, err, subnet.Hint(err))
		}
	}
	if _, err := ParseNetwork("finney,test"); err == nil {
		t.Error("two chains are one network")
	}
}

// A chain that is not the one asked for is refused, and the error names both.
func TestWrongChain(t *testing.T) {
	t.Parallel()
	f, g := newFake(t, 0), newFake(t, 1)
	_, err := Dial(t.Context(), Options{Endpoints: []string{f.url}, Genesis: genesisOf(finneyGenesis)})
	wrong, ok := errors.AsType[*WrongChainError](err)
	if !ok || wrong.Got != f.blocks[0].hash || errors.Is(err, subnet.ErrTemporary) || !strings.Contains(err.Error(), "(finney)") {
		t.Errorf("error %v", err)
	}
	c := dialFakes(t, Options{Genesis: g.blocks[0].hash}, f, g) // the second one will do
	if c.Genesis() != g.blocks[0].hash {
		t.Error("the wrong chain is used")
	}
	if n := f.count("chain_subscribeNewHeads"); n != 0 {
		t.Errorf("%d subscriptions at the wrong chain", n)
	}
}
