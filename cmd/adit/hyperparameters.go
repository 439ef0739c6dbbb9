package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"adit/internal/subtensor"
	"adit/internal/tui"
)

// HyperparametersCommand shows a subnet's settings.
type HyperparametersCommand struct {
	readFlags
	netuidFlag
}

// Help shows examples.
func (HyperparametersCommand) Help() string {
	return `Shows a subnet's settings by the chain's names of them, as the chain has them and,
where that is another number, as what they stand for: fractions, or TAO.

Examples:
  adit subnet hyperparameters --netuid 1
  adit sudo get --netuid 1 --json`
}

// A shownHyperparameter is one in btcli's list.
type shownHyperparameter struct {
	Name       string `json:"hyperparameter"`
	Value      any    `json:"value"`
	Normalized any    `json:"normalized_value"`
}

const rao = 1e9

// What settings are that stand for something else: of 65535, of 2^64-1, or RAO.
var settingUnits = map[string]float64{
	"kappa": math.MaxUint16, "max_weights_limit": math.MaxUint16, "max_weight_limit": math.MaxUint16,
	"alpha_high": math.MaxUint16, "alpha_low": math.MaxUint16, "bonds_penalty": math.MaxUint16, "min_childkey_take": math.MaxUint16,
	"adjustment_alpha": math.MaxUint64, "difficulty": math.MaxUint64, "min_difficulty": math.MaxUint64, "max_difficulty": math.MaxUint64,
	"activity_cutoff_factor": 1000, "min_burn": rao, "max_burn": rao,
	// Unlike upstream, which divides by 2^64-1: the chain divides by a million.
	"bonds_moving_avg": 1e6,
}

// Run prints them.
func (c HyperparametersCommand) Run(ctx context.Context, t terminal) error {
	n, err := c.netuid()
	if err != nil {
		return err
	}
	client, v, err := c.head(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	list, err := v.Hyperparameters(ctx, n)
	if err != nil {
		return subnetHint(err)
	}
	if len(list) == 0 {
		return errors.New("the chain tells of no settings")
	}
	out := []shownHyperparameter{}
	table := tui.Table{Columns: []tui.Column{{Head: "HYPERPARAMETER"}, {Head: "VALUE", Right: true}, {Head: "NORMALIZED", Right: true, Drop: 1}}}
	for _, h := range list {
		s := normalized(h)
		out = append(out, s)
		table.Rows = append(table.Rows, []string{s.Name, fmt.Sprint(s.Value), fmt.Sprint(s.Normalized)})
	}
	if c.JSON {
		return printJSON(t, out)
	}
	return printTable(t, table)
}

// normalized adds what a setting stands for.
func normalized(h subtensor.Hyperparameter) shownHyperparameter {
	s := shownHyperparameter{h.Name, h.Value, h.Value}
	switch x := h.Value.(type) {
	case uint64:
		switch unit := settingUnits[h.Name]; unit {
		case 0:
		case rao:
			s.Normalized = json.Number(formatTAO(x))
		default:
			s.Normalized = json.Number(strconv.FormatFloat(float64(x)/unit, 'g', 6, 64))
		}
	case bool, float64:
	default:
		s.Value = fmt.Sprint(x) // wider than a number of JSON may be
		s.Normalized = s.Value
	}
	return s
}
