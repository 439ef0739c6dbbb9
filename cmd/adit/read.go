package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"adit/internal/keys"
	"adit/internal/subnet"
	"adit/internal/subtensor"
	"adit/internal/tui"
	"adit/internal/wallet"
)

// A readFlags is what commands that only read a chain have in common.
type readFlags struct {
	networkFlags
	JSON bool `name:"json" aliases:"json-output,json-out" help:"Print JSON."`
}

// A netuidsFlag says which subnets are meant, all of them if none is named.
type netuidsFlag struct {
	Netuids []subnet.NetUID `short:"n" aliases:"netuid" placeholder:"N,…" help:"These subnets only."`
}

func (f netuidsFlag) means(n subnet.NetUID) bool {
	return len(f.Netuids) == 0 || slices.Contains(f.Netuids, n)
}

// A mechanismFlag says which of a subnet's mechanisms is meant.
type mechanismFlag struct {
	Mechid uint8 `aliases:"mech-id,mechanism-id,mechanism_id" placeholder:"N" help:"The subnet's mechanism (0)."`
}

// among returns an error if the subnet has no such mechanism.
func (f mechanismFlag) among(n subnet.NetUID, mechanisms uint8) error {
	if f.Mechid < mechanisms {
		return nil
	}
	return subnet.WithHint(fmt.Errorf("subnet %d has no mechanism %d", n, f.Mechid), fmt.Sprintf("its mechanisms are numbered from 0 to %d", mechanisms-1))
}

// name is what a person calls the chain: a name, or a URL.
func (f networkFlags) name() string {
	n, err := f.network()
	switch {
	case err != nil:
		return ""
	case n.Name != "":
		return n.Name
	}
	return n.Endpoints[0]
}

// subnetHint tells where the subnets are listed, if there is no such one.
func subnetHint(err error) error {
	if errors.Is(err, subnet.ErrNotFound) && subnet.Hint(err) == "" {
		err = subnet.WithHint(err, "'adit subnet list' shows those that there are")
	}
	return err
}

// A jsonTAO is an amount in RAO that JSON has in TAO, as btcli does. No digit is
// lost, unlike in a floating-point number.
type jsonTAO uint64

// MarshalJSON implements [json.Marshaler].
func (a jsonTAO) MarshalJSON() ([]byte, error) { return []byte(formatTAO(uint64(a))), nil }

func printJSON(t terminal, v any) error { return json.NewEncoder(t.out).Encode(v) }

// taoCell is an amount in TAO with as many decimals as tables show. What is smaller
// is cut off.
func taoCell(rao uint64) string { return fmt.Sprintf("%d.%04d", rao/1e9, rao%1e9/1e5) }

// share is a fraction of 65535, as tables and JSON show it.
func share(n uint16) float64 { return float64(n) / 65535 }

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// axonText is where a neuron serves, or "none".
func axonText(a netip.AddrPort) string {
	if !a.IsValid() || a.Port() == 0 || a.Addr().IsUnspecified() {
		return "none"
	}
	return a.String()
}

// worth is what alpha of a subnet is worth at its price, in RAO.
func worth(alpha, price uint64) uint64 {
	hi, lo := bits.Mul64(alpha, price)
	if hi >= 1e9 {
		return math.MaxUint64
	}
	rao, _ := bits.Div64(hi, lo, 1e9)
	return rao
}

// sortRows brings rows, and what they are about, into the order of a column. Cells
// that are numbers are compared as such.
func sortRows[T any](table *tui.Table, about []T, column string, descending bool) error {
	c := slices.IndexFunc(table.Columns, func(c tui.Column) bool {
		head, _, _ := strings.Cut(c.Head, "(")
		return strings.EqualFold(head, column) || strings.EqualFold(c.Head, column)
	})
	if c < 0 {
		var heads []string
		for _, c := range table.Columns {
			heads = append(heads, strings.ToLower(c.Head))
		}
		return subnet.WithHint(fmt.Errorf("there is no column %q to sort by", column), "columns are "+strings.Join(heads, ", "))
	}
	type pair struct {
		row   []string
		about T
	}
	pairs := make([]pair, len(about))
	for i := range about {
		pairs[i] = pair{table.Rows[i], about[i]}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int {
		order := compareCells(a.row[c], b.row[c])
		if descending {
			return -order
		}
		return order
	})
	for i, p := range pairs {
		table.Rows[i], about[i] = p.row, p.about
	}
	return nil
}

func compareCells(a, b string) int {
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	switch {
	case errX != nil || errY != nil:
		return strings.Compare(a, b)
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// A heldWallet is a wallet as far as a chain is concerned: addresses and their
// names.
type heldWallet struct {
	name    string
	coldkey subtensor.Account
	known   bool // the coldkey, without a password
	hotkeys []heldHotkey
}

type heldHotkey struct {
	name    string
	account subtensor.Account
}

// held returns the wallet that is meant, or all wallets there are.
func (f coldkeyFlags) held(all bool) ([]heldWallet, error) {
	list, err := wallet.List(f.WalletPath)
	if err != nil {
		return nil, walletsHint(err)
	}
	var out []heldWallet
	for _, l := range list {
		if !all && l.Coldkey.Name != f.WalletName {
			continue
		}
		w := heldWallet{name: l.Coldkey.Name}
		w.coldkey, w.known = accountOf(l.Coldkey.Address)
		for _, h := range l.Hotkeys {
			if who, ok := accountOf(h.Address); ok {
				w.hotkeys = append(w.hotkeys, heldHotkey{h.Name, who})
			}
		}
		out = append(out, w)
	}
	if len(out) == 0 && all {
		return nil, walletsHint(errors.New("there are no wallets"))
	}
	if len(out) == 0 {
		return nil, subnet.WithHint(fmt.Errorf("there is no wallet %q", f.WalletName), "'adit wallet list' shows those that there are; --wallet-name tells which is meant")
	}
	return out, nil
}

func walletsHint(err error) error {
	return subnet.WithHint(err, "'adit wallet create' makes one; --wallet-path tells where they are")
}

func accountOf(address string) (subtensor.Account, bool) {
	who, err := keys.ParseAddress(address)
	return who, err == nil
}

// errColdkey says that nothing tells a wallet's address.
func errColdkey(name string) error {
	return subnet.WithHint(fmt.Errorf("nobody knows the coldkey of wallet %q without its password", name),
		"'adit wallet regen-coldkeypub' writes its public half; --ss58 tells an address")
}
