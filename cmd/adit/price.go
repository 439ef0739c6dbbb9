package main

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"

	"adit/internal/subnet"
)

// billion is what a fraction on the command line, and a price, is counted in.
const billion = 1_000_000_000

// A fractionFlag is a part of the whole on the command line, from 0 to 1, in 10^-9.
// It is never a float: what limits money is computed as it was written.
type fractionFlag uint64

// UnmarshalText implements [encoding.TextUnmarshaler], which is what reads flags.
func (p *fractionFlag) UnmarshalText(text []byte) error {
	n, err := parseTAO(string(text))
	if err != nil || n > billion {
		return fmt.Errorf("%q is no part of the whole: a number from 0 to 1, such as 0.05 for five hundredths", text)
	}
	*p = fractionFlag(n)
	return nil
}

// of returns the part of a whole, rounded down.
func (p fractionFlag) of(whole uint64) uint64 {
	part, _ := proportion(whole, uint64(p), billion, false)
	return part
}

// A toleranceFlag is by which part a price may move, less than all of it, in 10^-9.
type toleranceFlag uint64

// UnmarshalText implements [encoding.TextUnmarshaler].
func (p *toleranceFlag) UnmarshalText(text []byte) error {
	n, err := parseTAO(string(text))
	if err != nil || n >= billion {
		return fmt.Errorf("%q is no tolerance: a number below 1, such as 0.005 for half a percent", text)
	}
	*p = toleranceFlag(n)
	return nil
}

// most returns the highest price that is paid where it is price now, rounded down.
func (p toleranceFlag) most(price uint64) (uint64, error) {
	limit, ok := proportion(price, billion+uint64(p), billion, false)
	if !ok || price == 0 {
		return 0, noPrice(price)
	}
	return limit, nil
}

// least returns the lowest price that is taken where it is price now, rounded up,
// so that it is never 0, which chains take for no limit at all.
func (p toleranceFlag) least(price uint64) (uint64, error) {
	limit, ok := proportion(price, billion-uint64(p), billion, true)
	if !ok || limit == 0 {
		return 0, noPrice(price)
	}
	return limit, nil
}

// leastRatio is least for what one alpha brings in another subnet's, in 10^-9, by
// the prices of both.
func (p toleranceFlag) leastRatio(from, to uint64) (uint64, error) {
	if from == 0 || to == 0 {
		return 0, noPrice(0)
	}
	limit, ok := proportion(from, billion-uint64(p), to, true)
	if !ok {
		return 0, noPrice(from)
	}
	return limit, nil
}

func noPrice(price uint64) error {
	return subnet.WithHint(fmt.Errorf("the price is %d RAO, for which there is no limit", price), "--no-safe-staking goes on without one; look at the subnet's pool first")
}

// percent is the tolerance in words.
func (p toleranceFlag) percent() string { return formatParts(uint64(p), billion) }

// proportion returns a·b/c, rounded down or up, or false if that fits no 64 bits.
func proportion(a, b, c uint64, up bool) (uint64, bool) {
	hi, lo := bits.Mul64(a, b)
	if hi >= c {
		return 0, false
	}
	q, rest := bits.Div64(hi, lo, c)
	if up && rest > 0 {
		if q == math.MaxUint64 {
			return 0, false
		}
		q++
	}
	return q, true
}

// formatParts writes a part of a whole in percent, as people read it.
func formatParts(part, whole uint64) string {
	if whole == 0 {
		return "0%"
	}
	return strconv.FormatFloat(math.Round(float64(part)/float64(whole)*1e6)/1e4, 'f', -1, 64) + "%"
}
