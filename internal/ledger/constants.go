package ledger

import "adit/internal/scale"

// subtensorConstants describes the constants of SubtensorModule by which the
// rules here go, with the values of runtime 424.
func subtensorConstants() []scale.ConstantDef {
	return []scale.ConstantDef{
		{Name: "MinTempo", Value: uint16(minTempo)},
		{Name: "MaxTempo", Value: uint16(maxTempo)},
		{Name: "MinActivityCutoffFactorMilli", Value: uint32(1000)},
		{Name: "MaxActivityCutoffFactorMilli", Value: uint32(50_000)},
		{Name: "KeySwapCost", Value: uint64(keySwapCost)},
		{Name: "KeySwapOnSubnetCost", Value: uint64(keySwapOnSubnetCost)},
		{Name: "HotkeySwapOnSubnetInterval", Value: uint64(hotkeySwapInterval)},
		{Name: "InitialStartCallDelay", Value: decode[uint64](sub.StartCallDelay.fallback)},
	}
}
