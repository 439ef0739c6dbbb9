package templar

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"adit/internal/safetensors"
)

// briefly are numbers with which the toy model learns in a few windows of gradients.
const briefly = `{"sequence_length": 16, "topk_compression": 512, "batch_size": 4, "target_batch_size": 8, "inner_steps": 3, "outer_learning_rate": 0.9, "checkpoint_frequency": 3,
	"windows_per_weights": 1, "validator_sample_micro_bs": 2, "sync_max_steps_behind": 3,
	"optimizer": {"adamw": {"learning_rate": 0.05, "scheduler": {"warmup_steps": 1, "t_max": 100000, "warmup_inner_steps": 0, "initial_warmup_inner_steps": 0, "replay_rewind_inner_steps": 0}}}}`

const (
	sparseBlocks = 20
	sparseTime   = sparseBlocks * blockTime
	sparseFirst  = Window(1000 / sparseBlocks)
)

// newSparseWorld has a data set of one shard, too.
func newSparseWorld(t *testing.T) *world {
	w := newWorld(t)
	w.hparams = briefly
	return w
}

// dataset is where all neurons have their text from.
func (w *world) dataset(r Rules) map[string]string {
	const samples, length = 64, 16
	account := strings.Repeat("d", 32)
	env := map[string]string{
		"R2_DATASET_ACCOUNT_ID": account, "R2_DATASET_BUCKET_NAME": account,
		"R2_DATASET_READ_ACCESS_KEY_ID": "k", "R2_DATASET_READ_SECRET_ACCESS_KEY": "s", EnvBinsPath: "tokenized/",
	}
	keys, err := DataSetStore.KeysFrom(env, false)
	if err != nil {
		w.t.Fatal(err)
	}
	tokens, ids := bytes.NewBuffer(NumpyHeader(4, samples*length)), bytes.NewBuffer(NumpyHeader(8, samples))
	for i := range samples {
		row := make([]uint32, length)
		for k := range row {
			row[k] = uint32(i*7+k) % 256
		}
		_ = binary.Write(tokens, binary.LittleEndian, row)
		_ = binary.Write(ids, binary.LittleEndian, SampleID(row))
	}
	b := w.buckets.Open(r.Address(keys, false))
	tokensKey, idsKey := Shard{}.Names("tokenized/", r.IDsSuffix)
	for key, data := range map[string][]byte{tokensKey: tokens.Bytes(), idsKey: ids.Bytes()} {
		if _, err := b.Put(w.t.Context(), key, blob{bytes.NewReader(data), key}, false); err != nil {
			w.t.Fatal(err)
		}
	}
	return env
}

// addSparse registers a neuron; validators have stake.
func (w *world) addSparse(rules string, stake uint64) *testNeuron {
	w.t.Helper()
	n := w.add(rules)
	n.cfg.ActualBatchSize, n.cfg.Save.EverySec = 2, 0
	r, err := n.cfg.ruleset()
	if err != nil {
		w.t.Fatal(err)
	}
	for k, v := range w.dataset(r) {
		n.secret[k] = v
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	own := &w.neurons[len(w.neurons)-1]
	own.Stake, own.Permit = stake*1e9, stake > 0
	return n
}

// sparseTo sleeps until so long after the beginning of the i-th window.
func (w *world) sparseTo(i int, after time.Duration) {
	time.Sleep(time.Until(w.began.Add(time.Duration(i)*sparseTime + after)))
	synctest.Wait()
}

// savedAt returns the model that a neuron has saved, and after which window.
func (n *testNeuron) savedAt() (map[string][]float32, sparseProgress) {
	n.t.Helper()
	var p sparseProgress
	e := (&neuron{}).Actor
	e.Env = n.env()
	if err := e.ReadJSON(savedDir+savedProgress, &p); err != nil {
		n.t.Fatalf("%s: %v\n%s", n.hotkey, err, n.text())
	}
	f, err := n.mem.Open(savedDir + savedModel)
	if err != nil {
		n.t.Fatal(err)
	}
	defer f.Close()
	d, _, err := safetensors.Read(f, f.Size(), 1<<20)
	if err != nil {
		n.t.Fatal(err)
	}
	values := make(map[string][]float32)
	for name, x := range d {
		if values[name], err = x.Floats(nil); err != nil {
			n.t.Fatal(err)
		}
	}
	return values, p
}

// agree checks that neurons have saved the same model after the same window.
func agree(t *testing.T, list ...*testNeuron) sparseProgress {
	t.Helper()
	want, at := list[0].savedAt()
	for _, n := range list[1:] {
		got, p := n.savedAt()
		if p.Window != at.Window || p.Step != at.Step {
			t.Errorf("%s is at window %d, step %d; %s at %d, %d", n.hotkey, p.Window, p.Step, list[0].hotkey, at.Window, at.Step)
			continue
		}
		for name := range want {
			if d := apart(want[name], got[name]); d != 0 {
				t.Errorf("%s of %s is %g from that of %s", name, n.hotkey, d, list[0].hotkey)
			}
		}
	}
	return at
}

// sparseCrew is a validator and some miners, all playing.
func sparseCrew(w *world, rules string, miners int) (v *testNeuron, list []*testNeuron, stop func()) {
	v = w.addSparse(rules, 1000)
	stops := []func() time.Duration{v.play(validateSparse)}
	w.addSparse(rules, 0) // uid 1 is who burns
	for range miners {
		n := w.addSparse(rules, 0)
		list = append(list, n)
		stops = append(stops, n.play(mineSparse))
	}
	return v, list, func() {
		for _, s := range stops {
			s()
		}
	}
}

// distance is the mean squared distance of a model from what all text has in common.
func distance(values map[string][]float32) float64 {
	sum, n := 0.0, 0.0
	for _, list := range values {
		for _, v := range list {
			sum += float64(v-1) * float64(v-1)
			n++
		}
	}
	return sum / n
}

func TestSparseNetwork(t *testing.T) {
	for _, rules := range []string{"sparse/20", "sparse-2.1.3/20", "adit/20"} {
		t.Run(rules, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newSparseWorld(t)
				v, miners, stop := sparseCrew(w, rules, 3)
				defer stop()
				w.sparseTo(13, sparseTime-2*blockTime)
				at := agree(t, append(miners, v)...)
				if at.Window != sparseFirst+12 || at.Step < 10 {
					t.Errorf("at window %d, step %d", at.Window, at.Step)
				}
				values, _ := v.savedAt()
				if d := distance(values); !(d < 0.7*0.81) {
					t.Errorf("the model is %g from what all text has in common, and began at 0.81:\n%s", d, miners[0].text())
				}
				if len(v.all("score")) == 0 {
					t.Errorf("nobody was scored:\n%s", v.text())
				}
				if len(v.all("weights-set")) < 9 {
					t.Errorf("weights %v:\n%s", w.weights[v.hotkey], v.text())
				}
				if rules == "adit/20" {
					if len(miners[0].all("aggregate")) < 4 {
						t.Errorf("%d aggregates were taken:\n%s", len(miners[0].all("aggregate")), miners[0].text())
					}
				}
				for _, n := range append(miners, v) {
					if r := n.all("refused"); len(r) > 0 {
						t.Errorf("%s refused %v", n.hotkey, r)
					}
				}
			})
		})
	}
}
