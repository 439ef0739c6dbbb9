package tui

import (
	"fmt"

	"charm.land/lipgloss/v2"

	"adit/internal/local"
)

// neuronName is a neuron's name, marked if it breaks a rule on purpose.
func neuronName(n *local.Neuron, th theme) cell {
	if n.Cheat != "" {
		return cell{"× " + clean(n.Name), th.warn}
	}
	return cell{"  " + clean(n.Name), lipgloss.NewStyle()}
}

// verdict says why a miner was paid in the last round, or was not. A miner that
// got nothing is never left without a reason.
func verdict(n *local.Neuron, th theme) (cell, worth) {
	text, style, worth := clean(n.Reason), th.faint, ifRoom
	paid := n.Score > 0 && n.Weight > 0
	switch {
	case !n.Scored:
		text, worth = "not scored yet", ifEmpty
		if doing := clean(n.Doing); doing != "" {
			text += ", " + doing
		}
	case !paid:
		worth = always
		if text == "" {
			text = "no reason was given"
		}
		if n.Score > 0 {
			text += ", but no weight"
		}
		if n.Cheat == "" {
			style = th.warn
		}
	case n.Cheat != "":
		style, worth = th.bad, always
	}
	if n.Cheat != "" {
		text = fmt.Sprintf("cheat (%s): %s", clean(n.Cheat), text)
	}
	return cell{text, style}, worth
}

// part formats what a neuron has of something, strong unless it has nothing.
func part(x float64, th theme) cell {
	if x == 0 {
		return cell{share(x), th.faint}
	}
	return cell{share(x), th.strong}
}

// uid formats a slot; before the registration there is none.
func uid(n *local.Neuron) string {
	if n.UID < 0 {
		return none
	}
	return fmt.Sprint(n.UID)
}

// earned formats what a neuron has beyond what it began with.
func earned(n *local.Neuron, th theme) cell {
	if n.Earned > 0 {
		return cell{amount(n.Earned), th.good}
	}
	return cell{amount(n.Earned), th.faint}
}

// minerTable is what the live view says of the miners, with the notes that are
// worth it.
func minerTable(s *local.Snapshot, least worth, th theme) table {
	const training, round, chain = "training", "last round", "on chain"
	t := table{indent: 1, notes: "why", worth: least, maxNote: 2, cols: []column{
		{head: "MINERS", min: 12, max: 22},
		{head: "uid", min: 3, right: true},
		{head: "group", short: "grp", min: 3, right: true, drop: 4},
		{head: "step", over: training, min: 5, right: true, drop: 2},
		{head: "loss", over: training, min: 6, right: true},
		{head: "tok/s", over: training, min: 5, right: true, drop: 3},
		{head: "val loss", short: "val", over: round, min: 6, right: true},
		{head: "score", over: round, min: 5, right: true},
		{head: "weight", over: round, min: 6, right: true},
		{head: "incentive", short: "incent", over: chain, min: 6, right: true, drop: 1},
		{head: "earned", over: chain, min: 7, right: true},
	}}
	for i := range s.Neurons {
		n := &s.Neurons[i]
		if n.Role != "mine" {
			continue
		}
		note, worth := verdict(n, th)
		r := row{note: note, worth: worth, cells: []cell{
			neuronName(n, th), {text: uid(n)}, {text: fmt.Sprint(n.Group)},
			{none, th.faint}, {none, th.faint}, {none, th.faint},
			{none, th.faint}, {none, th.faint}, {none, th.faint},
			part(n.Incentive, th), earned(n, th),
		}}
		if n.Step > 0 {
			r.cells[3], r.cells[4] = cell{text: fmt.Sprint(n.Step)}, cell{text: loss(n.Loss)}
			r.cells[5] = cell{text: speed(n.TokensPerSecond)}
		}
		if n.Scored {
			r.cells[6] = cell{text: loss(n.ValLoss)}
			r.cells[7], r.cells[8] = part(n.Score, th), part(n.Weight, th)
		}
		t.rows = append(t.rows, r)
	}
	if windowed(s) {
		t.remove(groupColumn)
	}
	return t
}

// groupColumn is where the tables of miners have the group.
const groupColumn = 2

// validatorTable is what the live view says of the validators.
func validatorTable(s *local.Snapshot, th theme) table {
	t := table{indent: 1, notes: "doing", brief: true, cols: []column{
		{head: "VALIDATORS", min: 12, max: 22},
		{head: "uid", min: 3, right: true},
		{head: "permit", min: 6},
		{head: "stake", min: 8, right: true},
		{head: "dividends", short: "divid", min: 9, right: true},
	}}
	for i := range s.Neurons {
		n := &s.Neurons[i]
		if n.Role != "validate" {
			continue
		}
		permit := cell{"no", th.warn}
		if n.Permit {
			permit = cell{text: "yes"}
		}
		t.rows = append(t.rows, row{note: cell{clean(n.Doing), th.faint}, cells: []cell{
			neuronName(n, th), {text: uid(n)}, permit, {text: amount(n.Stake)}, {text: share(n.Dividends)},
		}})
	}
	return t
}
