package sim

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"adit/internal/protocol/templar"
)

// In the first windows of a run nothing goes wrong, then something does, and the last
// ones are calm again.
const (
	windowsCalm   = 4
	windowsFaulty = 10
)

// windowGenerations are what a seed may play, and who is a stranger there.
var windowGenerations = []struct{ rules, stranger string }{
	{"sparse/20", "sparse-2.1.3/20"}, {"adit/20", "sparse/20"}, {"slices/6", "r2/6"}, {"r2/6", "slices/6"},
}

// drawWindowNetwork returns the network of a seed.
func drawWindowNetwork(seed uint64) (WindowOptions, []Fault) {
	lots := rand.New(rand.NewPCG(seed, 7))
	g := windowGenerations[lots.IntN(len(windowGenerations))]
	o := WindowOptions{Rules: g.rules, Seed: seed, Miners: 5, Validators: 1 + lots.IntN(2), Crowded: -1}
	if lots.IntN(2) == 0 {
		o.Cheats = []string{templar.Cheats[lots.IntN(len(templar.Cheats))]}
	} else {
		o.Forgers = []string{WindowForgers[lots.IntN(len(WindowForgers))]}
	}
	if len(o.Forgers) > 0 && o.Forgers[0] == "duplicates" && !strings.HasPrefix(o.Rules, "sparse") {
		o.Forgers[0] = "huge" // only there are indices that one can write
	}
	if lots.IntN(4) == 0 {
		o.Strangers = []string{g.stranger}
	}
	if lots.IntN(4) == 0 {
		o.Crowded = lots.IntN(o.Validators + o.Miners)
	}
	r, err := templar.RulesByName(o.Rules)
	if err != nil {
		panic(err)
	}
	return o, drawWindows(lots, o, r, windowsCalm, windowsCalm+windowsFaulty)
}

// survive plays a network, and judges it.
func (s *WindowSurvival) survive(ctx context.Context, faulty templar.Window) WindowVerdict {
	ctx, cancel := context.WithCancel(ctx)
	over := make(chan struct{})
	go func() { s.Run(ctx); close(over) }()
	last := windowsCalm + faulty + 4
	time.Sleep(time.Duration(s.rules.Start(last)) * windowBlockTime)
	cancel()
	<-over
	return s.Judge(windowsCalm, last)
}

// keptWindowSeeds are those that found something, and a few others.
var keptWindowSeeds = []uint64{
	0, 1, 2, 3,
	11,  // an aggregate whose proofs came too late, and windows without one that were gathered again otherwise
	12,  // a miner that had lacked a gradient went on with a model of its own
	288, // an aggregate of another validator than the leader, who had merged nothing
	380, // a leader that was restarted forgot the list of peers that counted
	381, // a clock that was ten minutes behind
	449, // a leader that nobody believed for too long
	607, // a leader without room on its disk could not say what it had merged
}

// TestTemplarFaultySeeds plays networks of windows on which faults come that are drawn
// from a seed: no work is lost that was in time, all honest neurons have one model
// again soon, nothing is done twice, and no cheat is given more than the rules do.
func TestTemplarFaultySeeds(t *testing.T) {
	var mu sync.Mutex
	var sum WindowVerdict
	hits, drawn, played, cheats := map[Kind]int{}, map[Kind]int{}, map[string]int{}, map[string]int{}
	began := time.Now()
	list := seeds(t, keptWindowSeeds)
	t.Run("seeds", func(t *testing.T) {
		next := make(chan uint64, len(list))
		for _, seed := range list {
			next <- seed
		}
		close(next)
		for range runtime.GOMAXPROCS(0) {
			t.Run("some", func(t *testing.T) {
				t.Parallel()
				for seed := range next {
					t.Run(fmt.Sprint(seed), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							o, faults := drawWindowNetwork(seed)
							s, err := BraveWindows(o, faults)
							if err != nil {
								t.Fatal(err)
							}
							v := s.survive(t.Context(), windowsFaulty)
							mu.Lock()
							defer mu.Unlock()
							sum.add(v)
							played[o.Rules]++
							for _, c := range slices.Concat(o.Cheats, o.Forgers) {
								cheats[c]++
							}
							for _, r := range o.Strangers {
								cheats["stranger of "+r]++
							}
							if o.Crowded >= 0 {
								cheats["a million other objects"]++
							}
							for _, f := range faults {
								drawn[f.Kind]++
							}
							for k, n := range s.weather.hits {
								hits[k] += n
							}
							if len(v.Said) > 0 {
								t.Errorf("seed %d: %s, %d validators, %v %v:\n%s\n%v\n%v", seed, o.Rules, o.Validators, o.Cheats, o.Forgers, strings.Join(v.Said, "\n"), faults, s.weather.down)
							}
							if os.Getenv("FAULTY_LOG") != "" {
								for _, n := range s.Neurons {
									for _, e := range n.Log() {
										t.Log(n.Name, e.Block, e.Level, e.Kind, e.Text, e.Attrs)
									}
								}
							}
						})
					})
				}
			})
		}
	})
	t.Logf("%d seeds, %d windows with faults, in %v", len(list), len(list)*windowsFaulty, time.Since(began).Round(time.Second))
	for _, name := range slices.Sorted(maps.Keys(played)) {
		t.Logf("%8d networks of %s", played[name], name)
	}
	for _, k := range slices.Sorted(maps.Keys(drawn)) {
		t.Logf("%8d %s, met %d times", drawn[k], k, hits[k])
	}
	for _, c := range slices.Sorted(maps.Keys(cheats)) {
		t.Logf("%8d cheats: %s", cheats[c], c)
	}
	t.Logf("windows of honest miners: %d; expected %d, gathered %d, lost %d; models that had to be the network's %d, strayed %d; merged the same %d, parted %d; doubled %d; cheats weighed %d; roles that ended by themselves %d; crowded %d of %d listed",
		sum.Windows, sum.Expected, sum.Gathered, sum.Lost, sum.Held, sum.Strayed, sum.Paired, sum.Parted, sum.Doubled, sum.Weighed, sum.Exits, sum.Crowded, sum.Listed)
}

func (v *WindowVerdict) add(o WindowVerdict) {
	for _, x := range []struct {
		to   *int
		from int
	}{
		{&v.Windows, o.Windows}, {&v.Expected, o.Expected}, {&v.Gathered, o.Gathered}, {&v.Lost, o.Lost}, {&v.Held, o.Held}, {&v.Strayed, o.Strayed},
		{&v.Paired, o.Paired}, {&v.Parted, o.Parted}, {&v.Doubled, o.Doubled}, {&v.Weighed, o.Weighed}, {&v.Exits, o.Exits}, {&v.Listed, o.Listed}, {&v.Crowded, o.Crowded},
	} {
		*x.to += x.from
	}
}
