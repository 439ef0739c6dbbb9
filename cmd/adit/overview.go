package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"adit/internal/keys"
	"adit/internal/subnet"
	"adit/internal/subtensor"
	"adit/internal/tui"
)

// OverviewCommand shows a wallet's neurons.
type OverviewCommand struct {
	coldkeyFlags
	readFlags
	netuidsFlag
	All       bool     `short:"a" aliases:"all-wallets,all_wallets" help:"Show the neurons of all wallets."`
	Include   []string `name:"include-hotkeys" aliases:"in,include_hotkeys" placeholder:"NAME,…" help:"These hotkeys only, by name or address."`
	Exclude   []string `name:"exclude-hotkeys" aliases:"ex,exclude_hotkeys" placeholder:"NAME,…" help:"Not these hotkeys."`
	SortBy    string   `aliases:"sort,sort_by,wallet.sort_by" placeholder:"COLUMN" help:"Sort each table by a column."`
	SortOrder string   `aliases:"sort_order,wallet.sort_order" enum:"asc,ascending,desc,descending,reverse" default:"ascending" placeholder:"ORDER" help:"ascending or descending (${default})."`
}

// Help shows examples.
func (OverviewCommand) Help() string {
	return `Shows the neurons of a wallet, a table for each subnet: what they have staked, how
they are judged, what they earn and where they serve. STAKE is the hotkey's alpha;
EMISSION is in ρ, a billionth of alpha, a block; UPDATED is how many blocks ago it
set weights; VPERMIT marks who may set weights that count.

Examples:
  adit overview
  adit wallet overview --wallet-name cold --netuids 1,2 --sort-by incentive
  adit wallet overview --all --exclude-hotkeys test --json`
}

// The shapes of the JSON are btcli's.
type (
	shownOverview struct {
		Wallet  string           `json:"wallet"` // name|address, or "All"
		Network string           `json:"network"`
		Subnets []overviewSubnet `json:"subnets"`
		Balance jsonTAO          `json:"total_balance"`
	}
	overviewSubnet struct {
		NetUID  subnet.NetUID    `json:"netuid"`
		Tempo   uint16           `json:"tempo"`
		Neurons []overviewNeuron `json:"neurons"`
		Name    string           `json:"name"`
		Symbol  string           `json:"symbol"`

		graph graph
	}
	overviewNeuron struct {
		Coldkey   string  `json:"coldkey"` // names, or the beginnings of addresses
		Hotkey    string  `json:"hotkey"`
		UID       int     `json:"uid"`
		Active    bool    `json:"active"`
		Stake     jsonTAO `json:"stake"` // alpha
		Rank      float64 `json:"rank"`
		Trust     float64 `json:"trust"`
		Consensus float64 `json:"consensus"`
		Incentive float64 `json:"incentive"`
		Dividends float64 `json:"dividends"`
		Emission  uint64  `json:"emission"` // in a block, in 10^-9 of alpha
		VTrust    float64 `json:"validator_trust"`
		Permit    bool    `json:"validator_permit"`
		Updated   uint64  `json:"last_update"` // blocks since
		Axon      *string `json:"axon"`
		HotkeySS  string  `json:"hotkey_ss58"`

		shown shownNeuron
	}
)

// Run prints it.
func (c OverviewCommand) Run(ctx context.Context, t terminal) error {
	wallets, err := c.held(c.All)
	if err != nil {
		return err
	}
	client, v, err := c.head(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	own, err := ownNeurons(ctx, v, wallets)
	if err != nil {
		return err
	}
	own.keep(c.Include, c.Exclude)
	out := shownOverview{Wallet: "All", Network: c.name(), Subnets: []overviewSubnet{}}
	if !c.All {
		out.Wallet = wallets[0].name + "|" + wallets[0].address()
	}
	if out.Subnets, err = c.subnets(ctx, v, own); err != nil {
		return err
	}
	if out.Balance, err = freeBalance(ctx, v, wallets); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(t, out)
	}
	return c.print(t, out)
}

// address is that of the coldkey, or "?".
func (w heldWallet) address() string {
	if !w.known {
		return "?"
	}
	return keys.Address(w.coldkey)
}

// freeBalance is what wallets have, together.
func freeBalance(ctx context.Context, v *subtensor.View, wallets []heldWallet) (jsonTAO, error) {
	var who []subtensor.Account
	for _, w := range wallets {
		if w.known {
			who = append(who, w.coldkey)
		}
	}
	states, err := v.Accounts(ctx, who...)
	total := uint64(0)
	for _, s := range states {
		total = plus(total, jsonTAO(s.Free))
	}
	return jsonTAO(total), err
}

// A keyName says whose a hotkey is, by names or, where there is none, by the
// beginning of the address.
type keyName struct{ coldkey, hotkey string }

// keyNames are those of hotkeys.
type keyNames map[subtensor.Account]keyName

// ownNeurons returns the hotkeys of wallets: those that are on this machine, and
// those that the chain says are the coldkey's.
func ownNeurons(ctx context.Context, v *subtensor.View, wallets []heldWallet) (keyNames, error) {
	out := keyNames{}
	for _, w := range wallets {
		if w.known {
			list, err := v.OwnedHotkeys(ctx, w.coldkey)
			if err != nil {
				return nil, err
			}
			for _, who := range list {
				out[who] = keyName{w.name, keys.Address(who)[:7]}
			}
		}
	}
	for _, w := range wallets {
		for _, h := range w.hotkeys {
			out[h.account] = keyName{w.name, h.name}
		}
	}
	return out, nil
}

// keep forgets hotkeys that are not wanted.
func (o keyNames) keep(include, exclude []string) {
	for who, name := range o {
		named := func(s string) bool { return s == name.hotkey || s == keys.Address(who) }
		if len(include) > 0 && !slices.ContainsFunc(include, named) || slices.ContainsFunc(exclude, named) {
			delete(o, who)
		}
	}
}

// subnets reads the subnets where hotkeys are neurons.
func (c OverviewCommand) subnets(ctx context.Context, v *subtensor.View, own keyNames) ([]overviewSubnet, error) {
	var hotkeys []subtensor.Account
	for who := range own {
		hotkeys = append(hotkeys, who)
	}
	registrations, err := v.Registrations(ctx, hotkeys...)
	if err != nil {
		return nil, err
	}
	out := []overviewSubnet{}
	for _, r := range registrations {
		if c.means(r.NetUID) && !slices.ContainsFunc(out, func(s overviewSubnet) bool { return s.NetUID == r.NetUID }) {
			out = append(out, overviewSubnet{NetUID: r.NetUID, Neurons: []overviewNeuron{}})
		}
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	for i := range out {
		g.Go(func() (err error) {
			out[i].graph, err = readGraph(gctx, v, out[i].NetUID, mechanismFlag{})
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for i := range out {
		s := &out[i]
		s.Tempo, s.Name, s.Symbol = s.graph.Tempo, s.graph.Name, s.graph.Symbol
		for uid, who := range s.graph.Hotkeys {
			if name, is := own[who]; is {
				s.Neurons = append(s.Neurons, s.graph.overview(uid, name))
			}
		}
		slices.SortStableFunc(s.Neurons, func(a, b overviewNeuron) int { return cmp.Compare(a.Coldkey, b.Coldkey) })
		if c.SortBy != "" {
			table := s.table(c.All)
			if err := sortRows(&table, s.Neurons, c.SortBy, strings.ContainsAny(c.SortOrder[:1], "dr")); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func (g graph) overview(uid int, name keyName) overviewNeuron {
	s := g.neuron(uid)
	return overviewNeuron{Coldkey: name.coldkey, Hotkey: name.hotkey, UID: uid, Active: s.Active, Stake: s.AlphaStake, Rank: s.Rank, Trust: s.Trust,
		Consensus: s.Consensus, Incentive: s.Incentive, Dividends: s.Dividends, Emission: g.perBlock(s), VTrust: s.VTrust, Permit: s.Permit,
		Updated: s.Updated, Axon: s.Axon, HotkeySS: s.Hotkey, shown: s}
}

// table has a row for each neuron. Whose it is must be seen where it may be more
// than one wallet's.
func (s overviewSubnet) table(all bool) tui.Table {
	coldkey := tui.Column{Head: "COLDKEY", Brief: 8, Drop: 13}
	if all {
		coldkey.Drop = 0
	}
	unit := s.Symbol
	if unit == "" {
		unit = "α"
	}
	table := tui.Table{Columns: []tui.Column{
		coldkey, {Head: "HOTKEY", Brief: 8}, {Head: "UID", Right: true}, {Head: "ACTIVE", Short: "ACT", Drop: 5},
		{Head: "STAKE(" + plainText(unit) + ")", Short: "STAKE", Right: true},
	}}
	table.Columns = append(table.Columns, shareColumns...)
	table.Columns = append(table.Columns,
		tui.Column{Head: "EMISSION(ρ)", Short: "EMIT(ρ)", Right: true},
		tui.Column{Head: "VTRUST", Right: true, Drop: 7},
		tui.Column{Head: "VPERMIT", Short: "VP", Drop: 4},
		tui.Column{Head: "UPDATED", Short: "UPD", Right: true},
		tui.Column{Head: "AXON", Drop: 1},
		tui.Column{Head: "HOTKEY_SS58", Brief: 11, Drop: 6},
	)
	for _, n := range s.Neurons {
		row := []string{n.Coldkey, n.Hotkey, strconv.Itoa(n.UID), yesNo(n.Active), taoCell(uint64(n.Stake))}
		row = append(row, cellsOf(n.shown.shares())...)
		row = append(row, strconv.FormatUint(n.Emission, 10), fmt.Sprintf("%.5f", n.VTrust), n.shown.permit(), strconv.FormatUint(n.Updated, 10),
			n.shown.axon(), n.HotkeySS)
		table.Rows = append(table.Rows, row)
	}
	return table
}

// total is the last row of the table.
func (s overviewSubnet) total() []string {
	var all []shownNeuron
	for _, n := range s.Neurons {
		all = append(all, n.shown)
	}
	total := s.graph.sum(all)
	row := []string{"", "total", strconv.Itoa(total.neurons), strconv.Itoa(total.active), taoCell(total.alpha)}
	row = append(row, cellsOf(total.shares)...)
	return append(row, strconv.FormatUint(total.rho, 10), fmt.Sprintf("%.5f", total.vtrust), "", "", "", "")
}

func (c OverviewCommand) print(t terminal, out shownOverview) error {
	title := "All wallets"
	if !c.All {
		title = "Wallet - " + strings.Replace(out.Wallet, "|", ":", 1)
	}
	fmt.Fprintln(t.out, plainText(title))
	var hidden []string
	for _, s := range out.Subnets {
		name := strings.TrimSpace(fmt.Sprintf("Subnet %d: %s %s", s.NetUID, s.Name, s.Symbol))
		fmt.Fprintf(t.out, "\n%s\n", plainText(name))
		table := s.table(c.All)
		table.Rows = append(table.Rows, s.total())
		heads, err := printRows(t, table)
		if err != nil {
			return err
		}
		for _, h := range heads {
			if !slices.Contains(hidden, h) {
				hidden = append(hidden, h)
			}
		}
	}
	tellHidden(t, hidden)
	if len(out.Subnets) == 0 {
		fmt.Fprintf(t.err, "adit: no hotkey is registered there\nhint: 'adit subnet register' makes one a neuron\n")
	}
	_, err := fmt.Fprintf(t.out, "\nWallet balance: %s TAO\n", formatTAO(uint64(out.Balance)))
	return err
}
