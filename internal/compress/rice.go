package compress

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// A layout says how the chunks of one tensor stand in our messages.
//
// Of each chunk the kept elements go in the order of their indices. The gap
// from one index to the next, the elements between them, is Rice-coded: its low
// bits as they are, its rest as so many zeros and a one. Low bits and codes take
// the same room in every chunk; the zeros and ones of the chunks of a group
// follow these in one run:
//
//	group = how many bytes the run has beyond the fewest possible (uvarint)
//	        chunk… run
//	chunk = levels (2 bytes, if the part has levels)
//	        low bits (keep*rice bits) codes (keep*2 bits)
//
// All bits fill bytes from the lowest up, and a rest of a byte is zero. Where
// all of a chunk is kept, there are no gaps and no run.
//
// Because the low bits stand apart, and a run of 64 of 4096 elements is at most
// 190 bits, a chunk is decoded in a few vector operations and without a branch.
type layout struct {
	size, keep int
	rice       int // low bits of a gap
	group      int // chunks of a group, but perhaps of the last
	levels     bool
}

// maxRice is the most low bits that a gap can have.
const maxRice = 11

// slack is how many bytes can be read beyond a run.
const slack = 64

var (
	errShort   = errors.New("it ends early")
	errPadding = errors.New("bits that mean nothing are set")
)

func (l layout) whole() bool { return l.keep == l.size }

func (l layout) lowBytes() int { return (l.keep*l.rice + 7) / 8 }

func (l layout) codeBytes() int { return (l.keep + 3) / 4 }

// chunkBytes is what a chunk takes before the run.
func (l layout) chunkBytes() int {
	n := l.lowBytes() + l.codeBytes()
	if l.levels {
		n += 2
	}
	return n
}

// runBytes is the least and the most that the run of so many chunks takes.
func (l layout) runBytes(chunks int) (least, most int) {
	if l.whole() {
		return 0, 0
	}
	return (chunks*l.keep + 7) / 8, (chunks*(l.keep+(l.size-l.keep)>>l.rice) + 7) / 8
}

// mostBytes is the most that the groups of so many chunks take.
func (l layout) mostBytes(chunks int) int {
	_, most := l.runBytes(l.group)
	return (chunks+l.group-1)/l.group*(binary.MaxVarintLen16+1+most) + chunks*l.chunkBytes()
}

// appendGroup appends a group of chunks. The indices of each ascend.
func (l layout) appendGroup(dst []byte, index []uint16, code, levels []uint8) []byte {
	if l.usual() && l.group <= UsualGroup && !l.levels {
		return appendUsual(dst, index, code)
	}
	chunks := len(code) / l.keep
	room, most := l.runBytes(chunks)
	run := bitWriter{dst: make([]byte, 0, most+8)}
	var fixed bitWriter
	fixed.dst = make([]byte, 0, chunks*l.chunkBytes()+8)
	for c := range chunks {
		if l.levels {
			fixed.dst = append(fixed.dst, levels[2*c], levels[2*c+1])
		}
		if !l.whole() {
			next := uint(0)
			for _, i := range index[c*l.keep:][:l.keep] {
				gap := uint(i) - next
				next = uint(i) + 1
				fixed.write(uint64(gap&(1<<l.rice-1)), l.rice)
				q := int(gap >> l.rice)
				for ; q > 32; q -= 32 {
					run.write(0, 32)
				}
				run.write(1<<q, q+1)
			}
			fixed.flush()
		}
		for _, v := range code[c*l.keep:][:l.keep] {
			fixed.write(uint64(v&3), 2)
		}
		fixed.flush()
	}
	run.flush()
	dst = binary.AppendUvarint(dst, uint64(len(run.dst)-room))
	dst = append(dst, fixed.dst...)
	return append(dst, run.dst...)
}

// A bitWriter appends bits, up to 33 at a time, to bytes.
type bitWriter struct {
	dst []byte
	buf uint64
	n   int
}

func (w *bitWriter) write(v uint64, n int) {
	w.buf |= v << w.n
	w.n += n
	if w.n >= 32 {
		w.dst = binary.LittleEndian.AppendUint32(w.dst, uint32(w.buf))
		w.buf >>= 32
		w.n -= 32
	}
}

// flush fills the last byte with zeros.
func (w *bitWriter) flush() {
	for ; w.n > 0; w.n -= 8 {
		w.dst = append(w.dst, byte(w.buf))
		w.buf >>= 8
	}
	w.n, w.buf = 0, 0
}

// A span says where in a tensor's bytes a group stands.
type span struct{ chunks, run, end int }

// open finds the parts of the group of so many chunks that begins at from.
func (l layout) open(b []byte, from, chunks int) (span, error) {
	extra, n := binary.Uvarint(b[from:])
	if n <= 0 {
		return span{}, errShort
	}
	least, most := l.runBytes(chunks)
	if extra > uint64(most-least) {
		return span{}, fmt.Errorf("a run of %d bytes and %d more, where %d are the most", least, extra, most)
	}
	if n != len(binary.AppendUvarint(nil, extra)) {
		return span{}, errPadding
	}
	s := span{chunks: from + n}
	s.run = s.chunks + chunks*l.chunkBytes()
	s.end = s.run + least + int(extra)
	if s.end > len(b) {
		return span{}, errShort
	}
	return s, nil
}

// check reads the group s of b and adds how often each code occurs to counts.
// What it accepts, chunk can read.
func (l layout) check(b []byte, s span, counts []int) error {
	bit, from := 8*s.run, s.chunks
	for c := 0; from < s.run; c++ {
		if l.levels {
			if lo, hi := b[from], b[from+1]; lo > hi || hi > maxLevel {
				return fmt.Errorf("chunk %d: levels %d and %d", c, lo, hi)
			}
			from += 2
		}
		low, code := b[from:from+l.lowBytes()], b[from+l.lowBytes():][:l.codeBytes()]
		if rest := l.keep * l.rice % 8; rest > 0 && low[len(low)-1]>>rest != 0 {
			return errPadding
		}
		if rest := l.keep * 2 % 8; rest > 0 && code[len(code)-1]>>rest != 0 {
			return errPadding
		}
		switch {
		case l.whole():
		case l.usual() && len(b)-bit>>3 >= slack:
			last, behind := lastUsual(low, b, bit)
			if behind > 8*s.end {
				return fmt.Errorf("chunk %d: %w", c, errShort)
			}
			if last >= l.size {
				return fmt.Errorf("chunk %d: index %d of %d", c, last, l.size)
			}
			bit = behind
		default:
			next := 0
			for i := range l.keep {
				one := nextOne(b[:s.end], bit)
				if one >= 8*s.end {
					return fmt.Errorf("chunk %d: %w", c, errShort)
				}
				next += (one-bit)<<l.rice | lowBits(low, i*l.rice, l.rice)
				bit = one + 1
				if next++; next > l.size {
					return fmt.Errorf("chunk %d: index %d of %d", c, next-1, l.size)
				}
			}
		}
		countCodes(code, l.keep, counts)
		from += l.lowBytes() + l.codeBytes()
	}
	if (bit+7)/8 != s.end || nextOne(b[:s.end], bit) < 8*s.end {
		return errPadding
	}
	return nil
}

// countCodes adds how often each code of a chunk occurs.
func countCodes(code []byte, keep int, counts []int) {
	var high, low, both int
	add := func(w uint64) {
		h, l := w>>1&0x5555555555555555, w&0x5555555555555555
		high += bits.OnesCount64(h)
		low += bits.OnesCount64(l)
		both += bits.OnesCount64(h & l)
	}
	for ; len(code) >= 8; code = code[8:] {
		add(binary.LittleEndian.Uint64(code))
	}
	for _, c := range code {
		add(uint64(c))
	}
	counts[0] += keep - high - low + both
	counts[1] += low - both
	counts[2] += high - both
	counts[3] += both
}

// count adds how often each code of a group occurs.
func (l layout) count(b []byte, s span, counts []int) {
	for at := s.chunks + l.chunkBytes(); at <= s.run; at += l.chunkBytes() {
		countCodes(b[at-l.codeBytes():at], l.keep, counts)
	}
}

// nextOne returns the place of the first set bit of b from a bit on, or a place
// beyond b.
func nextOne(b []byte, bit int) int {
	for at := bit >> 3; at < len(b); at, bit = at+1, at<<3+8 {
		if w := b[at] >> (bit & 7); w != 0 {
			return bit + bits.TrailingZeros8(w)
		}
	}
	return 8*len(b) + bit&7
}

// lowBits returns n <= 11 bits of b from a bit on.
func lowBits(b []byte, bit, n int) int {
	v := 0
	for at, have := bit>>3, -(bit & 7); have < n; at, have = at+1, have+8 {
		if have < 0 {
			v = int(b[at]) >> -have
		} else {
			v |= int(b[at]) << have
		}
	}
	return v & (1<<n - 1)
}

// read reads one chunk that was checked: low bits and codes, which begin at
// fixed, and its part of the run from bit on. It returns the bit behind that.
// What is read can be read slack bytes beyond its end.
func (l layout) read(fixed, run []byte, bit int, index []uint16, code []uint8) int {
	if l.whole() {
		for i := range index {
			index[i] = uint16(i)
		}
	} else {
		next, mask := 0, 1<<l.rice-1
		for i := range index {
			one := nextOneWord(run, bit)
			at := i * l.rice
			r := int(binary.LittleEndian.Uint32(fixed[at>>3:])) >> (at & 7) & mask
			next += (one-bit)<<l.rice | r
			bit = one + 1
			index[i] = uint16(next)
			next++
		}
	}
	codes := fixed[l.lowBytes():]
	for i := range code {
		code[i] = codes[i>>2] >> (i & 3 * 2) & 3
	}
	return bit
}

// nextOneWord is nextOne for bytes that can be read beyond the end.
func nextOneWord(b []byte, bit int) int {
	for bit>>3+8 <= len(b) {
		if w := binary.LittleEndian.Uint64(b[bit>>3:]) >> (bit & 7); w != 0 {
			return bit + bits.TrailingZeros64(w)
		}
		bit += 64 - bit&7
	}
	return nextOne(b, bit)
}

// bestRice returns the number of low bits with which the indices take the
// least room, judged by some of the chunks.
func bestRice(index []uint16, size, keep int) int {
	if keep == size {
		return 0
	}
	chunks := len(index) / keep
	var total [maxRice + 1]int
	for c := 0; c < chunks; c += 1 + chunks/16 {
		next := 0
		for _, i := range index[c*keep:][:keep] {
			gap := int(i) - next
			next = int(i) + 1
			for k := range total {
				total[k] += k + gap>>k
			}
		}
	}
	best := 0
	for k, n := range total {
		if n < total[best] {
			best = k
		}
	}
	// What most tensors have is what is decoded fastest.
	if total[fastRice] <= total[best]+total[best]/64 {
		best = fastRice
	}
	return best
}
