package sim

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"adit/internal/ledger"
	"adit/internal/protocol/templar"
	"adit/internal/subnet"
)

// weighed counts the weights of cheats: any, of those whose work no rule takes, and
// of the others those that are above what every honest miner has.
func (j *windowJudge) weighed() {
	for _, in := range j.Chain.included {
		call, ok := in.sent.call.(*ledger.SetWeights)
		if !ok {
			continue
		}
		weights := make(map[subnet.UID]uint16)
		for x, uid := range call.Dests {
			weights[subnet.UID(uid)] = call.Weights[x]
		}
		most := uint16(0)
		for _, i := range j.honest("mine") {
			most = max(most, weights[j.uid(i)])
		}
		for i, v := range j.Neurons {
			got := weights[j.uid(i)]
			stranger := j.players[i].config.Rules != j.opts.Rules
			cheat := v.Cheat != "" || v.Forger != ""
			switch {
			case got == 0 || !cheat && !stranger:
			case stranger || refusedByRules(j.rules, v):
				j.v.Weighed++
				j.say("weighed: %s in block %d with %d", v.Name, in.block, got)
			case j.weighedByRules(in.block, v) && got > most:
				j.v.Weighed++
				j.say("weighed: %s in block %d with %d, and the best honest miner with %d", v.Name, in.block, got, most)
			}
		}
	}
}

// weighedByRules says whether the rules tell a cheat from an honest miner. Noise they
// do once scores have had some windows. A copy of a slice costs its miner what it has
// earned when a validator happens to look at it; one of a gradient nothing before step
// 20 of a run. And who has trained and lost a bit on the way is no cheat to a rule
// that has no seals.
func (j *windowJudge) weighedByRules(b subnet.Block, v *Neuron) bool {
	return v.Forger != "flipped" && v.Cheat != "copy" && (v.Cheat != "noise" || j.rules.Window(b) >= 8)
}

// doubled counts commitments to the same bucket that were not needed, weights that
// were set twice, gradients that were uploaded in two versions in the time for
// uploads, and miners that were scored twice for one window.
func (j *windowJudge) doubled(first, last templar.Window) {
	double := func(format string, args ...any) {
		j.v.Doubled++
		j.say("doubled: "+format, args...)
	}
	said := make(map[string]subnet.Block)
	set := make(map[string]subnet.Block)
	for _, in := range j.Chain.included {
		i := slices.IndexFunc(j.Neurons, func(v *Neuron) bool { return v.Hotkey == address(in.sent.who) })
		if i < 0 || in.block == 0 {
			continue
		}
		name := j.Neurons[i].Name
		if fields, ok := commitment(in); ok {
			if before, twice := said[name+fields]; twice && calm(j.own, i, before, in.block) && calm(j.unsure, i, before, in.block) {
				double("%s committed to its bucket in blocks %d and %d", name, before, in.block)
			}
			said[name+fields] = in.block
		}
		if _, ok := in.sent.call.(*ledger.SetWeights); ok && j.rules.Scheme == templar.GradientScheme {
			key := fmt.Sprintf("%s %d %v", name, j.rules.Window(in.block-1), in.sent.call)
			if before, twice := set[key]; twice && j.undisturbed(before-min(before, 2*j.rules.WindowBlocks()), in.block) && calm(j.unsure, i, before, in.block) {
				double("%s set weights in blocks %d and %d", name, before, in.block)
			}
			set[key] = in.block
		}
	}
	for _, i := range j.honest("validate") {
		scored := make(map[string]subnet.Block)
		for _, e := range j.Neurons[i].Log() {
			if e.Kind != "score" || j.rules.Scheme != templar.GradientScheme {
				continue
			}
			var key []string
			for _, a := range e.Attrs {
				if a.Key == "uid" || a.Key == "window" {
					key = append(key, a.String())
				}
			}
			k := strings.Join(key, " ")
			// Who is killed before it has written a score down makes it again.
			if before, twice := scored[k]; twice && calm(j.own, i, before, e.Block) {
				double("%s scored %s twice", j.Neurons[i].Name, k)
			}
			scored[k] = e.Block
		}
	}
	if j.rules.Scheme != templar.GradientScheme {
		return
	}
	for _, i := range j.honest("mine") {
		for w := first; w < last; w++ {
			var versions []upload
			from, _ := j.merging(w)
			for _, u := range j.versions(i, j.object(i, templar.GradientObject, w)) {
				if u.at >= from && u.at <= from+j.span() && !j.overwritten(i, u) {
					versions = append(versions, u)
				}
			}
			for k := 1; k < len(versions); k++ {
				if !bytes.Equal(versions[0].data, versions[k].data) {
					double("%s uploaded two gradients of window %d", j.Neurons[i].Name, w)
					break
				}
			}
		}
	}
}

// undisturbed says whether nothing at all went wrong, so that nobody had two windows to
// judge in one.
func (j *windowJudge) undisturbed(from, to subnet.Block) bool {
	for i := range j.Neurons {
		if !calm(j.own, i, from, to) || !calm(j.store, i, from, to) {
			return false
		}
	}
	return true
}

// overwritten says whether an upload was the weather's.
func (j *windowJudge) overwritten(i int, u upload) bool {
	return slices.ContainsFunc(j.weather.faults, func(f Fault) bool { return f.Kind == Overwrite && f.Who == i && f.From == u.at })
}
