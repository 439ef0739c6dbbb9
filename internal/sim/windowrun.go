package sim

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"adit/internal/protocol/templar"
	"adit/internal/safetensors"
	"adit/internal/subnet"
)

// A WindowSurvival is a run of a network of windows in bad weather.
type WindowSurvival struct {
	*Windows
	*ordeal
	clock storeClock
	// states are those of all neurons at the end of each window.
	states map[templar.Window][]saved
	// tamper, if not nil, changes what a life may touch.
	tamper func(*Neuron, *subnet.Env)
}

// A saved is what a neuron had saved of its model at some time.
type saved struct {
	known  bool
	window templar.Window // the last that it has merged
	step   int64
	sum    [32]byte // of all values
	values map[string][]float32
}

// BraveWindows returns a network on which faults will come, before its time has
// begun.
func BraveWindows(o WindowOptions, faults []Fault) (*WindowSurvival, error) {
	n, err := NewWindows(o)
	if err != nil {
		return nil, err
	}
	s := &WindowSurvival{
		Windows: n, ordeal: newOrdeal(n.Chain, o.Seed, faults), clock: storeClock{make(map[string]time.Duration)},
		states: make(map[templar.Window][]saved),
	}
	for i, v := range n.Neurons {
		s.expose(i, v)
	}
	return s, nil
}

// Run runs the network until ctx is done: the miners two blocks after the validators.
func (s *WindowSurvival) Run(ctx context.Context) {
	var all sync.WaitGroup
	for i, v := range s.Neurons {
		role, _ := templar.Protocol.Role(v.Role)
		all.Go(func() {
			if v.Role != "validate" && v.chain.Wait(ctx, 3) != nil {
				return
			}
			s.lives(ctx, i, v, func(ctx context.Context, l *life) error { return role.Run(ctx, s.env(i, l)) })
		})
	}
	for i := range s.weather.faults {
		if f := &s.weather.faults[i]; f.Kind == Overwrite {
			all.Go(func() { s.overwrite(ctx, f) })
		}
	}
	all.Go(func() { s.look(ctx) })
	all.Wait()
}

// env is what a life of a neuron may touch.
func (s *WindowSurvival) env(i int, l *life) subnet.Env {
	v := s.Neurons[i]
	env := s.endured(s.services(i), v, l)
	env.Bucket = func(a subnet.BucketAddress) (subnet.Bucket, error) { return s.rough(a, l), nil }
	if v.Forger != "" {
		forgeWindows(&env, v.Forger, s.players[i].bucket)
	}
	if s.tamper != nil {
		s.tamper(v, &env)
	}
	return env
}

func (s *WindowSurvival) rough(a subnet.BucketAddress, l *life) roughBucket {
	return roughBucket{s.buckets.Open(a), s.Windows, s.owner(a.Name), l, &s.clock}
}

// overwrite puts something else in the place of the last object of a miner.
func (s *WindowSurvival) overwrite(ctx context.Context, f *Fault) {
	v, p := s.Neurons[f.Who], s.players[f.Who]
	if v.chain.Wait(ctx, f.From) != nil {
		return
	}
	w := s.rules.Window(f.From) - 1
	kind := templar.GradientObject
	if s.rules.Scheme == templar.SliceScheme {
		kind = templar.DeltaObject
	}
	key := s.object(f.Who, kind, w)
	list := s.versions(f.Who, key)
	if len(list) == 0 {
		return
	}
	at := subnet.BucketAddress{Endpoint: p.config.S3.Endpoint, Name: p.bucket}
	if a, ok := s.opened(f.Who); ok {
		at = a
	}
	b := roughBucket{s.buckets.Open(at), s.Windows, f.Who, newLife(f.Who, s.weather, nil, func(error) {}), &s.clock}
	data := overwriteBytes(list[len(list)-1].data)
	if _, err := b.put(ctx, key, namedFile{memoryFile{bytes.NewReader(data)}, key}, false); err == nil {
		s.weather.hit(Overwrite)
	}
}

// opened returns where a neuron's own bucket is.
func (s *WindowSurvival) opened(i int) (subnet.BucketAddress, bool) {
	p := s.players[i]
	if p.rules.Commitment == templar.BucketName {
		return p.rules.Address(templar.Keys{Account: p.bucket, Bucket: p.bucket}, true), true
	}
	k, err := templar.GradientStore.KeysFrom(p.env, true)
	if err != nil {
		return subnet.BucketAddress{}, false
	}
	return p.rules.Address(k, true), true
}

// object is the key of a neuron's object of a window.
func (s *Windows) object(i int, kind templar.Kind, w templar.Window) string {
	return templar.Name{Kind: kind, Window: w, UID: s.uid(i), Hotkey: s.Neurons[i].Hotkey, Version: s.rules.Version}.String()
}

// uid is a neuron's: that of the subnet's owner is 0.
func (s *Windows) uid(i int) subnet.UID { return subnet.UID(i + 1) }

// look writes down what everybody has shortly before each window ends.
func (s *WindowSurvival) look(ctx context.Context) {
	c := s.Neurons[0].chain
	for w := templar.Window(0); ; w++ {
		if c.Wait(ctx, s.rules.Start(w+1)-1) != nil {
			return
		}
		if sleep(ctx, windowBlockTime*3/4) != nil {
			return
		}
		states := make([]saved, len(s.Neurons))
		for i, v := range s.Neurons {
			states[i] = readSaved(v)
		}
		s.ordeal.mu.Lock()
		s.states[w] = states
		s.ordeal.mu.Unlock()
	}
}

// readSaved reads what a neuron has saved.
func readSaved(v *Neuron) (out saved) {
	var p struct {
		Step   int64          `json:"step"`
		Global int64          `json:"global_step"`
		Window templar.Window `json:"window"`
		Merged templar.Window `json:"merged"`
	}
	f, err := v.Memory.Open("saved/progress.json")
	if err != nil {
		return out
	}
	data := make([]byte, f.Size())
	_, _ = f.ReadAt(data, 0)
	if json.Unmarshal(data, &p) != nil {
		return out
	}
	m, err := v.Memory.Open("saved/model.safetensors")
	if err != nil {
		return out
	}
	d, _, err := safetensors.Read(m, m.Size(), maxFile)
	if err != nil {
		return out
	}
	out = saved{known: true, window: p.Window, step: max(p.Step, p.Global), values: make(map[string][]float32)}
	h := sha256.New()
	for _, param := range windowParams {
		x := d[param.Name]
		h.Write(x.Data)
		if out.values[param.Name], err = x.Floats(nil); err != nil {
			return saved{}
		}
	}
	out.sum = [32]byte(h.Sum(nil))
	return out
}

// at returns what was saved at the places of a window.
func (s saved) at(w templar.Window, compression int) []float32 {
	x, err := templar.DrawIndices(w, windowParams, compression)
	if err != nil {
		panic(fmt.Sprint("places of a window: ", err)) // those of the table
	}
	slice, err := x.Take(func(name string) []float32 { return s.values[name] })
	if err != nil {
		return nil
	}
	var all []float32
	for _, p := range slice {
		all = append(all, p.Values...)
	}
	return all
}

// honest lists the neurons that keep the rules of this network's version.
func (s *Windows) honest(role string) (list []int) {
	for i, v := range s.Neurons {
		if v.Cheat == "" && v.Forger == "" && s.players[i].config.Rules == s.opts.Rules && (role == "" || v.Role == role) {
			list = append(list, i)
		}
	}
	return slices.Clip(list)
}
