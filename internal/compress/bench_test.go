package compress

import (
	"io"
	"math"
	"testing"
	"time"
)

// What benchmarks encode is made: normal numbers times log-normal factors of
// rows and columns, one in two hundred eight times as large.
const benchRows, benchCols = 4096, 2048

// A fastestOf is the shortest of many times: what a machine that is busy with
// other things too can do.
type fastestOf struct{ seconds float64 }

func (f *fastestOf) add(d time.Duration) {
	if s := d.Seconds(); f.seconds == 0 || s < f.seconds {
		f.seconds = s
	}
}

// BenchmarkEncode encodes a matrix round after round and says how fast beside a
// copy of as many bytes, in turns with it.
func BenchmarkEncode(b *testing.B) {
	shape := []int{benchRows, benchCols}
	x := normal(1, benchRows*benchCols, benchCols)
	y := make([]float32, len(x))
	s, err := NewSchema([]Tensor{{"w", shape}}, 64, UsualGroup)
	if err != nil {
		b.Fatal(err)
	}
	for _, k := range kernels() {
		for _, coding := range []string{"rice", "packed", "message"} {
			b.Run(k.name+"/"+coding, func(b *testing.B) {
				f, err := NewFeedback(shape, Rule{Decay: 0.95, Gain: 1, Keep: 64, Bins: 4})
				if err != nil {
					b.Fatal(err)
				}
				f.kernel = k
				var packed []byte
				round := func() {
					kept, err := f.Encode(x)
					if err != nil {
						b.Fatal(err)
					}
					switch coding {
					case "packed":
						packed = PackIndices(packed[:0], kept.Index)
					case "rice":
						var p *Part
						if p, err = s.pack(0, kept, packed[:0]); err == nil {
							packed = p.body
						}
					case "message": // with the tree of its hashes
						var w *Writer
						if w, err = NewWriter(io.Discard, s); err == nil {
							err = w.Add(kept)
						}
					}
					if err != nil {
						b.Fatal(err)
					}
				}
				round()
				copy(y, x)
				encoding, copying := fastestOf{}, fastestOf{}
				for b.Loop() {
					begin := time.Now()
					round()
					between := time.Now()
					copy(y, x)
					encoding.add(between.Sub(begin))
					copying.add(time.Since(between))
				}
				gb := 4 * float64(len(x)) / 1e9
				b.ReportMetric(gb/encoding.seconds, "GB/s")
				b.ReportMetric(gb/copying.seconds, "copyGB/s")
				b.ReportMetric(copying.seconds/encoding.seconds, "ofcopy")
			})
		}
	}
}

// BenchmarkGather merges 20 parts, and says how many bytes their dense tensors
// would have had per second; the same with the checks of what strangers sent,
// which are made once when it comes; and how fast the result alone is read.
func BenchmarkGather(b *testing.B) {
	const peers = 20
	const rows, cols = 2048, 2048
	shape := []int{rows, cols}
	s, err := NewSchema([]Tensor{{"w", shape}}, 64, UsualGroup)
	if err != nil {
		b.Fatal(err)
	}
	x := normal(1, 2*rows*cols, cols)
	all := map[string][]*Part{}
	for peer := range peers {
		p, r := codings(b, s, encoded(b, shape, 64, x[peer*10007:][:rows*cols]))
		all["packed"], all["rice"] = append(all["packed"], p), append(all["rice"], r)
	}
	dst := make([]float32, rows*cols)
	for _, k := range kernels() {
		for _, coding := range []string{"rice", "packed"} {
			b.Run(k.name+"/"+coding, func(b *testing.B) {
				g := &Gatherer{Clip: true, kernel: k}
				gathering, reading, checking := fastestOf{}, fastestOf{}, fastestOf{}
				for b.Loop() {
					begin := time.Now()
					if err := g.Gather(dst, all[coding]); err != nil {
						b.Fatal(err)
					}
					between := time.Now()
					if math.IsNaN(float64(sum(dst))) {
						b.Fatal("the merge is not finite")
					}
					gathering.add(between.Sub(begin))
					reading.add(time.Since(between))
					begin = time.Now()
					for _, p := range all[coding] {
						if err := recheck(s, p); err != nil {
							b.Fatal(err)
						}
					}
					checking.add(time.Since(begin))
				}
				gb := 4 * rows * cols / 1e9
				b.ReportMetric(peers*gb/gathering.seconds, "denseGB/s")
				b.ReportMetric(peers*gb/(gathering.seconds+checking.seconds), "checkedGB/s")
				b.ReportMetric(gb/reading.seconds, "readGB/s")
			})
		}
	}
}

func sum(x []float32) float32 {
	var s [8]float32
	for ; len(x) >= 8; x = x[8:] {
		for i := range s {
			s[i] += x[i]
		}
	}
	return s[0] + s[1] + s[2] + s[3] + s[4] + s[5] + s[6] + s[7]
}

// recheck does again what is done once when a part comes.
func recheck(s *Schema, p *Part) error {
	if p.packed != nil {
		_, err := p.checkPacked(4)
		return err
	}
	q := *p
	q.groups = nil
	return s.openBody(&q, 0, len(p.body)-slack)
}

// BenchmarkAggregate sums 20 messages in integers.
func BenchmarkAggregate(b *testing.B) {
	shape := []int{1024, 1024}
	s, err := NewSchema([]Tensor{{"w", shape}}, 64, UsualGroup)
	if err != nil {
		b.Fatal(err)
	}
	var inputs []*Message
	for i := range 20 {
		inputs = append(inputs, written(b, s, []*Kept{encoded(b, shape, 64, normal(uint64(i), 1<<20, 1024))}))
	}
	state := NewState(s)
	for b.Loop() {
		if _, state, err = Aggregate(state, 62259, inputs); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(20*4*float64(b.N<<20)/1e9/b.Elapsed().Seconds(), "denseGB/s")
}
