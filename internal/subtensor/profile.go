package subtensor

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"adit/internal/subnet"
)

// A Network is where a chain is found, and by what it is recognised.
type Network struct {
	Name      string   // such as "finney"; "" if it has none
	Endpoints []string // ws:// or wss:// URLs, the preferred one first
	Genesis   [32]byte // hash of block 0; the zero value if any chain will do
}

// The genesis hashes of the public chains.
const (
	finneyGenesis = "2f0555cc76fc2840a25a6ea3b9637146806f1f44b090c175ffde2a7e5ab36c03"
	testGenesis   = "8f9cf856bf558a14440e75569c9e58594757048d7b3a84b5d25f6bd978263105"
)

// profiles are the networks that btcli and the SDK know by name. The nodes of
// archive keep all states; they serve the same chain as finney.
var profiles = []struct {
	name, genesis string
	endpoints     []string
}{
	{"finney", finneyGenesis, []string{"wss://entrypoint-finney.opentensor.ai:443", "wss://lite.chain.opentensor.ai:443", "wss://lite.sub.latent.to:443"}},
	{"test", testGenesis, []string{"wss://test.finney.opentensor.ai:443"}},
	{"archive", finneyGenesis, []string{"wss://archive.chain.opentensor.ai:443", "wss://archive.sub.latent.to:443"}},
	{"latent-lite", finneyGenesis, []string{"wss://lite.sub.latent.to:443"}},
	{"rao", "", []string{"wss://rao.chain.opentensor.ai:443"}},
	{"dev", "", []string{"wss://dev.chain.opentensor.ai:443"}},
	{"local", "", []string{"ws://127.0.0.1:9944"}},
}

// retired are the networks that are no more, and what took their place.
var retired = map[string]string{"nakamoto": "finney", "akatsuki": "finney", "nobunaga": "test"}

// ParseNetwork reads what people write for a chain: the name of a network, a
// WebSocket URL, or several of these with commas between them, the preferred one
// first. All must lead to the same chain as far as is known: a public host is
// recognised in a URL too.
//
// Unlike upstream, an unknown name is an error and not the local chain, and a
// URL to a public host keeps its port and path.
func ParseNetwork(s string) (Network, error) {
	var n Network
	for part := range strings.SplitSeq(s, ",") {
		one, err := parseOne(strings.TrimSpace(part))
		if err != nil {
			return Network{}, err
		}
		if err := n.join(one); err != nil {
			return Network{}, err
		}
	}
	return n, nil
}

func parseNetworks(list []string) (Network, error) {
	return ParseNetwork(strings.Join(list, ","))
}

func parseOne(s string) (Network, error) {
	if successor, ok := retired[strings.ToLower(s)]; ok {
		return Network{}, subnet.WithHint(fmt.Errorf("the network %s was shut down in 2023", strings.ToLower(s)),
			fmt.Sprintf("its successor is %s", successor))
	}
	for _, p := range profiles {
		if strings.EqualFold(p.name, s) {
			return Network{p.name, slices.Clone(p.endpoints), genesisOf(p.genesis)}, nil
		}
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "ws" && u.Scheme != "wss" || u.Hostname() == "" {
		return Network{}, subnet.WithHint(fmt.Errorf("no network is called %q", s), "give finney, test, archive, local, or a ws:// or wss:// URL")
	}
	n := Network{Endpoints: []string{s}}
	for _, p := range profiles {
		if p.genesis != "" && slices.ContainsFunc(p.endpoints, func(e string) bool { return hostOf(e) == u.Hostname() }) {
			n.Name, n.Genesis = p.name, genesisOf(p.genesis)
			break
		}
	}
	return n, nil
}

// join adds the endpoints of m.
func (n *Network) join(m Network) error {
	if n.Genesis != ([32]byte{}) && m.Genesis != ([32]byte{}) && n.Genesis != m.Genesis {
		return fmt.Errorf("%s and %s are different chains", n.Name, m.Name)
	}
	if n.Genesis == ([32]byte{}) {
		n.Genesis = m.Genesis
	}
	if n.Name == "" {
		n.Name = m.Name
	}
	for _, e := range m.Endpoints {
		if !slices.Contains(n.Endpoints, e) {
			n.Endpoints = append(n.Endpoints, e)
		}
	}
	return nil
}

func hostOf(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return "" // unreachable: the table's URLs are good
	}
	return u.Hostname()
}

func genesisOf(digits string) (h [32]byte) {
	if b, err := hex.DecodeString(digits); err == nil {
		copy(h[:], b)
	}
	return h
}

// A WrongChainError means that an endpoint serves another chain than the one
// that was asked for, or that was served before.
type WrongChainError struct {
	Endpoint  string
	Got, Want [32]byte // genesis hashes
}

func (e *WrongChainError) Error() string {
	return fmt.Sprintf("%s serves the wrong chain: its genesis is %s, not %s", e.Endpoint, chainName(e.Got), chainName(e.Want))
}

// chainName returns a genesis hash, and the name of its network if it has one.
func chainName(genesis [32]byte) string {
	s := hash32(genesis).String()
	for _, p := range profiles {
		if p.genesis != "" && genesisOf(p.genesis) == genesis {
			return s + " (" + p.name + ")"
		}
	}
	return s
}
