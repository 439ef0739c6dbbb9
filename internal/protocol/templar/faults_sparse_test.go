package templar

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"adit/internal/compress"
	"adit/internal/subnet"
	"adit/internal/torchfile"
)

// bucketOf returns a neuron's own bucket.
func (n *testNeuron) bucketOf() subnet.Bucket {
	n.t.Helper()
	r, err := n.cfg.ruleset()
	if err != nil {
		n.t.Fatal(err)
	}
	k, err := n.cfg.keys(r, func(name string) string { return n.secret[name] })
	if err != nil {
		n.t.Fatal(err)
	}
	return n.buckets.Open(n.cfg.placed(r.Address(k, true)))
}

func TestSparseLateJoiner(t *testing.T) {
	for _, rules := range []string{"sparse/20", "adit/20"} {
		t.Run(rules, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newSparseWorld(t)
				v, miners, stop := sparseCrew(w, rules, 3)
				defer stop()
				w.sparseTo(6, 30*time.Second)
				late := w.addSparse(rules, 0)
				defer late.play(mineSparse)()
				w.sparseTo(8, sparseTime/2+60*time.Second)
				agree(t, append(miners, v, late)...)
				if rules == "sparse/20" && len(late.all("catchup")) == 0 {
					t.Errorf("the late one caught up with nothing:\n%s", late.text())
				}
				w.sparseTo(13, sparseTime-2*blockTime)
				agree(t, append(miners, v, late)...)
				if !strings.Contains(fmt.Sprint(lastPeers(v)), " 5") {
					t.Errorf("the late one is no peer: %v", lastPeers(v))
				}
			})
		})
	}
}

func lastPeers(v *testNeuron) any {
	list := v.all("peers")
	for _, a := range list[len(list)-1].Attrs {
		if a.Key == "peers" {
			return a.Value.Any()
		}
	}
	return nil
}

func TestSparseLeaderGone(t *testing.T) {
	for _, rules := range []string{"sparse/20", "adit/20"} {
		t.Run(rules, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newSparseWorld(t)
				leader := w.addSparse(rules, 2000)
				second := w.addSparse(rules, 1000)
				gone := leader.play(validateSparse)
				defer second.play(validateSparse)()
				var miners []*testNeuron
				for range 3 {
					n := w.addSparse(rules, 0)
					miners = append(miners, n)
					defer n.play(mineSparse)()
				}
				w.sparseTo(6, 100*time.Second)
				before := agree(t, append(miners, leader, second)...)
				gone()
				w.sparseTo(10, 30*time.Second)
				late := w.addSparse(rules, 0)
				defer late.play(mineSparse)()
				w.sparseTo(13, sparseTime-2*blockTime)
				after := agree(t, append(miners, second, late)...)
				if after.Step < before.Step+6 {
					t.Errorf("from step %d to %d", before.Step, after.Step)
				}
				if rules != "adit/20" {
					return
				}
				if e := second.all("aggregate"); !slices.ContainsFunc(e, func(e subnet.Event) bool { return strings.HasPrefix(e.Text, "Aggregated") }) {
					t.Errorf("nobody aggregates in the leader's place:\n%s", second.text())
				}
				if e := miners[0].all("aggregate"); attr(e[len(e)-1], "uid") != "1" {
					t.Errorf("the last aggregate is uid %s's", attr(e[len(e)-1], "uid"))
				}
			})
		})
	}
}

func TestSparseManyGone(t *testing.T) {
	for _, rules := range []string{"sparse/20", "adit/20"} {
		t.Run(rules, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newSparseWorld(t)
				v := w.addSparse(rules, 1000)
				defer v.play(validateSparse)()
				w.addSparse(rules, 0)
				var miners []*testNeuron
				var stops []func() time.Duration
				for range 5 {
					n := w.addSparse(rules, 0)
					miners = append(miners, n)
					stops = append(stops, n.play(mineSparse))
				}
				w.sparseTo(6, 200*time.Second)
				before := agree(t, append(miners, v)...)
				stops[1]()
				stops[3]()
				left := []*testNeuron{miners[0], miners[2], miners[4], v}
				w.sparseTo(9, sparseTime-2*blockTime)
				after := agree(t, left...)
				if after.Step < before.Step+2 {
					t.Errorf("from step %d to %d", before.Step, after.Step)
				}
				slashed := make(map[string]bool)
				for _, e := range v.all("slash") {
					slashed[attr(e, "uid")] = true
				}
				if !slashed["3"] || !slashed["5"] || slashed["2"] {
					t.Errorf("slashed %v", slashed)
				}
				stops[0]()
				stops[2]()
				stops[4]()
			})
		})
	}
}

// TestSparseWrongAggregate has a leader that signs sums that it has changed.
func TestSparseWrongAggregate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rules = "adit/20"
		w := newSparseWorld(t)
		liar := w.addSparse(rules, 2000)
		honest := w.addSparse(rules, 1000)
		lie := func(v *sparseValidator) {
			v.sums.testOnlySpoil = func(kept []*compress.Kept) {
				for _, k := range kept {
					for i := range k.Code {
						k.Code[i] = 3 - k.Code[i] // all the other way
					}
				}
			}
		}
		defer liar.play(func(ctx context.Context, env subnet.Env) error { return playSparseValidator(ctx, env, lie) })()
		defer honest.play(validateSparse)()
		var miners []*testNeuron
		for range 3 {
			n := w.addSparse(rules, 0)
			miners = append(miners, n)
			defer n.play(mineSparse)()
		}
		w.sparseTo(6, sparseTime-2*blockTime)
		at := agree(t, append(miners, honest)...)
		if at.Step < 3 {
			t.Errorf("at step %d", at.Step)
		}
		if t.Failed() {
			for _, n := range append(miners, honest, liar) {
				t.Logf("%s:\n%s", n.hotkey, n.text())
			}
		}
		values, _ := honest.savedAt()
		if d := distance(values); !(d < 0.8) {
			t.Errorf("the lie was learned: %g", d)
		}
		fraud := miners[0].all("fraud")
		if len(fraud) == 0 {
			t.Fatalf("nobody noticed:\n%s", miners[0].text())
		}
		// Whoever has the object can see it, without having been there.
		data, err := readSmall(t.Context(), miners[0].bucketOf(), attr(fraud[0], "object"), MaxJSON)
		if err != nil {
			t.Fatal(err)
		}
		var a Accusation
		var text aggregateText
		if err := json.Unmarshal(data, &a); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(a.Aggregate.Text, &text); err != nil {
			t.Fatal(err)
		}
		claim, err := compress.ParseClaim(text.Claim)
		if err != nil {
			t.Fatal(err)
		}
		proof, err := compress.ParseProof(a.Proof)
		if err != nil {
			t.Fatal(err)
		}
		r, _ := liar.cfg.ruleset()
		var tensors []compress.Tensor
		for _, p := range toyParams {
			tensors = append(tensors, compress.Tensor{Name: p.Name, Shape: p.Shape})
		}
		schema, err := compress.NewSchema(tensors, int(r.Sparse.TopKCompression), compress.UsualGroup)
		if err != nil {
			t.Fatal(err)
		}
		if err := claim.Verify(schema, proof); !errors.Is(err, compress.ErrFraud) {
			t.Errorf("the proof shows: %v", err)
		}
		if !verified(liar.hotkey, append([]byte(aggregateDomain), a.Aggregate.Text...), a.Aggregate.Sig) {
			t.Error("the aggregator has not signed it")
		}
		if liar.hotkey != text.Hotkey {
			t.Errorf("signed by %s", text.Hotkey)
		}
	})
}

// TestSparseLeftOut has a leader that leaves a miner out of its sums.
func TestSparseLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rules = "adit/20"
		w := newSparseWorld(t)
		liar := w.addSparse(rules, 2000)
		honest := w.addSparse(rules, 1000)
		defer liar.play(func(ctx context.Context, env subnet.Env) error {
			return playSparseValidator(ctx, env, func(v *sparseValidator) {
				v.sums.testOnlyDrop = func(all []*update) []*update { return all[1:] }
			})
		})()
		defer honest.play(validateSparse)()
		var miners []*testNeuron
		for range 3 {
			n := w.addSparse(rules, 0)
			miners = append(miners, n)
			defer n.play(mineSparse)()
		}
		w.sparseTo(6, sparseTime-2*blockTime)
		if at := agree(t, append(miners, honest)...); at.Step < 3 {
			t.Errorf("at step %d", at.Step)
		}
		if e := miners[1].all("refused"); len(e) == 0 || !strings.Contains(attr(e[0], "reason"), "leaves out uid 2") {
			t.Errorf("refused %v", e)
		}
		if e := miners[1].all("aggregate"); len(e) == 0 || attr(e[0], "uid") != "1" {
			t.Errorf("took %v", e)
		}
	})
}

// An attack puts something into a miner's bucket in every window.
func (n *testNeuron) attack(ctx context.Context, make func(w Window) []byte) {
	r, err := n.cfg.ruleset()
	if err != nil {
		n.t.Error(err)
		return
	}
	c := &testChain{n.world, n.hotkey}
	text, err := r.CommitmentText(r.Address(must(n.cfg.keys(r, func(s string) string { return n.secret[s] })), false))
	if err != nil {
		n.t.Error(err)
		return
	}
	_, _ = c.Commit(ctx, text)
	n.world.mu.Lock()
	uid := subnet.UID(slices.IndexFunc(n.neurons, func(x subnet.Neuron) bool { return x.Hotkey == n.hotkey }))
	n.world.mu.Unlock()
	for w := r.Window(c.head()); c.Wait(ctx, r.Start(w+1)+1) == nil; w++ {
		key := Name{Kind: GradientObject, Window: w, UID: uid, Version: r.Version}.String()
		if _, err := n.bucketOf().Put(ctx, key, blob{bytes.NewReader(make(w)), key}, false); err != nil && ctx.Err() == nil {
			n.t.Error(err)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// forged writes a gradient of the toy model, after spoil, without the checks that
// an honest writer makes.
func forged(t *testing.T, r Rules, w Window, spoil func(*Compressed)) []byte {
	d := &torchfile.Dict{}
	for _, p := range toyParams {
		f, err := compress.NewFeedback(p.Shape, r.Encoding())
		if err != nil {
			t.Error(err)
			return nil
		}
		delta := make([]float32, p.Len())
		for i := range delta {
			delta[i] = float32(i%7) - 3
		}
		k, err := f.Encode(delta)
		if err != nil {
			t.Error(err)
			return nil
		}
		c := Pack(p, k)
		spoil(&c)
		for at, v := range c.values() {
			d.Items = append(d.Items, torchfile.Item{Key: p.Name + []string{idxsSuffix, valsSuffix, quantSuffix}[at], Value: v})
		}
	}
	d.Items = append(d.Items, torchfile.Item{Key: metadataKey, Value: &torchfile.Dict{Items: []torchfile.Item{{Key: "window", Value: int64(w)}}}})
	var b bytes.Buffer
	if err := encodeState(&b, d, 0); err != nil {
		t.Error(err)
	}
	return b.Bytes()
}

func TestSparseForeignMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rules = "sparse/20"
		w := newSparseWorld(t)
		v, miners, stop := sparseCrew(w, rules, 3)
		defer stop()
		r, err := v.cfg.ruleset()
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		attacks := []struct {
			reason string
			make   func(Window) []byte
		}{
			{"not finite", func(w Window) []byte {
				return forged(t, r, w, func(c *Compressed) { c.Quant.Shift = float32(math.NaN()) })
			}},
			{"not finite", func(w Window) []byte {
				return forged(t, r, w, func(c *Compressed) { c.Quant.Lookup[1] = float32(math.Inf(1)) })
			}},
			{"", func(w Window) []byte { // the same index twice
				return forged(t, r, w, func(c *Compressed) { copy(c.Idxs[3:6], c.Idxs[:3]) })
			}},
			{"bin 9", func(w Window) []byte { return forged(t, r, w, func(c *Compressed) { c.Vals[5] = 9 }) }},
			{"scale", func(w Window) []byte { return forged(t, r, w, func(c *Compressed) { c.Quant.Scale = 1e6 }) }},
			{"shape", func(w Window) []byte {
				return forged(t, r, w, func(c *Compressed) { c.Shape = []int{1, len(c.Vals)} })
			}},
			{"window", func(w Window) []byte { return forged(t, r, w-1, func(*Compressed) {}) }},
			{"", func(Window) []byte { return []byte("no gradient at all") }},
		}
		done := make(chan struct{})
		for _, a := range attacks {
			n := w.addSparse(rules, 0)
			go func() {
				defer func() { done <- struct{}{} }()
				n.attack(ctx, a.make)
			}()
		}
		defer func() {
			cancel()
			for range attacks {
				<-done
			}
		}()
		w.sparseTo(6, sparseTime-2*blockTime)
		agree(t, append(miners, v)...)
		for i, a := range attacks {
			uid := fmt.Sprint(i + 5)
			refused := slices.IndexFunc(miners[0].all("refused"), func(e subnet.Event) bool {
				return attr(e, "uid") == uid && strings.Contains(attr(e, "reason"), a.reason)
			})
			if refused < 0 {
				t.Errorf("uid %s was not refused for %q", uid, a.reason)
			}
			if s := slices.IndexFunc(v.all("score"), func(e subnet.Event) bool { return attr(e, "uid") == uid && attr(e, "outcome") == "evaluated" }); s >= 0 {
				t.Errorf("uid %s was evaluated", uid)
			}
		}
		for _, e := range miners[0].all("refused") {
			if u := attr(e, "uid"); u == "2" || u == "3" || u == "4" {
				t.Errorf("an honest one was refused: %v", e.Attrs)
			}
		}
		if t.Failed() {
			t.Log(miners[0].text())
		}
	})
}

// TestSparseOverwritten has a miner that replaces its gradient while others read it,
// and one that comes when the time is over. What all have is what nobody took of it.
func TestSparseOverwritten(t *testing.T) {
	for _, tt := range []struct{ when, reason string }{{"during", "has changed"}, {"after", "TOO_LATE"}} {
		t.Run(tt.when, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const rules = "sparse/20"
				w := newSparseWorld(t)
				target := fmt.Sprintf("gradient-%d-3-v2.1.28.pt", sparseFirst+4)
				account := fmt.Sprintf("%032x", 3+1)
				cheat := w.buckets.Open(sparseRules().Address(Keys{Account: account, Bucket: account}, true))
				w.buckets.Fault = func(op string, _ subnet.BucketAddress, key string) error {
					switch {
					case key != target:
					case tt.when == "during" && op == "get":
						_, err := cheat.Put(t.Context(), target, blob{bytes.NewReader([]byte("else")), target}, false)
						return err
					case tt.when == "after" && op == "put" && time.Now().Before(w.began.Add(5*sparseTime+sparseTime/2+2*time.Second)):
						return subnet.ErrTemporary
					}
					return nil
				}
				v, miners, stop := sparseCrew(w, rules, 3)
				defer stop()
				w.sparseTo(6, sparseTime-2*blockTime)
				agree(t, append(miners, v)...)
				var reasons string
				for _, n := range append(miners, v) {
					at := slices.IndexFunc(n.all("refused"), func(e subnet.Event) bool { return attr(e, "object") == target && attr(e, "uid") == "3" })
					if at < 0 {
						t.Errorf("%s has not refused it", n.hotkey)
						continue
					}
					reasons += attr(n.all("refused")[at], "reason") + "\n"
				}
				// Who comes second sees but the other version.
				if !strings.Contains(reasons, tt.reason) {
					t.Errorf("it was refused for:\n%s", reasons)
				}
			})
		})
	}
}

// TestSparseVersions has miners of two versions in one subnet: they do not see one
// another.
func TestSparseVersions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newSparseWorld(t)
		v, miners, stop := sparseCrew(w, "sparse/20", 2)
		defer stop()
		other := w.addSparse("sparse-2.1.3/20", 0)
		defer other.play(mineSparse)()
		w.sparseTo(5, sparseTime-2*blockTime)
		if at := agree(t, append(miners, v)...); at.Step < 2 {
			t.Errorf("at step %d", at.Step)
		}
		for _, n := range append(miners, v) {
			if r := n.all("refused"); len(r) > 0 {
				t.Errorf("refused %v", r)
			}
		}
		if len(other.all("waiting")) == 0 || len(other.all("finished")) > 0 {
			t.Errorf("the other version takes part:\n%s", other.text())
		}
	})
}

// TestSparseRestarts ends a validator and a miner in the middle of a window, in the
// middle of what they do, and starts them again.
func TestSparseRestarts(t *testing.T) {
	for _, rules := range []string{"sparse/20", "adit/20"} {
		for _, when := range []time.Duration{0, 5 * time.Second, 14 * time.Second, 100 * time.Second, 230 * time.Second} {
			t.Run(fmt.Sprintf("%s/%v", rules, when), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newSparseWorld(t)
					v := w.addSparse(rules, 1000)
					w.addSparse(rules, 0)
					stopV := v.play(validateSparse)
					var miners []*testNeuron
					var stopM func() time.Duration
					for i := range 3 {
						n := w.addSparse(rules, 0)
						miners = append(miners, n)
						if stop := n.play(mineSparse); i == 0 {
							stopM = stop
						} else {
							defer stop()
						}
					}
					w.sparseTo(6, when)
					stopV()
					stopM()
					time.Sleep(3 * time.Second)
					defer v.play(validateSparse)()
					defer miners[0].play(mineSparse)()
					w.sparseTo(9, sparseTime-2*blockTime)
					at := agree(t, append(miners, v)...)
					if at.Step < 5 {
						t.Errorf("at step %d", at.Step)
					}
					seen := make(map[string]int)
					for _, e := range v.all("score") {
						seen[attr(e, "uid")+" in "+attr(e, "window")]++
					}
					for what, n := range seen {
						if n > 1 {
							t.Errorf("uid %s was scored %d times", what, n)
						}
					}
				})
			})
		}
	}
}
