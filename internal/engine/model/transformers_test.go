package model

import (
	"encoding/json"
	"hash/fnv"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"adit/internal/engine/device"
	"adit/internal/engine/device/ref"
)

// recorded is what transformers computes for a tiny model: see
// conformance/transformers/vectors.py, which made the files.
type recorded struct {
	Config json.RawMessage
	IDs    [][]int32
	Loss   float64
	Logits []struct {
		Batch, Position int
		Values          []float64
	}
	Optimizer struct {
		LR, Beta1, Beta2, Eps float64
		WeightDecay           float64 `json:"weight_decay"`
		ClipNorm              float64 `json:"clip_norm"`
	}
	Losses  []float64
	Balance struct {
		Sequence, Batch []float64
		PerLayer        []float64 `json:"per_layer"`
		Alpha           float64
	}
	Params []struct {
		Name  string
		Shape []int
		Grad  projected
		After struct {
			Norm, Change float64
			ChangeProbes []float64 `json:"change_probes"`
		}
		BalanceSequence projected `json:"balance_sequence"`
		BalanceBatch    projected `json:"balance_batch"`
		BalancePerLayer projected `json:"balance_per_layer"`
	}
}

// projected is a vector by its norm and its products with four vectors of ones
// with random signs.
type projected struct {
	Norm   float64
	Probes []float64
}

// stream returns the numbers of the rule by which the files' parameters and
// probes are made: splitmix64 from the name's FNV-1a hash.
func stream(name string) func() uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	state := h.Sum64()
	return func() uint64 {
		state += 0x9e3779b97f4a7c15
		z := state
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		return z ^ z>>31
	}
}

func ruled(p Param) []float32 {
	next, out := stream(p.Name), make([]float32, p.Hi-p.Lo)
	for i := range out {
		x := float64(next()>>40)/(1<<23) - 1
		switch {
		case p.Kind == Norm:
			x = 1 + x/8
		case strings.HasSuffix(p.Name, ".mlp.gate.weight"):
			x /= 2
		default:
			x /= 4
		}
		out[i] = float32(x)
	}
	return out
}

// apart returns how far got is from want, by its projections: the root mean
// square over the probes, as a part of want's norm.
func apart(name string, got []float64, want projected) float64 {
	sum := 0.0
	for k, probe := range want.Probes {
		next, dot := stream(name+"#"+string(rune('0'+k))), 0.0
		for _, x := range got {
			if next()>>63 == 1 {
				x = -x
			}
			dot += x
		}
		sum += (dot - probe) * (dot - probe)
	}
	sum = math.Sqrt(sum / float64(len(want.Probes)))
	if want.Norm == 0 {
		return sum
	}
	return sum / want.Norm
}

func float64s(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// TestTransformers holds each architecture to what transformers computes:
// logits, loss, gradients, and five steps of AdamW.
func TestTransformers(t *testing.T) {
	files, err := filepath.Glob("testdata/transformers/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var want recorded
			if err := json.Unmarshal(text, &want); err != nil {
				t.Fatal(err)
			}
			checkRecorded(t, ref.New(), want)
		})
	}
}

// near is how far apart results in 32 bits may be, as a part of their size. By
// the files, PyTorch's own are up to a third of it from the truth.
const near = 1e-5

func checkRecorded(t *testing.T, dev device.Device, want recorded) {
	c, err := ParseConfig(want.Config)
	if err != nil {
		t.Fatal(err)
	}
	seq := len(want.IDs[0])
	m, err := New(dev, c, seq)
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]Param{}
	for _, p := range m.Params() {
		byName[p.Name] = p
		dev.Upload(m.Weights(p), ruled(p))
	}
	if len(byName) != len(want.Params) {
		t.Errorf("%d parameters, want %d", len(byName), len(want.Params))
	}
	for _, w := range want.Params {
		if p, ok := byName[w.Name]; !ok || !slices.Equal(p.Shape, w.Shape) {
			t.Fatalf("%s %v: ours is %v", w.Name, w.Shape, p.Shape)
		}
	}

	var ids, targets []int32
	for _, s := range want.IDs {
		ids = append(ids, s...)
		targets = append(append(targets, s[1:]...), -1)
	}
	logits := make([]float32, len(ids)*c.VocabSize)
	m.Logits(logits, ids, len(want.IDs))
	for _, w := range want.Logits {
		got := logits[(w.Batch*seq+w.Position)*c.VocabSize:][:c.VocabSize]
		diff, norm := 0.0, 0.0
		for i, x := range w.Values {
			diff += (float64(got[i]) - x) * (float64(got[i]) - x)
			norm += x * x
		}
		if e := math.Sqrt(diff / norm); !(e <= near) {
			t.Errorf("logits of sequence %d, token %d: %.2g apart", w.Batch, w.Position, e)
		}
	}
	checkDecoder(t, m, logits, ids[:seq])
	if t.Failed() {
		return
	}

	grad, segments := m.Select(func(Param) int { return 0 })
	moments := [2]device.Buf{dev.NewBuf(grad.Len()), dev.NewBuf(grad.Len())}
	losses, tokens := make([]float32, len(ids)), len(ids)-len(want.IDs)
	for step, loss := range want.Losses {
		dev.Zero(grad)
		m.Backward(losses, ids, targets, len(want.IDs), 1/float32(tokens))
		sum := 0.0
		for _, l := range losses {
			sum += float64(l)
		}
		if e := math.Abs(sum/float64(tokens)/loss - 1); !(e <= near) {
			t.Errorf("step %d: loss %.8f, want %.8f", step+1, sum/float64(tokens), loss)
		}
		if step == 0 && m.Balance() == 0 {
			for _, w := range want.Params {
				if e := apart(w.Name, float64s(gradOf(m, byName[w.Name])), w.Grad); !(e <= near) {
					t.Errorf("gradient of %s: %.2g apart", w.Name, e)
				}
			}
		}
		o := want.Optimizer
		scale := min(1, o.ClipNorm/math.Sqrt(dev.SumSquares(grad)))
		at := 0
		for _, s := range segments {
			end := at + s.Grad.Len()
			decay := o.WeightDecay
			if !s.Decay {
				decay = 0
			}
			dev.AdamW(s.Weights, s.Grad, moments[0].Slice(at, end), moments[1].Slice(at, end), device.Adam{
				LR: float32(o.LR), Beta1: float32(o.Beta1), Beta2: float32(o.Beta2), Eps: float32(o.Eps),
				WeightDecay: float32(decay), Step: step + 1, GradScale: float32(scale),
			})
			at = end
		}
	}
	for _, w := range want.Params {
		p := byName[w.Name]
		change := float64s(get(m, m.Weights(p)))
		for i, x := range ruled(p) {
			change[i] -= float64(x)
		}
		if strings.HasSuffix(w.Name, "c_attn.bias") {
			continue // a bias of all keys changes nothing: AdamW moves it by its gradient's rounding alone
		}
		if e := apart(w.Name, change, projected{w.After.Norm, w.After.ChangeProbes}); !(e <= near) {
			t.Errorf("%s after five steps: %.2g apart", w.Name, e)
		}
	}
}

// TestBalance holds the balance loss and its gradient to what the libraries that
// train with it compute. It is made so large that the other loss is nothing
// beside it, and that one's gradient is taken off.
func TestBalance(t *testing.T) {
	const large = 1e4
	for _, name := range []string{"deepseek-v2", "deepseek-v2-groups", "qwen3-moe", "qwen3-moe-mixed"} {
		text, err := os.ReadFile("testdata/transformers/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var want recorded
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
		c, err := ParseConfig(want.Config)
		if err != nil {
			t.Fatal(err)
		}
		var ids, targets []int32
		for _, s := range want.IDs {
			ids = append(ids, s...)
			targets = append(append(targets, s[1:]...), -1)
		}
		run := func(alpha float64, each bool) (float64, *Model) {
			c.BalanceAlpha, c.BalanceEach = alpha, each
			m, err := New(ref.New(), c, len(want.IDs[0]))
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range m.Params() {
				m.dev.Upload(m.Weights(p), ruled(p))
			}
			m.Select(func(Param) int { return 0 })
			m.Backward(make([]float32, len(ids)), ids, targets, len(want.IDs), 1/float32(len(ids)))
			return m.Balance(), m
		}
		_, plain := run(0, false)
		kinds := map[string]struct {
			terms []float64
			alpha float64
			each  bool
		}{
			"sequence": {want.Balance.Sequence, want.Balance.Alpha, true},
			"batch":    {want.Balance.Batch, want.Balance.Alpha, false},
			// Qwen3's has shares of tokens where DeepSeek's has shares of choices.
			"layer": {want.Balance.PerLayer, float64(c.NumExpertsPerTok), false},
		}
		for kind, k := range kinds {
			if len(k.terms) == 0 {
				continue
			}
			loss, m := run(large*k.alpha, k.each)
			sum := 0.0
			for _, term := range k.terms {
				sum += term
			}
			if e := math.Abs(loss/large/sum - 1); !(e <= near) {
				t.Errorf("%s: loss of each %s is %.8f, want %.8f", name, kind, loss/large, sum)
			}
			for _, w := range want.Params {
				i := slices.IndexFunc(m.params, func(p Param) bool { return p.Name == w.Name })
				got, less := float64s(gradOf(m, m.params[i])), gradOf(plain, m.params[i])
				for j := range got {
					got[j] = (got[j] - float64(less[j])) / large
				}
				grad := map[string]projected{"sequence": w.BalanceSequence, "batch": w.BalanceBatch, "layer": w.BalancePerLayer}[kind]
				if e := apart(w.Name, got, grad); !(e <= near) {
					t.Errorf("%s: gradient of each %s's loss by %s is %.2g apart", name, kind, w.Name, e)
				}
			}
		}
	}
}

// checkDecoder gives the first sequence to a decoder in pieces: the logits after
// each are those of the whole.
func checkDecoder(t *testing.T, m *Model, logits []float32, ids []int32) {
	t.Helper()
	d, v := m.Decoder(), m.cfg.VocabSize
	got := make([]float32, v)
	for _, n := range []int{len(ids) / 3, 1, 2, 1, 1} {
		if err := d.Next(got, ids[d.Len():][:n]); err != nil {
			t.Fatal(err)
		}
		want := logits[(d.Len()-1)*v:][:v]
		diff, norm := 0.0, 0.0
		for i, x := range want {
			diff += float64((got[i] - x) * (got[i] - x))
			norm += float64(x * x)
		}
		if e := math.Sqrt(diff / norm); !(e <= near) {
			t.Errorf("after %d tokens: logits are %.2g from those of the whole", d.Len(), e)
		}
	}
	if err := d.Next(got, make([]int32, m.seqLen)); err == nil {
		t.Error("more tokens than the context has were accepted")
	}
}

// gradOf returns the gradient of a parameter, when all are trained.
func gradOf(m *Model, p Param) []float32 { return get(m, m.grad.Slice(p.Lo, p.Hi)) }
