package main

import (
	"math"
	"math/big"
	"testing"
)

// Limits of prices are exact, and rounded so that nobody pays more or gets less
// than the tolerance says.
func TestLimits(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		price       uint64
		tolerance   string
		most, least uint64
	}{
		{1_000_000_000, "0.005", 1_005_000_000, 995_000_000},
		{1_000_000_000, "0", 1_000_000_000, 1_000_000_000},
		{1, "0.005", 1, 1},
		{199, "0.005", 199, 199},
		{200, "0.005", 201, 199},
		{201, "0.005", 202, 200},
		{999_999_999, "0.999999999", 1_999_999_997, 1},
		{1 << 62, "0.5", 1<<62 + 1<<61, 1 << 61},
	} {
		var p toleranceFlag
		if err := p.UnmarshalText([]byte(tt.tolerance)); err != nil {
			t.Fatal(err)
		}
		if most, err := p.most(tt.price); err != nil || most != tt.most {
			t.Errorf("%d and %s: at most %d, %v, not %d", tt.price, tt.tolerance, most, err, tt.most)
		}
		if least, err := p.least(tt.price); err != nil || least != tt.least {
			t.Errorf("%d less %s: at least %d, %v, not %d", tt.price, tt.tolerance, least, err, tt.least)
		}
	}
	p := toleranceFlag(5e6)
	for _, price := range []uint64{0, math.MaxUint64} {
		if most, err := p.most(price); err == nil {
			t.Errorf("a price of %d has the limit %d", price, most)
		}
	}
	if least, err := p.least(0); err == nil {
		t.Errorf("a price of 0 has the limit %d", least)
	}
	if ratio, err := p.leastRatio(2_000_000_000, 3_000_000_000); err != nil || ratio != 663_333_334 {
		t.Errorf("ratio %d, %v", ratio, err)
	}
	for _, zero := range [][2]uint64{{0, 1}, {1, 0}, {math.MaxUint64, 1}} {
		if ratio, err := p.leastRatio(zero[0], zero[1]); err == nil {
			t.Errorf("prices of %v have the limit %d", zero, ratio)
		}
	}
}

func TestTolerance(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "NaN", "-0.1", "1", "1.0", "2", "inf", "1e-3", "0.0000000001", "5%"} {
		var p toleranceFlag
		if err := p.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q is a tolerance of %d", bad, p)
		}
	}
	for _, bad := range []string{"", "NaN", "-0.1", "1.000000001", "18", "1e-3"} {
		var p fractionFlag
		if err := p.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q is a part of %d", bad, p)
		}
	}
	var p fractionFlag
	if err := p.UnmarshalText([]byte("1")); err != nil || p.of(math.MaxUint64) != math.MaxUint64 || fractionFlag(5e8).of(math.MaxUint64) != math.MaxInt64 {
		t.Errorf("all of it is %d, %v", p.of(math.MaxUint64), err)
	}
}

func FuzzProportion(f *testing.F) {
	f.Add(uint64(1), uint64(2), uint64(3), true)
	f.Add(uint64(math.MaxUint64), uint64(math.MaxUint64), uint64(math.MaxUint64), false)
	f.Fuzz(func(t *testing.T, a, b, c uint64, up bool) {
		if c == 0 {
			return
		}
		n := new(big.Int).Mul(new(big.Int).SetUint64(a), new(big.Int).SetUint64(b))
		want, rest := n.QuoRem(n, new(big.Int).SetUint64(c), new(big.Int))
		if up && rest.Sign() > 0 {
			want.Add(want, big.NewInt(1))
		}
		got, ok := proportion(a, b, c, up)
		if ok != want.IsUint64() || ok && got != want.Uint64() {
			t.Errorf("%d·%d/%d is %d, %v, not %v", a, b, c, got, ok, want)
		}
	})
}
