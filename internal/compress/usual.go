package compress

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// Most of any model are chunks of 64 by 64 of which 64 elements are kept. What
// follows does for them what layout does for all, without loops over bits.

// usual says whether a layout is theirs.
func (l layout) usual() bool {
	return l.size == MaxChunk && l.keep == Side && l.rice == fastRice
}

// fastRice is the best for 64 of 4096 places that are chosen at random.
const fastRice = 5

// appendUsual is appendGroup for what most messages consist of.
func appendUsual(dst []byte, index []uint16, code []uint8) []byte {
	const low, codes = Side * fastRice / 8, Side / 4
	chunks := len(code) / Side
	var run [4 * UsualGroup]uint64
	var word uint64
	bit, full := 0, 0
	at := len(dst) + 1 // a run of eight chunks is at most 126 bytes too long
	dst = append(dst, make([]byte, 1+chunks*(low+codes))...)
	for c := range chunks {
		index, code, to := (*[Side]uint16)(index[c*Side:]), (*[Side]uint8)(code[c*Side:]), dst[at+c*(low+codes):][:low+codes]
		next := 0
		for i := 0; i < Side; i += 8 {
			var bits uint64
			shift := 0
			for _, v := range index[i : i+8] {
				gap := int(v) - next
				next = int(v) + 1
				bits |= uint64(gap&(1<<fastRice-1)) << (shift & 63)
				shift += fastRice
				bit += gap >> fastRice
				if bit>>6 != full {
					run[full%len(run)] = word
					word, full = 0, bit>>6
				}
				word |= 1 << (bit & 63)
				bit++
			}
			b := to[i/8*fastRice:][:5]
			binary.LittleEndian.PutUint32(b, uint32(bits))
			b[4] = byte(bits >> 32)

			w := binary.LittleEndian.Uint64(code[i:])
			w = (w | w>>6) & 0x000f000f000f000f
			w = (w | w>>12) & 0x000000ff000000ff
			binary.LittleEndian.PutUint16(to[low+i/4:], uint16(w|w>>24))
		}
	}
	run[full%len(run)] = word
	n := (bit + 7) / 8
	dst[at-1] = byte(n - chunks*Side/8)
	for i := 0; i < n; i += 8 {
		dst = binary.LittleEndian.AppendUint64(dst, run[i>>3])
	}
	return dst[:len(dst)+n-(n+7)&^7]
}

// lastUsual returns the last index of 64 that have five low bits each, at low,
// and a run from bit on, and the bit behind that: all gaps together and a place
// for each index. If there are no 64 ones in 190 bits, the bit is far behind.
func lastUsual(low, run []byte, bit int) (last, behind int) {
	// Two low bits are added in ten bits, and eight such sums.
	const evens = 0x1f | 0x1f<<10 | 0x1f<<20 | 0x1f<<30
	var sums uint64
	low = low[:Side*fastRice/8]
	for i := 0; i+5 <= len(low); i += 5 {
		w := uint64(binary.LittleEndian.Uint32(low[i:])) | uint64(low[i+4])<<32
		sums += w&evens + w>>5&evens
	}
	sum := int(sums&1023 + sums>>10&1023 + sums>>20&1023 + sums>>30)

	ones, at := Side, bit
	for at < bit+3*64 {
		w := binary.LittleEndian.Uint64(run[at>>3:]) >> (at & 7)
		n := bits.OnesCount64(w)
		if n >= ones {
			behind = at + select64(w, ones-1) + 1
			return (behind-bit-Side)<<fastRice + sum + Side - 1, behind
		}
		ones -= n
		at += 64 - at&7
	}
	return 0, math.MaxInt
}

// select64 returns the place of the set bit of w that n others are below.
func select64(w uint64, n int) int {
	at := 0
	for half := 32; half > 0; half >>= 1 {
		if c := bits.OnesCount64(w & (1<<half - 1)); c <= n {
			n -= c
			w >>= half
			at += half
		}
	}
	return at
}
