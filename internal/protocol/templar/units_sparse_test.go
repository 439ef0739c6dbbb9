package templar

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"adit/internal/compress"
	"adit/internal/journal"
	"adit/internal/protocol/actor"
	"adit/internal/score"
	"adit/internal/subnet"
)

func TestLayoutOfLlama(t *testing.T) {
	l := Llama{Vocab: 32, Hidden: 16, Layers: 3, Heads: 4, KVHeads: 2, FFN: 24}
	r, err := RulesByName("sparse")
	if err != nil {
		t.Fatal(err)
	}
	r.Sparse.ModelSize, r.Sparse.NumAttentionHeads, r.Sparse.NumKeyValueHeads = "tiny", 4, 2
	for _, tied := range []bool{false, true} {
		l.Tied = tied
		got, err := r.layout(l.HFParams())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(l.TitanParams(), got.params()); diff != "" {
			t.Errorf("tied %v: -want +got:\n%s", tied, diff)
		}
		for _, p := range got {
			turns := strings.HasSuffix(p.Name, "wq.weight") || strings.HasSuffix(p.Name, "wk.weight")
			if (p.heads > 0) != turns {
				t.Errorf("%s has %d heads to turn", p.Name, p.heads)
			}
		}
	}
	if _, err := r.layout([]subnet.Param{{Name: "model.norm.weight", Shape: []int{2}}, {Name: "norm.weight", Shape: []int{2}}}); err == nil {
		t.Error("two parameters of one name")
	}
}

// TestTurn holds the rows to what torchtitan's conversion to transformers does:
// view(heads, rows/2, 2, cols).transpose(1, 2).
func TestTurn(t *testing.T) {
	p := place{Param: subnet.Param{Shape: []int{8, 1}}, heads: 2}
	wire := []float32{0, 1, 2, 3, 10, 11, 12, 13} // neighbours 0 and 1 are a pair
	engine, back := make([]float32, 8), make([]float32, 8)
	p.fromWire(engine, wire)
	if want := []float32{0, 2, 1, 3, 10, 12, 11, 13}; !slices.Equal(engine, want) {
		t.Errorf("%v, want %v", engine, want)
	}
	if p.toWire(back, engine); !slices.Equal(back, wire) {
		t.Errorf("%v, want %v", back, wire)
	}
}

// partOf makes a part of random differences.
func partOfRandom(t *testing.T, shape []int, keep int, seed uint64) *compress.Part {
	t.Helper()
	f, err := compress.NewFeedback(shape, compress.Rule{Decay: 0.95, Gain: 1, Keep: keep, Bins: 4})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	p := subnet.Param{Name: "p", Shape: shape}
	delta := make([]float32, p.Len())
	for i := range delta {
		delta[i] = float32(rng.NormFloat64())
	}
	k, err := f.Encode(delta)
	if err != nil {
		t.Fatal(err)
	}
	c := Pack(p, k)
	part, err := c.part(p, keep, 4)
	if err != nil {
		t.Fatal(err)
	}
	return part
}

func TestMeanOfAll(t *testing.T) {
	shape := []int{128, 64}
	var parts []*compress.Part
	for i := range 3 {
		parts = append(parts, partOfRandom(t, shape, 8, uint64(i)))
	}
	got := make([]float32, 128*64)
	if err := meanOfAll(got, parts); err != nil {
		t.Fatal(err)
	}
	norms := []float64{parts[0].Norm(), parts[1].Norm(), parts[2].Norm()}
	most := slices.Sorted(slices.Values(norms))[1]
	want := make([]float64, len(got))
	for i, p := range parts {
		one := make([]float32, len(got))
		if err := p.Decode(one); err != nil {
			t.Fatal(err)
		}
		for k, v := range one {
			want[k] += float64(v) * min(1, most/norms[i]) / 3
		}
	}
	for k := range got {
		if math.Abs(float64(got[k])-want[k]) > 1e-5 {
			t.Fatalf("element %d: %g, want %g", k, got[k], want[k])
		}
	}
}

// lone returns a validator alone, of the newest generation, for its pure parts.
func lone(t *testing.T) (*sparseValidator, *[]subnet.Event) {
	t.Helper()
	r, err := RulesByName("sparse")
	if err != nil {
		t.Fatal(err)
	}
	var events []subnet.Event
	mem := journal.NewMem()
	n := &neuron{rules: r, cfg: Defaults("sparse"), Actor: actor.Actor{Env: subnet.Env{Dir: mem, Journal: mem, Emit: func(e subnet.Event) { events = append(events, e) }}}}
	v := &sparseValidator{sparse: &sparse{neuron: n}, book: n.openStandings(), skill: score.NewPlackettLuce(7, 0.1)}
	return v, &events
}

func TestCopiesAreSlashed(t *testing.T) {
	v, events := lone(t)
	v.Step = 100
	c := &collection{}
	now := time.Unix(1000, 0)
	for i := range 4 {
		u := &update{from: subnet.Neuron{UID: subnet.UID(i), Hotkey: hotkey(i)}, object: subnet.Object{Modified: now.Add(time.Duration(-i) * time.Second)}}
		seed := uint64(i)
		if i == 1 {
			seed = 3 // uid 3 was first
		}
		u.parts = []*compress.Part{partOfRandom(t, []int{256, 256}, 64, seed), partOfRandom(t, []int{64}, 64, uint64(i))}
		c.updates = append(c.updates, u)
		m := &standing{Hotkey: u.from.Hotkey, Rating: v.skill.New()}
		m.Final, m.Moving, m.Evaluations = 5, 1, 3
		v.book.Miners[u.from.UID] = m
	}
	v.findCopies(7, c)
	for uid, m := range v.book.Miners {
		if copied := uid == 1; copied != (m.Final == 0) || copied != m.Naughty(8) {
			t.Errorf("uid %d has %g, naughty %v", uid, m.Final, m.Naughty(8))
		}
	}
	if len(*events) != 1 || !strings.Contains(attr((*events)[0], "reason"), "those of uid 3") {
		t.Errorf("events %v", *events)
	}
	// Before there was a step to learn from all are alike.
	v.Step = 1
	v.book.Miners[1].Final = 5
	if v.findCopies(8, c); v.book.Miners[1].Final != 5 {
		t.Error("slashed too early")
	}
}

func TestConclude(t *testing.T) {
	v, _ := lone(t)
	for i := range 4 {
		m := &standing{Hotkey: hotkey(i), Rating: v.skill.New()}
		m.Sync = 1
		v.book.Miners[subnet.UID(i)] = m
	}
	v.book.begin(9)
	v.book.Results = map[subnet.UID]verdict{
		0: {Window: 9, What: Evaluated, Score: 0.02, Better: true},
		1: {Window: 9, What: Evaluated, Score: -0.01, Better: false},
		2: {Window: 9, What: Evaluated, Score: 0.005, Better: true},
		3: {Window: 9, What: Fault, Reason: "busy"},
	}
	v.conclude(t.Context(), 9)
	want := map[subnet.UID][2]float64{0: {27.456249477, 8.253534696}, 1: {21.929688153, 8.162139691}, 2: {25.614062369, 8.162139691}, 3: {25, 25. / 3}}
	for uid, w := range want {
		m := v.book.Miners[uid]
		if math.Abs(m.Mu-w[0]) > 1e-8 || math.Abs(m.Sigma-w[1]) > 1e-8 {
			t.Errorf("uid %d is rated %v, want %v", uid, m.Rating, w)
		}
	}
	if m := v.book.Miners[0]; math.Abs(m.Final-m.Ordinal()*0.05) > 1e-12 || m.Evaluations != 1 {
		t.Errorf("uid 0: %+v", m)
	}
	if v.book.Miners[1].Final > 0 || v.book.Miners[3].Evaluations != 0 {
		t.Errorf("uids 1 and 3: %+v, %+v", v.book.Miners[1], v.book.Miners[3])
	}
}

func TestSeals(t *testing.T) {
	who := subnet.Neuron{UID: 3, Hotkey: hotkey(3)}
	sign := func(s Seal) Signed {
		x, err := s.sign(t.Context(), testSigner(who.Hotkey))
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	good := Seal{Version: "adit1", Window: 7, UID: 3, Hotkey: who.Hotkey, Root: strings.Repeat("ab", 32)}
	if got, err := sign(good).open(verified, "adit1", 7, who); err != nil || got != good {
		t.Errorf("%+v, %v", got, err)
	}
	for _, tt := range []struct {
		what  string
		spoil func(*Seal)
		after func(*Signed)
		want  string
	}{
		{"window", func(s *Seal) { s.Window = 6 }, nil, "window 6"},
		{"uid", func(s *Seal) { s.UID = 4 }, nil, "uid 4"},
		{"hotkey", func(s *Seal) { s.Hotkey = hotkey(4) }, nil, "sealed by"},
		{"version", func(s *Seal) { s.Version = "adit2" }, nil, "adit2"},
		{"step", func(s *Seal) { s.GlobalStep = -1 }, nil, "cannot be"},
		{"signature", func(*Seal) {}, func(s *Signed) { s.Sig[0] ^= 1 }, "signature is wrong"},
		{"no signature", func(*Seal) {}, func(s *Signed) { s.Sig = nil }, "signature of 0"},
		{"text", func(*Seal) {}, func(s *Signed) { s.Text = bytes.Replace(s.Text, []byte("ab"), []byte("ba"), 1) }, "signature is wrong"},
	} {
		s := good
		tt.spoil(&s)
		x := sign(s)
		if tt.after != nil {
			tt.after(&x)
		}
		if _, err := x.open(verified, "adit1", 7, who); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.what, err, tt.want)
		}
	}
}

func FuzzReadSealed(f *testing.F) {
	var b bytes.Buffer
	b.WriteString("a message")
	if err := writeSealed(&b, Signed{[]byte(`{"window":1}`), make([]byte, signatures)}, sealMagic); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte(sealMagic))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, n, err := readSealed(bytes.NewReader(data), int64(len(data)), sealMagic, maxSealText)
		if err != nil {
			return
		}
		var again bytes.Buffer
		again.Write(data[:n])
		if err := writeSealed(&again, s, sealMagic); err != nil || !bytes.Equal(again.Bytes(), data) {
			t.Errorf("%q is read as another", data)
		}
		_, _ = s.open(verified, "adit1", 1, subnet.Neuron{})
	})
}

func FuzzReadProofs(f *testing.F) {
	f.Add(appendProofs([][]byte{[]byte("one"), {}, bytes.Repeat([]byte("x"), 200)}))
	f.Add([]byte(proofsMagic + "\xff\xff\xff\xff\xff\xff\xff\xff\x7f"))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := readProofs(bytes.NewReader(data), int64(len(data)))
		if err == nil && len(list) > challenged {
			t.Errorf("%d proofs", len(list))
		}
	})
}

func TestChooseGroups(t *testing.T) {
	s, err := compress.NewSchema([]compress.Tensor{{Name: "a", Shape: []int{6400, 640}}, {Name: "b", Shape: []int{64}}}, 64, 8)
	if err != nil {
		t.Fatal(err)
	}
	a := chooseGroups(s, rand.New(rand.NewPCG(1, 1)))
	b := chooseGroups(s, rand.New(rand.NewPCG(1, 1)))
	c := chooseGroups(s, rand.New(rand.NewPCG(2, 1)))
	if len(a) != challenged || !slices.Equal(a, b) || slices.Equal(a, c) {
		t.Errorf("%v\n%v\n%v", a, b, c)
	}
	for _, g := range a {
		if g.tensor > 1 || g.group >= s.Groups(g.tensor) {
			t.Errorf("group %v", g)
		}
	}
}

// TestShardGoesOn cuts the download of a shard off, in the middle.
func TestShardGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newSparseWorld(t)
		n := w.addSparse("sparse/20", 0)
		cuts := 3
		w.buckets.Corrupt = func(_ subnet.BucketAddress, key string, data []byte) []byte {
			if cuts > 0 && strings.HasSuffix(key, "train_000000.npy") {
				cuts--
				return data[:len(data)*(3-cuts)/4]
			}
			return data
		}
		x, err := newNeuron(n.env())
		if err != nil {
			t.Fatal(err)
		}
		s, err := x.newShards()
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		o, err := s.at(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		q, err := o.sequence(5)
		if err != nil {
			t.Fatal(err)
		}
		if cuts != 0 || q.Tokens[0] != 35 || q.Targets[0] != 36 || q.Targets[15] != -1 {
			t.Errorf("%d cuts left, %v", cuts, q)
		}
		digest, err := o.digest([]uint32{7, 3})
		row := func(i int) (r []uint32) {
			for k := range 16 {
				r = append(r, uint32(i*7+k)%256)
			}
			return r
		}
		if want := SampleDigest([]uint64{SampleID(row(3)), SampleID(row(7))}); err != nil || digest != want {
			t.Errorf("%s, want %s: %v", digest, want, err)
		}
		if _, err := o.sequence(uint32(o.samples)); err == nil {
			t.Error("a sample beyond the last")
		}
	})
}

func TestShardsRefused(t *testing.T) {
	for _, tt := range []struct {
		what        string
		tokens, ids []byte
	}{
		{"no numpy", []byte("text"), NumpyHeader(8, 0)},
		{"wide tokens", append(NumpyHeader(8, 16), make([]byte, 128)...), append(NumpyHeader(8, 1), make([]byte, 8)...)},
		{"no samples", NumpyHeader(4, 0), NumpyHeader(8, 0)},
		{"a large token", binary.LittleEndian.AppendUint32(append(NumpyHeader(4, 16), make([]byte, 60)...), 1<<31), append(NumpyHeader(8, 1), make([]byte, 8)...)},
	} {
		t.Run(tt.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newSparseWorld(t)
				n := w.addSparse("sparse/20", 0)
				x, err := newNeuron(n.env())
				if err != nil {
					t.Fatal(err)
				}
				s := &sparse{neuron: x}
				if err := errors.Join(s.writeAll("shards/train_000000.npy", tt.tokens), s.writeAll("shards/sample_ids_000000.npy", tt.ids)); err != nil {
					t.Fatal(err)
				}
				files, err := x.newShards()
				if err != nil {
					t.Fatal(err)
				}
				defer files.close()
				o, err := files.at(t.Context(), 0)
				if err == nil {
					_, err = o.sequence(0)
				}
				if err == nil {
					t.Error("taken")
				}
			})
		})
	}
}

// TestSparseCheats has a miner that breaks a rule in every window: the honest ones
// keep one model, and know whom not to take.
func TestSparseCheats(t *testing.T) {
	for _, rules := range []string{"sparse/20", "adit/20"} {
		for _, cheat := range Cheats {
			t.Run(rules+"/"+cheat, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newSparseWorld(t)
					v, miners, stop := sparseCrew(w, rules, 3)
					defer stop()
					bad := w.addSparse(rules, 0)
					bad.cfg.Cheat, bad.cfg.Subtensor.Network = cheat, "local"
					defer bad.play(mineSparse)()
					w.sparseTo(7, sparseTime-2*blockTime)
					if at := agree(t, append(miners, v)...); at.Step < 4 {
						t.Errorf("at step %d:\n%s", at.Step, v.text())
					}
					if len(bad.all("cheat")) == 0 {
						t.Fatalf("it did not cheat:\n%s", bad.text())
					}
					refused := ""
					for _, e := range v.all("refused") {
						if attr(e, "uid") != "5" {
							t.Errorf("an honest one was refused: %v", e)
						}
						refused = attr(e, "reason")
					}
					// Who is late comes when the last are looking, or after.
					if want := cheat == cheatNaN || cheat == cheatShape; cheat != cheatLate && want != (refused != "") {
						t.Errorf("refused for %q", refused)
					}
					if e := v.all("slash"); cheat == cheatLate && !slices.ContainsFunc(e, func(e subnet.Event) bool { return attr(e, "uid") == "5" }) {
						t.Errorf("it was not slashed: %v\n%s", e, fmt.Sprint(v.all("gather")))
					}
				})
			})
		}
	}
}

func TestExplainGradient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newSparseWorld(t)
		v, miners, stop := sparseCrew(w, "adit/20", 2)
		defer stop()
		w.sparseTo(6, sparseTime-2*blockTime)
		told := func(n *testNeuron, o subnet.ExplainOptions) map[string]subnet.Outcome {
			e, err := explain(t.Context(), n.env(), o)
			if err != nil {
				t.Fatal(err)
			}
			gates := make(map[string]subnet.Outcome)
			for _, g := range e.Gates {
				gates[g.Name] = g.Outcome
			}
			return gates
		}
		for _, n := range miners {
			got := told(n, subnet.ExplainOptions{})
			want := map[string]subnet.Outcome{
				gateRegistered: subnet.Passed, gateBucket: subnet.Passed, gateGradient: subnet.Passed, gateChecked: subnet.Passed,
				gatePeer: subnet.Passed, gateJudged: subnet.Unknown, gateWeight: subnet.Stopped,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		}
		got := told(v, subnet.ExplainOptions{Who: "2"})
		if _, scored := got[gateScore]; !scored {
			t.Errorf("the validator does not tell the score: %v", got)
		}
		if got := told(miners[0], subnet.ExplainOptions{Round: "next"}); got[gateGradient] != subnet.Unknown {
			t.Errorf("next: %v", got)
		}
		if got := told(miners[0], subnet.ExplainOptions{Who: "1"}); got[gateBucket] != subnet.Stopped {
			t.Errorf("who has no bucket: %v", got)
		}
	})
}

// FuzzReadAggregate has aggregates whose signature is right, and the rest anything.
func FuzzReadAggregate(f *testing.F) {
	r, err := RulesByName("adit")
	if err != nil {
		f.Fatal(err)
	}
	s := &sparse{neuron: &neuron{rules: r, Actor: actor.Actor{Env: subnet.Env{Verify: verified}}}, params: toyParams, roster: &roster{}}
	var tensors []compress.Tensor
	for _, p := range toyParams {
		tensors = append(tensors, compress.Tensor{Name: p.Name, Shape: p.Shape})
	}
	if s.schema, err = compress.NewSchema(tensors, 64, 8); err != nil {
		f.Fatal(err)
	}
	a := newSums(s)
	who := subnet.Neuron{UID: 1, Hotkey: hotkey(1)}
	claim := compress.Claim{Schema: s.schema.Hash(), Decay: a.decay(), Inputs: make([]compress.Hash, 1), Before: a.zero}
	f.Add([]byte(actor.JSON(aggregateText{Version: r.Version, Window: 7, UID: 1, Hotkey: who.Hotkey, Claim: claim.Append(nil), UIDs: []subnet.UID{2}, Seals: make([]Signed, 1)})), []byte("result"))
	f.Add([]byte("{}"), []byte{})
	f.Fuzz(func(t *testing.T, text, result []byte) {
		sig, err := testSigner(who.Hotkey).Sign(t.Context(), append([]byte(aggregateDomain), text...))
		if err != nil {
			t.Fatal(err)
		}
		b := bytes.NewBuffer(bytes.Clone(result))
		if err := writeSealed(b, Signed{text, sig}, aggregateMagic); err != nil {
			t.Fatal(err)
		}
		if _, err := a.read(blob{bytes.NewReader(b.Bytes()), "aggregate"}, 7, who, PeerList{Peers: []subnet.UID{2}}); err == nil {
			t.Error("taken, and nobody has a bucket")
		}
	})
}
