package sim

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"adit/internal/protocol/connito"
)

// faultyCycles is how many cycles of a seed have faults.
const faultyCycles = 10

// generationsDrawn are what a seed may play: the newest in half of all.
var generationsDrawn = []string{"g4", "g4", "g4", "g4", "g4", "g3", "g2", "g2-472", "g1", "g0"}

// drawNetwork returns the network of a seed.
func drawNetwork(seed uint64) (Options, []Fault) {
	lots := rand.New(rand.NewPCG(seed, 0))
	o := Options{Seed: seed, Groups: 1, Miners: 2, Validators: 1 + lots.IntN(2), BlockTime: 12 * time.Second, Owner: lots.IntN(4) == 0}
	name := generationsDrawn[lots.IntN(len(generationsDrawn))]
	if lots.IntN(4) == 0 { // which is what cheats by trade play
		name += "/120"
		o.Cheats = []string{connito.Cheats[lots.IntN(len(connito.Cheats))]}
	} else {
		o.Forgers = []string{Forgers[lots.IntN(len(Forgers))]}
	}
	if name == "g4/120" && lots.IntN(2) == 0 {
		name = "local"
	}
	var err error
	if o.Rules, err = connito.RulesByName(name); err != nil {
		panic(err)
	}
	if !o.Rules.ExactKeys && o.Forgers != nil && o.Forgers[0] == "missing" {
		o.Forgers = []string{"huge"} // what is missing there is the baseline's
	}
	return o, draw(lots, o, faultyCycles+1)
}

// survive plays a network in bad weather for so many cycles after the first, and
// judges it.
func survive(t *testing.T, o Options, faults []Fault, cycles int) (*Survival, Verdict) {
	t.Helper()
	s, err := Brave(o, faults)
	if err != nil {
		t.Fatal(err)
	}
	return s, s.survive(t.Context(), cycles)
}

// survive is the run, and what the judge says of it.
func (s *Survival) survive(ctx context.Context, cycles int) Verdict {
	o := s.opts
	ctx, cancel := context.WithCancel(ctx)
	over := make(chan struct{})
	go func() { s.Run(ctx); close(over) }()
	blocks := o.Rules.Schedule.Start(uint64(cycles)+1, connito.Train) + o.Rules.Schedule[connito.Train]/2
	time.Sleep(time.Duration(blocks) * o.BlockTime)
	v := s.Judge(cycles)
	cancel()
	<-over
	return v
}

// keptSeeds are those that found something, and a few others.
var keptSeeds = []uint64{
	1, 2, 3, 6,
	0, 4, 5, // an endpoint told of heads that were not there, and miners lived in later cycles
	13,     // a validator lost a round to a chain that could not be read for a moment
	19,     // and another to a full disk
	20, 24, // a Hub that was down for a moment kept a miner from its first commitment
	46,      // wrong bytes that came once were a miner's fault for good
	80,      // an endpoint that is behind: what was in a block already was sent again
	81, 207, // a reorganisation put a second commitment before the first was read
	113,      // a miner gave up before its window was over
	279,      // a validator forgot what it had accepted the address of when it was killed
	496, 674, // a copy was paid for what another had signed, and shown, and could not tell
	928, // a miner trained for a cycle on what was too old to submit anything of
}

// seeds returns which seeds to play: those that are kept, or as many as FAULTY_SEEDS says, or one
// alone, "=17".
func seeds(t *testing.T, kept []uint64) (list []uint64) {
	text := os.Getenv("FAULTY_SEEDS")
	if one, ok := strings.CutPrefix(text, "="); ok {
		n, err := strconv.ParseUint(one, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return []uint64{n}
	}
	if text == "" {
		return kept
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	for seed := range n {
		list = append(list, uint64(seed))
	}
	return list
}

// TestFaultySeeds plays networks on which faults come that are drawn from a seed: no
// submission is lost that the rules would still accept, no commitment is made twice,
// and no cheat is given weight.
func TestFaultySeeds(t *testing.T) {
	var mu sync.Mutex
	var sum Verdict
	hits, drawn, played, forged := map[Kind]int{}, map[Kind]int{}, map[string]int{}, map[string]int{}
	began := time.Now()
	list := seeds(t, keptSeeds)
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
							o, faults := drawNetwork(seed)
							s, v := survive(t, o, faults, faultyCycles)
							mu.Lock()
							defer mu.Unlock()
							sum.Cycles, sum.Expected, sum.Counted, sum.Lost = sum.Cycles+v.Cycles, sum.Expected+v.Expected, sum.Counted+v.Counted, sum.Lost+v.Lost
							sum.Doubled, sum.Weighed, sum.Exits = sum.Doubled+v.Doubled, sum.Weighed+v.Weighed, sum.Exits+v.Exits
							played[o.Rules.Name] += faultyCycles
							for _, c := range slices.Concat(o.Cheats, o.Forgers) {
								forged[c]++
							}
							for _, f := range faults {
								drawn[f.Kind]++
							}
							for k, n := range s.weather.hits {
								hits[k] += n
							}
							if len(v.Said) > 0 {
								t.Errorf("%s %v, %d validators:\n%s\n%v\n%v", o.Rules.Name, o.Rules.Schedule, o.Validators, strings.Join(v.Said, "\n"), faults, s.weather.down)
							}
							if os.Getenv("FAULTY_LOG") != "" {
								for _, n := range s.Neurons {
									for _, e := range n.Log() {
										if e.Level > 0 || os.Getenv("FAULTY_LOG") == "all" && e.Level >= 0 || e.Kind == "commit1" || e.Kind == "commit2" {
											t.Log(n.Name, e.Block, e.Kind, e.Text, e.Attrs)
										}
									}
								}
							}
						})
					})
				}
			})
		}
	})
	t.Logf("%d seeds, %d cycles, in %v", len(list), len(list)*faultyCycles, time.Since(began).Round(time.Second))
	for _, name := range slices.Sorted(maps.Keys(played)) {
		t.Logf("%8d cycles of %s", played[name], name)
	}
	for _, k := range slices.Sorted(maps.Keys(drawn)) {
		t.Logf("%8d %s, met %d times", drawn[k], k, hits[k])
	}
	for _, c := range slices.Sorted(maps.Keys(forged)) {
		t.Logf("%8d cheats: %s", forged[c], c)
	}
	t.Logf("submissions of honest miners: %d; expected %d, counted %d, lost %d; commitments doubled %d; cheats weighed %d; roles that ended by themselves %d",
		sum.Cycles, sum.Expected, sum.Counted, sum.Lost, sum.Doubled, sum.Weighed, sum.Exits)
}
