package templar

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"adit/internal/subnet"
)

// quickly are numbers with which the toy model learns in a few windows.
const quickly = `{"window_length": 4, "sequence_length": 32, "learning_rate": 0.01, "eta_min": 0.001, "compression": 10, "validator_moving_alpha": 0.5,
	"num_warmup_steps": 2, "num_stable_steps": 100000, "num_decay_steps": 10}`

// cosineSchedule is the same with the schedule of the first generation.
const cosineSchedule = `{"window_length": 4, "sequence_length": 32, "learning_rate": 0.01, "eta_min": 0.001, "compression": 10, "validator_moving_alpha": 0.5}`

const windowTime = 4 * blockTime

// crew starts miners one after another.
func crew(w *world, rules string, miners int) (list []*testNeuron, stop func()) {
	var stops []func() time.Duration
	for range miners {
		n := w.add(rules)
		list = append(list, n)
		stops = append(stops, n.play(mineSlices))
	}
	return list, func() {
		for _, s := range stops {
			s()
		}
	}
}

// sleepTo waits for so long after the beginning of the i-th window.
func (w *world) sleepTo(i int, after time.Duration) {
	time.Sleep(time.Until(w.began.Add(time.Duration(i)*windowTime + after)))
	synctest.Wait()
}

// first is the window that a world begins in.
const first Window = 250

// at returns a model's values at the places of a window.
func (n *testNeuron) at(w Window) []float32 {
	x, err := DrawIndices(w, toyParams, 10)
	if err != nil {
		n.t.Fatal(err)
	}
	slice, err := x.Take(n.values)
	if err != nil {
		n.t.Fatal(err)
	}
	return flat(slice)
}

func flat(slice []SliceValues) (all []float32) {
	for _, p := range slice {
		all = append(all, p.Values...)
	}
	return all
}

// apart is the greatest difference of two lists.
func apart(a, b []float32) (d float64) {
	if len(a) != len(b) {
		return math.Inf(1)
	}
	for i := range a {
		d = max(d, math.Abs(float64(a[i]-b[i])))
	}
	return d
}

const same = 1e-6

// What was merged is the same for all, and what was not is each miner's own.
func TestSlicesAgree(t *testing.T) {
	for _, rules := range []string{"slices", "r2"} {
		t.Run(rules, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.hparams = quickly
				miners, stop := crew(w, rules, 3)
				defer stop()
				for i := 3; i < 8; i++ {
					w.sleepTo(i, 3*blockTime)
					now := first + Window(i)
					for _, m := range miners[1:] {
						if d := apart(miners[0].at(now-1), m.at(now-1)); d > same {
							t.Errorf("window %d: what was merged differs by %g", now, d)
						}
						if d := apart(miners[0].at(now+9), m.at(now+9)); d < same {
							t.Errorf("window %d: nothing differs", now)
						}
					}
					// The state of the next window is what the model has there.
					if d := apart(miners[0].at(now+1), flat(miners[0].slice(StateObject, now+1))); d > 0 {
						t.Errorf("window %d: the state is off by %g", now, d)
					}
				}
				for _, kind := range []string{"states", "deltas"} {
					events := miners[1].all(kind)
					if last := events[len(events)-1]; attr(last, "files") != "3" {
						t.Errorf("%s: %s", kind, last.Text)
					}
				}
			})
		})
	}
}

// The order of a window is the guide's.
func TestMinersLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.hparams = cosineSchedule
		miners, stop := crew(w, "slices", 1)
		w.sleepTo(1, 3*blockTime)
		stop()
		got := miners[0].text()
		got = got[strings.Index(got, "window=251"):]
		for _, line := range []string{
			"Step: 2", "251 (0.00s): Downloaded 1 window states.", "251 (0.00s): Download 1 window deltas.", "251 (0.00s): Applied window state.",
			"251 (0.00s): Downloaded training page: [b:618 b:1887 a:702] random = False", "Accumulated gradients:", "Total steps: 6/6, Rate: 1.0000, Target: 1.0000",
			"Total tokens: ", "Loss: 0.", "Uploaded the delta.", "Applied window delta.", "Uploaded the state.", "Cleaned file history.", "[+48.00s]: Finished step.",
		} {
			_, rest, ok := strings.Cut(got, line)
			if !ok {
				t.Fatalf("%q does not follow in:\n%s", line, got)
			}
			got = rest
		}
	})
}

// A slice that is not what it should be is refused, with the uid and the reason, by
// miners and validators, and spoils nobody's model.
func TestSlicesRefused(t *testing.T) {
	for _, tt := range []struct{ cheat, reason string }{
		{cheatNaN, "is not finite"},
		{cheatShape, "values of a.weight, want"},
	} {
		t.Run(tt.cheat, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.hparams = quickly
				cheat := w.add("slices") // uid 0
				cheat.cfg.Cheat = tt.cheat
				cheat.cfg.Subtensor.Network = "local"
				defer cheat.play(mineSlices)()
				validator := w.add("slices")
				defer validator.play(validateSlices)()
				miners, stop := crew(w, "slices", 2)
				defer stop()
				w.sleepTo(6, 3*blockTime)
				for _, n := range append(miners, validator) {
					list := n.all("refused")
					if len(list) < 2 {
						t.Fatalf("%d were refused", len(list))
					}
					for _, e := range list {
						if attr(e, "uid") != "0" || !strings.Contains(attr(e, "reason"), tt.reason) {
							t.Errorf("refused %s", e.Text)
						}
					}
					for _, v := range n.values("a.weight") {
						if math.IsNaN(float64(v)) {
							t.Fatal("the model is spoilt")
						}
					}
				}
				for _, e := range validator.all("score") {
					if attr(e, "uid") == "0" {
						t.Errorf("scored %s", e.Text)
					}
				}
			})
		})
	}
}

// Who is not registered as the owner of a bucket is not read: a slice in another's
// name is none.
func TestSliceOfAnotherName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.hparams = quickly
		thief := w.add("slices")
		miners, stop := crew(w, "slices", 2)
		defer stop()
		var b bytes.Buffer
		x, err := DrawIndices(first+2, toyParams, 10)
		if err != nil {
			t.Fatal(err)
		}
		slice, err := x.Take(func(string) []float32 { return make([]float32, 2000) })
		if err != nil {
			t.Fatal(err)
		}
		if err := EncodeSlice(&b, SliceFile{Values: slice}); err != nil {
			t.Fatal(err)
		}
		name := Name{Kind: StateObject, Window: first + 2, Hotkey: miners[1].hotkey}.String()
		bucket := w.buckets.Open(subnet.BucketAddress{Name: thief.cfg.Bucket, Region: "us-east-1"})
		if _, err := bucket.Put(t.Context(), name, blob{bytes.NewReader(b.Bytes()), name}, false); err != nil {
			t.Fatal(err)
		}
		if _, err := (&testChain{w, thief.hotkey}).Commit(t.Context(), thief.cfg.Bucket); err != nil {
			t.Fatal(err)
		}
		w.sleepTo(2, 3*blockTime)
		events := miners[0].all("states")
		if last := events[len(events)-1]; attr(last, "files") != "2" {
			t.Error(last.Text)
		}
	})
}

// A late joiner has, of what the states of the last windows hold, what the network
// has, and says how much that is.
func TestSyncState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.hparams = quickly
		miners, stop := crew(w, "slices", 2)
		defer stop()
		w.sleepTo(12, 2*blockTime)
		late := w.add("slices")
		late.cfg.SyncState = true
		defer late.play(mineSlices)()
		w.sleepTo(14, 3*blockTime)
		e := late.all("sync")
		if len(e) != 1 || attr(e[0], "windows") != "10" || !strings.Contains(e[0].Text, "65.1% of the model") { // 1−0.9^10
			t.Fatalf("synced: %v", e)
		}
		if d := apart(late.at(first+13), miners[0].at(first+13)); d > same {
			t.Errorf("after two windows what was merged differs by %g", d)
		}
	})
}

// Of two states with the same place, the newer one stays.
func TestSyncStateOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.hparams = quickly
		n := w.add("slices")
		env := n.env()
		node, err := newNeuron(env)
		if err != nil {
			t.Fatal(err)
		}
		l, err := node.newLearner(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range []float32{0.2, 0.3} {
			x, err := l.indices(first - 1 + Window(i))
			if err != nil {
				t.Fatal(err)
			}
			slice, err := l.take(x)
			if err != nil {
				t.Fatal(err)
			}
			spoil(slice, func(float32) float32 { return v })
			if err := l.upload(t.Context(), StateObject, first-1+Window(i), SliceFile{Values: slice}); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.syncState(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		older := 0
		for _, v := range n.at(first - 1) {
			if v == 0.2 {
				older++
			} else if v != 0.3 {
				t.Fatalf("a value of %g", v)
			}
		}
		if older == 0 {
			t.Error("nothing of the older state stayed")
		}
		for _, v := range n.at(first) {
			if v != 0.3 {
				t.Fatalf("the newer state has %g", v)
			}
		}
	})
}

// A neuron of r2 takes the checkpoint of the validator with the most stake, and its
// step; one that is not whole changes nothing.
func TestCheckpointOfR2(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.hparams = quickly
		open := func(n *testNeuron) *learner {
			node, err := newNeuron(n.env())
			if err != nil {
				t.Fatal(err)
			}
			l, err := node.newLearner(t.Context(), 1)
			if err != nil {
				t.Fatal(err)
			}
			return l
		}
		v := w.add("r2")
		w.neurons[0].Permit = true
		giver := open(v)
		taker := w.add("r2")
		for i := range v.engine.model.values["b.weight"] {
			v.engine.model.values["b.weight"][i] = float32(i)
		}
		giver.Step = 777
		for i := range 5 {
			if err := giver.saveCheckpoint(t.Context(), subnet.Block(1000+i), []float32{1, 2}, []float32{0, 1}); err != nil {
				t.Fatal(err)
			}
		}
		if list, err := giver.checkpointsOf(t.Context(), giver.own, giver.Me); err != nil || len(list) != 3 || list[0].Block != 1004 {
			t.Errorf("checkpoints %v, %v", list, err)
		}
		l := open(taker)
		if err := l.loadCheckpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
		if l.Step != 777 || taker.engine.model.values["b.weight"][299] != 299 {
			t.Errorf("step %d, value %g", l.Step, taker.engine.model.values["b.weight"][299])
		}

		v.engine.model.values["a.weight"][0] = 5
		v.engine.model.values["b.weight"][299] = float32(math.Inf(1))
		if err := giver.saveCheckpoint(t.Context(), 2000, nil, nil); err != nil {
			t.Fatal(err)
		}
		if err := l.loadCheckpoint(t.Context()); err == nil || !strings.Contains(err.Error(), "not finite") {
			t.Errorf("loaded a checkpoint that is not finite: %v", err)
		}
		if got := taker.engine.model.values["a.weight"][0]; got == 5 {
			t.Error("half of a checkpoint was taken")
		}
		if e := taker.all("refused"); len(e) != 1 || attr(e[0], "uid") != "0" {
			t.Errorf("refused %v", e)
		}
	})
}

// Alone, a miner touches no bucket.
func TestBaseline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.hparams = quickly
		n := w.add("slices")
		n.cfg.Baseline = true
		w.buckets.Fault = func(op string, _ subnet.BucketAddress, key string) error {
			t.Errorf("%s %s", op, key)
			return nil
		}
		stop := n.play(mineSlices)
		w.sleepTo(2, 0)
		stop()
		if len(n.all("finished")) < 4 { // of 12 seconds each, without waiting for windows
			t.Errorf("finished %d steps", len(n.all("finished")))
		}
		if len(w.commitments) > 0 {
			t.Error("it committed to its bucket")
		}
	})
}

// Validators give weight to who learns, and less to who sends noise.
func TestSliceWeights(t *testing.T) {
	for _, rules := range []string{"slices", "r2"} {
		t.Run(rules, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.hparams = quickly
				noisy := w.add(rules)
				noisy.cfg.Cheat, noisy.cfg.Subtensor.Network = cheatNoise, "local"
				defer noisy.play(mineSlices)()
				validator := w.add(rules)
				stop := validator.play(validateSlices)
				_, end := crew(w, rules, 2)
				defer end()
				w.sleepTo(110, 0)
				stop()
				got := make(map[subnet.UID]float64)
				for _, v := range w.weights[validator.hotkey] {
					got[v.UID] = v.Value
				}
				if got[2] < 2*got[0] || got[3] < 2*got[0] || got[1] != 0 {
					t.Errorf("weights %v", got)
				}
				for _, e := range validator.all("score") {
					if attr(e, "reason") == "" || attr(e, "uid") == "" {
						t.Errorf("a score without a reason: %v", e)
					}
				}
			})
		})
	}
}

// Who uploads what another miner has uploaded before earns nothing.
func TestCopies(t *testing.T) {
	for _, rules := range []string{"slices", "r2"} {
		t.Run(rules, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.hparams = quickly
				w.buckets.Fault = func(op string, _ subnet.BucketAddress, _ string) error {
					if op == "put" { // which takes time, so that nobody can copy at once
						time.Sleep(time.Second)
					}
					return nil
				}
				thief := w.add(rules)
				thief.cfg.Cheat, thief.cfg.Subtensor.Network = cheatCopy, "local"
				defer thief.play(mineSlices)()
				validator := w.add(rules)
				stop := validator.play(validateSlices)
				_, end := crew(w, rules, 2)
				defer end()
				w.sleepTo(20, 0)
				stop()
				caught := 0
				for _, e := range validator.all("score") {
					if attr(e, "uid") == "0" && strings.Contains(attr(e, "reason"), "had uploaded before") {
						caught++
					} else if attr(e, "uid") == "0" || strings.Contains(attr(e, "reason"), "had uploaded") {
						t.Error(e.Text)
					}
				}
				if caught == 0 {
					t.Errorf("the copier was never caught:\n%s", validator.text())
				}
			})
		})
	}
}

func TestUnregistered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.hparams = quickly
		n := w.add("slices")
		w.neurons = nil
		for _, role := range []string{"mine", "validate"} {
			run := mineSlices
			if role == "validate" {
				run = validateSlices
			}
			if err := run(t.Context(), n.env()); !errors.Is(err, errUnregistered) || subnet.Hint(err) == "" {
				t.Errorf("%s: %v", role, err)
			}
		}
	})
}

// Old objects of one's own are removed, and nobody else's.
func TestRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.hparams = quickly
		n, other := w.add("slices"), w.add("slices")
		bucket := w.buckets.Open(subnet.BucketAddress{Name: n.cfg.Bucket, Region: "us-east-1"})
		foreign := Name{Kind: DeltaObject, Window: 1, Hotkey: other.hotkey}.String()
		old := Name{Kind: DeltaObject, Window: 7, Hotkey: n.hotkey}.String()
		for _, key := range []string{foreign, old, "delta-of-somebody", "notes.txt"} {
			if _, err := bucket.Put(t.Context(), key, blob{bytes.NewReader([]byte("x")), key}, false); err != nil {
				t.Fatal(err)
			}
		}
		stop := n.play(mineSlices)
		w.sleepTo(14, 3*blockTime)
		stop()
		list, err := bucket.List(t.Context(), "", "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		for _, o := range list {
			keys = append(keys, o.Key)
			if name, err := ParseName(o.Key); err == nil && name.Hotkey == n.hotkey && name.Window < first+14-10 {
				t.Errorf("%s is there still", o.Key)
			}
		}
		if all := strings.Join(keys, " "); !strings.Contains(all, foreign) || !strings.Contains(all, "delta-of-somebody") || !strings.Contains(all, "notes.txt") {
			t.Errorf("something of others was removed: %s", all)
		}
	})
}

// The pace leaves time for what comes after the training.
func TestPace(t *testing.T) {
	var p pace
	at := time.Unix(0, 0)
	if p.over(at.Add(time.Hour)) {
		t.Error("over before anything is known")
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 10 {
		p.begin(Window(i), at)
		p.end(8 * time.Second)
		at = at.Add(40*time.Second + time.Duration(random.IntN(1000))*time.Millisecond)
	}
	p.begin(10, at)
	if p.over(at.Add(25*time.Second)) || !p.over(at.Add(31*time.Second)) {
		t.Error(fmt.Sprint("the pace is off: ", p))
	}
}
