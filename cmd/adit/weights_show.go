package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"adit/internal/keys"
	"adit/internal/subnet"
	"adit/internal/subtensor"
	"adit/internal/tui"
)

// WeightsShowCommand shows the weights of a subnet.
type WeightsShowCommand struct {
	readFlags
	coldkeyFlags
	netuidFlag
	mechanismFlag
	All    bool   `aliases:"all-weights,all_weights" help:"Show neurons without weights too."`
	Own    bool   `aliases:"all-hotkeys,all_hotkeys" xor:"whose" help:"Show what the wallet's hotkeys have set, only."`
	Hotkey string `short:"H" aliases:"wallet.hotkey,wallet-hotkey,wallet_hotkey" xor:"whose" placeholder:"NAME|ADDRESS" help:"Show what this hotkey has set, only."`
}

// Help shows examples.
func (WeightsShowCommand) Help() string {
	return `Shows how validators share out a subnet's neurons: a row for each of them, and a
column for each neuron's uid. Where that does not fit, a row is a list of uids with
their weights. Weights are those that the chain shows to everybody; what is
committed and not revealed yet stands below.

Examples:
  adit weights show --netuid 1
  adit weights --netuid 1 --own
  adit weights show --netuid 1 --hotkey default --json`
}

// The shapes of the JSON.
type (
	shownWeights struct {
		NetUID      subnet.NetUID `json:"netuid"`
		Block       subnet.Block  `json:"block"`
		MechanismID uint8         `json:"mechanism_id"`
		Neurons     int           `json:"neurons"`
		Weights     []shownRow    `json:"weights"`
		Commits     []shownCommit `json:"commits"` // not revealed yet, the oldest first
	}
	shownRow struct {
		UID     int           `json:"uid"`
		Hotkey  string        `json:"hotkey"`
		Updated subnet.Block  `json:"last_update"`
		Weights []shownWeight `json:"weights"`
	}
	shownWeight struct {
		UID    subnet.UID `json:"uid"`
		Weight float64    `json:"weight"` // of their sum
	}
	shownCommit struct {
		UID    *int         `json:"uid"` // null if it is no neuron any more
		Hotkey string       `json:"hotkey"`
		Block  subnet.Block `json:"block"`
		Epoch  uint64       `json:"epoch"`
		Round  uint64       `json:"round,omitempty"` // of the beacon, when the chain reveals them
		Hash   string       `json:"hash,omitempty"`  // of those that are revealed by hand
	}
)

// Run prints them.
func (c WeightsShowCommand) Run(ctx context.Context, t terminal) error {
	n, err := c.netuid()
	if err != nil {
		return err
	}
	client, v, err := c.head(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	g, err := readGraph(ctx, v, n, c.mechanismFlag)
	if err != nil {
		return err
	}
	of, err := c.whose(g)
	if err != nil {
		return err
	}
	rows, err := v.Weights(ctx, n, c.Mechid, len(g.Hotkeys))
	if err != nil {
		return err
	}
	commits, err := v.WeightsCommits(ctx, n, c.Mechid)
	if err != nil {
		return err
	}
	shown := shownWeights{NetUID: n, Block: v.Block, MechanismID: c.Mechid, Neurons: len(g.Hotkeys), Weights: []shownRow{}, Commits: []shownCommit{}}
	for i, who := range g.Hotkeys {
		if len(rows[i]) == 0 && !c.All || of != nil && !of[who] {
			continue
		}
		r := shownRow{UID: i, Hotkey: keys.Address(who), Updated: elementOf(g.LastUpdate, i), Weights: []shownWeight{}}
		for _, w := range rows[i] {
			r.Weights = append(r.Weights, shownWeight{w.UID, w.Value})
		}
		shown.Weights = append(shown.Weights, r)
	}
	for _, k := range commits {
		if of != nil && !of[k.Hotkey] {
			continue
		}
		s := shownCommit{Hotkey: keys.Address(k.Hotkey), Block: k.Block, Epoch: k.Epoch, Round: k.Round}
		if k.Round == 0 {
			s.Hash = "0x" + hex.EncodeToString(k.Hash[:])
		}
		if uid := slices.Index(g.Hotkeys, k.Hotkey); uid >= 0 {
			s.UID = &uid
		}
		shown.Commits = append(shown.Commits, s)
	}
	if c.JSON {
		return printJSON(t, shown)
	}
	return shown.print(t)
}

// whose returns the neurons that a person wants to see, or nil for all.
func (c WeightsShowCommand) whose(g graph) (map[subtensor.Account]bool, error) {
	if !c.Own && c.Hotkey == "" {
		return nil, nil
	}
	of := map[subtensor.Account]bool{}
	if who, err := parseAccount(c.Hotkey); err == nil {
		of[who] = true
	} else {
		ws, err := c.held(false)
		if err != nil {
			return nil, err
		}
		for _, h := range ws[0].hotkeys {
			if c.Own || h.name == c.Hotkey {
				of[h.account] = true
			}
		}
		for i, cold := range g.Coldkeys {
			if c.Own && ws[0].known && cold == ws[0].coldkey {
				of[g.Hotkeys[i]] = true
			}
		}
		if len(of) == 0 && !c.Own {
			return nil, subnet.WithHint(fmt.Errorf("wallet %q has no hotkey %q", c.WalletName, c.Hotkey), "'adit wallet list' shows those that there are")
		}
	}
	if !slices.ContainsFunc(g.Hotkeys, func(who subtensor.Account) bool { return of[who] }) {
		what := "the hotkey is not"
		if c.Own {
			what = fmt.Sprintf("no hotkey of wallet %q is", c.WalletName)
		}
		return nil, subnet.WithHint(fmt.Errorf("%s registered on subnet %d", what, g.NetUID), "'adit metagraph' shows who is")
	}
	return of, nil
}

func (s shownWeights) print(t terminal) error {
	width := outWidth(t)
	var err error
	switch table := s.matrix(); {
	case len(s.Weights) == 0:
		fmt.Fprintf(t.err, "adit: none of them has set weights on subnet %d that everybody can read\n", s.NetUID)
	case width == 0 || fits(table, width):
		err = printTable(t, table)
	default:
		_, err = fmt.Fprint(t.out, s.list(width))
	}
	if err != nil || len(s.Commits) == 0 {
		return err
	}
	if _, err := fmt.Fprintf(t.out, "\nCommitted, and not revealed yet:\n"); err != nil {
		return err
	}
	return printTable(t, s.pending())
}

// fits reports whether a table need not be cut. Its cells are plain.
func fits(table tui.Table, width int) bool {
	for _, line := range table.Lines(0) {
		if len(line) > width {
			return false
		}
	}
	return true
}

// matrix has a row for each validator and a column for each neuron.
func (s shownWeights) matrix() tui.Table {
	table := tui.Table{Columns: []tui.Column{{Head: "uid", Right: true}}}
	for uid := range s.Neurons {
		table.Columns = append(table.Columns, tui.Column{Head: strconv.Itoa(uid), Right: true})
	}
	for _, r := range s.Weights {
		row := make([]string, 1+s.Neurons)
		row[0] = strconv.Itoa(r.UID)
		for i := range s.Neurons {
			row[1+i] = "0.000"
		}
		for _, w := range r.Weights {
			if int(w.UID) < s.Neurons {
				row[1+int(w.UID)] = fmt.Sprintf("%.3f", w.Weight)
			}
		}
		table.Rows = append(table.Rows, row)
	}
	return table
}

// list has a paragraph for each validator: who it is and, in lines of width cells,
// uids and their weights.
func (s shownWeights) list(width int) string {
	var b strings.Builder
	const indent = "    "
	for _, r := range s.Weights {
		fmt.Fprintf(&b, "%d  %s, block %d\n", r.UID, r.Hotkey, r.Updated)
		line := indent
		for _, w := range r.Weights {
			cell := fmt.Sprintf("%4d: %.3f", w.UID, w.Weight)
			if line != indent && len(line)+2+len(cell) > width {
				b.WriteString(line + "\n")
				line = indent
			}
			if line != indent {
				line += "  "
			}
			line += cell
		}
		if line != indent {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// pending lists what is committed.
func (s shownWeights) pending() tui.Table {
	table := tui.Table{Columns: []tui.Column{
		{Head: "UID", Right: true}, {Head: "HOTKEY", Brief: 10}, {Head: "BLOCK", Right: true}, {Head: "EPOCH", Right: true, Drop: 2}, {Head: "REVEALED BY"}}}
	for _, k := range s.Commits {
		uid, by := "-", "the chain, in round "+strconv.FormatUint(k.Round, 10)
		if k.UID != nil {
			uid = strconv.Itoa(*k.UID)
		}
		if k.Hash != "" {
			by = "hand, " + k.Hash[:12] + "…"
		}
		table.Rows = append(table.Rows, []string{uid, k.Hotkey, strconv.FormatUint(uint64(k.Block), 10), strconv.FormatUint(k.Epoch, 10), by})
	}
	return table
}
