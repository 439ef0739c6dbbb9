package main

import (
	"fmt"
	"strconv"
	"strings"
)

// parseTAO reads an amount of TAO, or of a subnet's alpha, with up to nine
// decimals, in RAO.
func parseTAO(text string) (uint64, error) {
	whole, part, _ := strings.Cut(text, ".")
	if len(part) <= 9 && whole+part != "" {
		digits := whole + part + strings.Repeat("0", 9-len(part))
		if rao, err := strconv.ParseUint(digits, 10, 64); err == nil {
			return rao, nil
		}
	}
	return 0, fmt.Errorf("%q is no amount: digits, at most nine of them behind a point", text)
}

// formatTAO writes an amount of RAO in TAO, without the unit.
func formatTAO(rao uint64) string {
	text := fmt.Sprintf("%d.%09d", rao/1e9, rao%1e9)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// A taoFlag is an amount on the command line, in RAO.
type taoFlag uint64

// UnmarshalText implements [encoding.TextUnmarshaler], which is what reads flags.
func (a *taoFlag) UnmarshalText(text []byte) error {
	rao, err := parseTAO(string(text))
	*a = taoFlag(rao)
	return err
}
