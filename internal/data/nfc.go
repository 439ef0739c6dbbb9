package data

import (
	"cmp"
	_ "embed"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// nfcText is what conformance/tokenizer/nfc.py writes, which says how to read it.
//
//go:embed nfc.txt
var nfcText string

// Hangul syllables are composed by rule (Unicode 15, section 3.12).
const (
	hangulS, hangulL, hangulV, hangulT     = 0xac00, 0x1100, 0x1161, 0x11a7
	hangulLs, hangulVs, hangulTs, hangulSs = 19, 21, 28, 19 * 21 * 28
)

// An nfcTable is the data of canonical composition.
type nfcTable struct {
	class      map[rune]uint8 // combining class, where it is not 0
	decomposed map[rune][2]rune
	composed   map[[2]rune]rune
	// unsure holds the characters that may not stand as they are: they always
	// decompose, or may become one with what is before them.
	unsure map[rune]bool
}

var nfcData = sync.OnceValue(func() *nfcTable {
	t := &nfcTable{map[rune]uint8{}, map[rune][2]rune{}, map[[2]rune]rune{}, map[rune]bool{}}
	hex := func(s string) rune {
		n, err := strconv.ParseInt(s, 16, 32)
		if err != nil {
			panic(err) // unreachable: the file is ours
		}
		return rune(n)
	}
	for line := range strings.Lines(nfcText) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Fields(line)
		if from, to, ok := strings.Cut(fields[0], "-"); ok {
			class, err := strconv.ParseUint(fields[1], 10, 8)
			if err != nil {
				panic(err) // unreachable
			}
			for r := hex(from); r <= hex(to); r++ {
				t.class[r] = uint8(class)
			}
			continue
		}
		whole, apart := strings.CutPrefix(fields[0], "!")
		c := hex(whole)
		d := [2]rune{hex(fields[1])}
		if len(fields) > 2 {
			d[1] = hex(fields[2])
		}
		t.decomposed[c] = d
		if apart {
			t.unsure[c] = true
		} else {
			t.composed[d] = c
			t.unsure[d[1]] = true
		}
	}
	for r := rune(hangulV); r < hangulV+hangulVs; r++ {
		t.unsure[r] = true
	}
	for r := rune(hangulT + 1); r < hangulT+hangulTs; r++ {
		t.unsure[r] = true
	}
	return t
})

// nfc returns s in Unicode's normalization form C. Bytes that are not UTF-8
// stay as they are.
func nfc(s string) string {
	if isNFC(s) {
		return s
	}
	t := nfcData()
	var b strings.Builder
	b.Grow(len(s))
	for s != "" {
		// A stretch ends before a byte that is not UTF-8.
		n := 0
		for n < len(s) {
			r, size := utf8.DecodeRuneInString(s[n:])
			if r == utf8.RuneError && size == 1 {
				break
			}
			n += size
		}
		b.WriteString(string(t.compose(t.decompose(s[:n]))))
		if n < len(s) {
			b.WriteByte(s[n])
			n++
		}
		s = s[n:]
	}
	return b.String()
}

// isNFC reports whether s is surely in form C: the quick check of Unicode's
// annex 15.
func isNFC(s string) bool {
	i := 0
	for i < len(s) && s[i] < 0xcc { // what begins with less is below U+0300
		i++
	}
	if i == len(s) {
		return true
	}
	t := nfcData()
	last := uint8(0)
	for _, r := range s[i:] {
		if r < 0x300 {
			last = 0
			continue
		}
		class := t.class[r]
		if class != 0 && class < last || t.unsure[r] {
			return false
		}
		last = class
	}
	return true
}

// decompose takes all characters apart and puts their marks in order.
func (t *nfcTable) decompose(s string) []rune {
	out := make([]rune, 0, len(s))
	var add func(r rune)
	add = func(r rune) {
		if i := r - hangulS; i >= 0 && i < hangulSs {
			out = append(out, hangulL+i/(hangulVs*hangulTs), hangulV+i%(hangulVs*hangulTs)/hangulTs)
			if i%hangulTs != 0 {
				out = append(out, hangulT+i%hangulTs)
			}
			return
		}
		d, ok := t.decomposed[r]
		if !ok {
			out = append(out, r)
			return
		}
		add(d[0])
		if d[1] != 0 {
			add(d[1])
		}
	}
	for _, r := range s {
		add(r)
	}
	// Marks are sorted by class, those of one class in the order they have.
	for i := 0; i < len(out); {
		from := i
		for i < len(out) && t.class[out[i]] != 0 {
			i++
		}
		slices.SortStableFunc(out[from:i], func(a, b rune) int { return cmp.Compare(t.class[a], t.class[b]) })
		i++
	}
	return out
}

// compose puts together what canonical composition does, in place.
func (t *nfcTable) compose(in []rune) []rune {
	out := in[:0]
	starter := -1 // the place in out of the last character of class 0
	last := uint8(0)
	for _, r := range in {
		class := t.class[r]
		// What stands between must not be of the same class or a higher one.
		if starter >= 0 && (len(out) == starter+1 || last < class) {
			if c, ok := t.pair(out[starter], r); ok {
				out[starter] = c
				continue
			}
		}
		if class == 0 {
			starter = len(out)
		}
		last = class
		out = append(out, r)
	}
	return out
}

// pair returns what two characters become together.
func (t *nfcTable) pair(a, b rune) (rune, bool) {
	if l, v := a-hangulL, b-hangulV; l >= 0 && l < hangulLs && v >= 0 && v < hangulVs {
		return hangulS + (l*hangulVs+v)*hangulTs, true
	}
	if s, f := a-hangulS, b-hangulT; s >= 0 && s < hangulSs && s%hangulTs == 0 && f > 0 && f < hangulTs {
		return a + f, true
	}
	c, ok := t.composed[[2]rune{a, b}]
	return c, ok
}
