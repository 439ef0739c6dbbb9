package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	"adit/internal/keys"
	"adit/internal/scale"
	"adit/internal/subtensor"
	"adit/internal/tui"
)

// CommitmentGetCommand shows commitments.
type CommitmentGetCommand struct {
	readFlags
	netuidFlag
	Hotkeys []string `arg:"" optional:"" name:"neuron" help:"These only: uids, or addresses of hotkeys."`
}

// Help shows examples.
func (CommitmentGetCommand) Help() string {
	return `Shows what neurons have committed on a subnet. What is encrypted is shown as locked,
with the round of the beacon in which the chain can read it; what the chain has
decrypted stands apart as revealed. What does not fit into the terminal is shown in
full for neurons that are named, and with --json.

Examples:
  adit commitment get --netuid 1
  adit commitment get --netuid 1 0 5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY
  adit commitment --netuid 1 --json`
}

// The shapes of the JSON.
type (
	shownCommitments struct {
		Netuid      uint16            `json:"netuid"`
		Block       uint64            `json:"block"`
		Commitments []shownCommitment `json:"commitments"`
	}
	shownCommitment struct {
		UID      *uint16         `json:"uid"` // null if it is no neuron any more
		Hotkey   string          `json:"hotkey"`
		Block    uint64          `json:"block,omitempty"` // of the fields
		Fields   []shownField    `json:"fields"`
		Revealed []shownRevealed `json:"revealed"`
	}
	shownField struct {
		Kind  string `json:"kind"` // the chain's: Raw, BigRaw, Sha256, TimelockEncrypted, …
		Text  string `json:"text,omitempty"`
		Hex   string `json:"hex"`
		Round uint64 `json:"reveal_round,omitempty"` // of one that is locked
	}
	shownRevealed struct {
		Block uint64 `json:"block"`
		Text  string `json:"text,omitempty"`
		Hex   string `json:"hex"`
	}
)

// textOf is bytes as a text, if they are one.
func textOf(b []byte) string {
	if text := dataText(b); text == string(b) {
		return text
	}
	return ""
}

// unlocked returns what was locked: clients put it there in SCALE.
func unlocked(b []byte) []byte {
	var inner []byte
	if d := scale.NewDecoder(b); d.Decode(&inner) == nil && d.Len() == 0 {
		return inner
	}
	return b
}

func shownOf(c subtensor.Commitment, uid *uint16) shownCommitment {
	s := shownCommitment{UID: uid, Hotkey: keys.Address(c.Hotkey), Block: uint64(c.Block), Fields: []shownField{}, Revealed: []shownRevealed{}}
	for _, f := range c.Fields {
		x := shownField{Kind: f.Kind, Hex: fmt.Sprintf("0x%x", f.Data), Round: f.Round}
		if f.Kind == "Raw" || f.Kind == "BigRaw" {
			x.Text = textOf(f.Data)
		}
		s.Fields = append(s.Fields, x)
	}
	for _, r := range c.Revealed {
		b := unlocked(r.Data)
		s.Revealed = append(s.Revealed, shownRevealed{uint64(r.Block), textOf(b), fmt.Sprintf("0x%x", b)})
	}
	return s
}

// Run shows them.
func (c CommitmentGetCommand) Run(ctx context.Context, t terminal) error {
	n, err := c.netuid()
	if err != nil {
		return err
	}
	client, v, err := c.head(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	chosen, err := neuronsNamed(ctx, v, n, c.Hotkeys)
	if err != nil {
		return err
	}
	uids := map[subtensor.Account]*uint16{}
	for _, x := range chosen {
		uid := uint16(x.UID)
		uids[x.Hotkey] = &uid
	}
	all, err := v.Commitments(ctx, n)
	if err != nil {
		return err
	}
	out := shownCommitments{uint16(n), uint64(v.Block), []shownCommitment{}}
	for _, x := range all {
		if uid := uids[x.Hotkey]; uid != nil || len(c.Hotkeys) == 0 {
			out.Commitments = append(out.Commitments, shownOf(x, uid))
		}
	}
	slices.SortStableFunc(out.Commitments, func(a, b shownCommitment) int { return cmp.Compare(order(a.UID), order(b.UID)) })
	if c.JSON {
		return printJSON(t, out)
	}
	if len(out.Commitments) == 0 {
		fmt.Fprintf(t.err, "adit: nothing is committed there\n")
		return nil
	}
	if len(c.Hotkeys) > 0 {
		return out.printEach(t)
	}
	return printTable(t, out.table(outWidth(t)))
}

// order sorts by uid; who is gone comes last.
func order(uid *uint16) int {
	if uid == nil {
		return 1 << 16
	}
	return int(*uid)
}

// printEach prints commitments in full, one after the other.
func (s shownCommitments) printEach(t terminal) error {
	rows := s.table(0).Rows
	for len(rows) > 0 {
		var pairs [][2]string
		uid, hotkey := rows[0][0], rows[0][1]
		for len(rows) > 0 && rows[0][1] == hotkey {
			pairs = append(pairs, [2]string{rows[0][3] + ", block " + rows[0][2], rows[0][4]})
			rows = rows[1:]
		}
		if err := printPairs(t, "uid "+uid+", "+hotkey, pairs); err != nil {
			return err
		}
	}
	return nil
}

// table is the commitments, a field a row, for a terminal of a width.
func (s shownCommitments) table(width int) tui.Table {
	const others, least = 36, 20 // cells of the other columns where room is scarce, and of the data
	table := tui.Table{Columns: []tui.Column{{Head: "UID", Right: true}, {Head: "HOTKEY", Brief: 9}, {Head: "BLOCK", Right: true, Drop: 1}, {Head: "KIND"}, {Head: "DATA", Brief: max(least, width-others)}}}
	for _, c := range s.Commitments {
		uid := "gone"
		if c.UID != nil {
			uid = strconv.Itoa(int(*c.UID))
		}
		row := func(block uint64, kind, text, hex string) {
			if text == "" {
				text = hex
			}
			table.Rows = append(table.Rows, []string{uid, c.Hotkey, strconv.FormatUint(block, 10), kind, text})
		}
		for _, f := range c.Fields {
			switch f.Kind {
			case "TimelockEncrypted":
				row(c.Block, "locked", fmt.Sprintf("until drand round %d", f.Round), "")
			case "Raw", "BigRaw":
				kind := "text"
				if f.Text == "" {
					kind = "bytes"
				}
				row(c.Block, kind, f.Text, f.Hex)
			default:
				row(c.Block, f.Kind, "", f.Hex)
			}
		}
		for _, r := range c.Revealed {
			row(r.Block, "revealed", r.Text, r.Hex)
		}
	}
	return table
}
