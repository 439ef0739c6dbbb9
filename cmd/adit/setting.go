package main

import (
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"adit/internal/scale"
	"adit/internal/subnet"
	"adit/internal/subtensor"
)

// A setting is something that is set of a subnet with one call.
type setting struct {
	name   string // as the chain shows the value, or else as the call has it
	pallet string
	call   string
	args   []scale.Field // besides the netuid
	root   bool          // only root may
}

// shownAs is under which name the chain shows what a call sets, where that is not
// the call's own name without its beginning.
var shownAs = map[string]string{
	"weights_version_key": "weights_version", "weights_set_rate_limit": "weights_rate_limit",
	"network_registration_allowed": "registration_allowed", "network_pow_registration_allowed": "pow_registration_allowed",
	"target_registrations_per_interval": "target_regs_per_interval", "max_registrations_per_block": "max_regs_per_block",
	"bonds_moving_average": "bonds_moving_avg", "max_allowed_validators": "max_validators", "max_weight_limit": "max_weights_limit",
	"commit_reveal_weights_interval": "commit_reveal_period", "toggle_transfer": "transfers_enabled",
	"subtoken_enabled": "subnet_is_active", "toggle_user_liquidity": "user_liquidity_enabled",
}

// rootOnly are the calls that a subnet's owner is refused. The runtime does not tell
// which they are, but in the prose of its documentation.
var rootOnly = []string{
	"sudo_set_min_difficulty", "sudo_set_difficulty", "sudo_set_adjustment_interval", "sudo_set_target_registrations_per_interval",
	"sudo_set_max_registrations_per_block", "sudo_set_rao_recycled", "sudo_set_ema_price_halving_period", "sudo_set_min_allowed_uids",
	"sudo_set_min_non_immune_uids", "sudo_set_subnet_owner_hotkey", "sudo_set_weights_set_rate_limit", "sudo_set_max_allowed_validators",
	"sudo_set_tempo", "sudo_set_network_registration_allowed", "sudo_set_subtoken_enabled", "sudo_set_subnet_emission_enabled",
}

// settings returns all that can be set of a subnet, by name. Of two calls for the
// same, as for the tempo, the owner's is the first.
func settings(rt *subtensor.Runtime) []setting {
	var out []setting
	for _, from := range []struct{ pallet, prefix string }{{"AdminUtils", "sudo_set_"}, {"SubtensorModule", "set_tempo"}, {"SubtensorModule", "set_activity_cutoff_factor"}} {
		p, err := rt.Pallet(from.pallet)
		if err != nil || !p.Calls.Some {
			continue
		}
		for _, c := range rt.Types[p.Calls.V].Def.Variant.Variants {
			if !strings.HasPrefix(c.Name, from.prefix) || len(c.Fields) < 2 || c.Fields[0].Name.V != "netuid" {
				continue
			}
			s := setting{strings.TrimPrefix(strings.TrimPrefix(c.Name, "sudo_"), "set_"), from.pallet, c.Name, c.Fields[1:], slices.Contains(rootOnly, c.Name)}
			if as := shownAs[s.name]; as != "" {
				s.name = as
			}
			out = append(out, s)
		}
	}
	slices.SortStableFunc(out, func(a, b setting) int {
		if a.name == b.name && a.root != b.root {
			if b.root {
				return -1
			}
			return 1
		}
		return strings.Compare(a.name, b.name)
	})
	return out
}

// findSetting returns a setting by the name that the chain shows or by that of its
// call, for root or for the owner.
func findSetting(all []setting, name string, root bool) (setting, error) {
	var found []setting
	var names []string
	for _, s := range all {
		if name == s.name || name == s.call || "sudo_set_"+name == s.call {
			found = append(found, s)
		}
		names = append(names, s.name)
	}
	switch {
	case len(found) == 0:
		return setting{}, subnet.WithHint(fmt.Errorf("there is no setting %q", plainText(name)), "did you mean "+strings.Join(nearest(name, names), ", ")+"? 'adit subnet set' lists them all")
	case root:
		return found[len(found)-1], nil
	case found[0].root:
		return setting{}, subnet.WithHint(fmt.Errorf("only root may set %s", found[0].name), "on a chain of your own, --sudo does it with the chain's root key")
	}
	return found[0], nil
}

// nearest returns those of some names that are most like a word, three at most.
func nearest(word string, names []string) []string {
	sorted := slices.Compact(slices.Sorted(slices.Values(names)))
	slices.SortStableFunc(sorted, func(a, b string) int { return edits(word, a) - edits(word, b) })
	return sorted[:min(3, len(sorted))]
}

// edits is how many letters must be put in, left out or changed to make b of a, or
// one more than for the beginning or a part of b: a short word may well mean a longer.
func edits(a, b string) int {
	if a != b && a != "" && strings.Contains(b, a) {
		return 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := before
			if a[i] != b[j] {
				cost = min(before, row[j], row[j+1]) + 1
			}
			before, row[j+1] = row[j+1], cost
		}
	}
	return min(row[len(b)], slices.Min(row)+1)
}

// callWith returns the call that gives a setting its values.
func (s setting) callWith(rt *subtensor.Runtime, n subnet.NetUID, values []string) (subtensor.Call, error) {
	if len(values) != len(s.args) {
		var names []string
		for _, a := range s.args {
			names = append(names, a.Name.V)
		}
		return subtensor.Call{}, subnet.WithHint(fmt.Errorf("%s takes %s, not %d", s.name, counted(len(s.args), "value"), len(values)), strings.Join(names, ", "))
	}
	args := scale.Args{"netuid": n}
	for i, a := range s.args {
		v, err := parseValue(rt, a, values[i])
		if err != nil {
			return subtensor.Call{}, fmt.Errorf("%s: %w", s.name, err)
		}
		args[a.Name.V] = v
	}
	return subtensor.Call{Pallet: s.pallet, Name: s.call, Args: args}, nil
}

// types is what the values of a setting are, in words.
func (s setting) types(rt *subtensor.Runtime) string {
	var out []string
	for _, a := range s.args {
		out = append(out, valueType(rt, a))
	}
	return strings.Join(out, " ")
}

// A numberType is an integer of the runtime: its bits, and whether it has a sign.
type numberType struct {
	bits   uint
	signed bool
}

var numberTypes = map[scale.Primitive]numberType{
	scale.U8: {8, false}, scale.U16: {16, false}, scale.U32: {32, false}, scale.U64: {64, false}, scale.U128Type: {128, false},
	scale.I8: {8, true}, scale.I16: {16, true}, scale.I32: {32, true}, scale.I64: {64, true}, scale.I128Type: {128, true},
}

// fixedType is how source code names a number with bits behind its point.
var fixedType = regexp.MustCompile(`^[IU](\d+)F(\d+)$`)

// isBalance reports whether a field is an amount of TAO, in RAO.
func isBalance(f scale.Field) bool { return strings.HasSuffix(f.TypeName.V, "Balance") }

// valueType names the type of a value for people.
func valueType(rt *subtensor.Runtime, f scale.Field) string {
	def := rt.Types[f.Type].Def
	switch {
	case isBalance(f):
		return "rao"
	case def.Primitive != nil && *def.Primitive == scale.Bool:
		return "bool"
	case fixedType.MatchString(f.TypeName.V):
		return "decimal"
	case def.Variant != nil:
		return strings.Join(unitVariants(def), "|")
	case rt.Types[f.Type].Name() == "AccountId32":
		return "address"
	case f.TypeName.Some:
		return strings.ToLower(f.TypeName.V)
	}
	return "?"
}

func unitVariants(def scale.TypeDef) []string {
	var out []string
	for _, v := range def.Variant.Variants {
		if len(v.Fields) == 0 {
			out = append(out, v.Name)
		}
	}
	return out
}

// parseValue reads a value as the runtime's type of it.
func parseValue(rt *subtensor.Runtime, f scale.Field, text string) (any, error) {
	def := rt.Types[f.Type].Def
	switch fixed := fixedType.FindStringSubmatch(f.TypeName.V); {
	case isBalance(f):
		return parseRAO(text)
	case def.Primitive != nil && *def.Primitive == scale.Bool:
		return parseBool(text)
	case def.Primitive != nil && numberTypes[*def.Primitive].bits > 0:
		return parseInteger(text, numberTypes[*def.Primitive])
	case fixed != nil:
		return parseFixed(text, fixed)
	case rt.Types[f.Type].Name() == "AccountId32":
		return parseAccount(text)
	case def.Variant != nil && rt.Types[f.Type].Name() != "Option":
		names := unitVariants(def)
		for _, name := range names {
			if strings.EqualFold(name, text) {
				return name, nil
			}
		}
		return nil, fmt.Errorf("%q is none of %s", text, strings.Join(names, ", "))
	}
	return nil, subnet.WithHint(fmt.Errorf("values of the type %s cannot be written on a command line", f.TypeName.V), "set it with a program that knows the chain's calls")
}

func parseBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true", "yes", "on", "1":
		return true, nil
	case "false", "no", "off", "0":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither true nor false", text)
}

func parseInteger(text string, t numberType) (*big.Int, error) {
	n, ok := new(big.Int).SetString(strings.ReplaceAll(text, "_", ""), 10)
	low, high := new(big.Int), new(big.Int).Lsh(big.NewInt(1), t.bits)
	if t.signed {
		high.Rsh(high, 1)
		low.Neg(high)
	}
	high.Sub(high, big.NewInt(1))
	if !ok || n.Cmp(low) < 0 || n.Cmp(high) > 0 {
		return nil, fmt.Errorf("%q is no integer from %v to %v", text, low, high)
	}
	return n, nil
}

// parseRAO reads an amount in RAO, or with the unit behind it in TAO.
func parseRAO(text string) (uint64, error) {
	lower := strings.ToLower(strings.TrimSpace(text))
	if tao, ok := strings.CutSuffix(lower, "tao"); ok {
		return parseTAO(strings.TrimSpace(tao))
	}
	rao, err := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(lower, "rao")), 10, 64)
	if err != nil {
		err = subnet.WithHint(fmt.Errorf("%q is no amount in RAO", text), "an integer is RAO; 0.5tao is TAO")
	}
	return rao, err
}

// parseFixed reads a number with bits behind its point, as the chain has it: a
// struct whose only field is those bits.
func parseFixed(text string, fixed []string) (any, error) {
	whole, _ := strconv.Atoi(fixed[1])
	part, _ := strconv.Atoi(fixed[2])
	x, _, err := big.ParseFloat(text, 10, 256, big.ToNearestEven)
	if err != nil || x.IsInf() {
		return nil, fmt.Errorf("%q is no number", text)
	}
	if x.MantExp(nil) > whole { // far too large an exponent would take all memory below
		return nil, errors.New(text + " is too large, or below 0")
	}
	bits, _ := x.SetMantExp(x, part).Int(nil)
	t := numberType{uint(whole + part), fixed[0][0] == 'I'}
	if _, err := parseInteger(bits.String(), t); err != nil {
		return nil, errors.New(text + " is too large, or below 0")
	}
	return scale.Args{"bits": bits}, nil
}

// ownerText says who may set something.
func (s setting) ownerText() string {
	if s.root {
		return "root"
	}
	return "owner"
}
