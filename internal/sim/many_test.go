package sim

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"adit/internal/protocol/connito"
)

// TestManyValidators plays networks of two to four validators by the rules of each
// kind of generation: all set weights, and where baselines are merged all have the
// same in the end.
func TestManyValidators(t *testing.T) {
	for _, name := range []string{"local", "g2/120", "g3/120", "g4/120"} {
		for validators := 2; validators <= 4; validators++ {
			t.Run(fmt.Sprintf("%s/%d", name, validators), func(t *testing.T) {
				t.Parallel()
				rules, err := connito.RulesByName(name)
				if err != nil {
					t.Fatal(err)
				}
				synctest.Test(t, func(t *testing.T) {
					const cycles = 7
					n := simulate(t, Options{Rules: rules, Groups: 1, Miners: 6, Validators: validators, BlockTime: 12 * time.Second}, cycles)
					first := n.Neurons[0]
					for _, v := range n.Neurons[:validators] {
						if v.Count("weights") < cycles-4 || v.Count("lost") > 0 {
							t.Errorf("%s set weights %d times; lost %v", v.Name, v.Count("weights"), said(v, "lost"))
						}
						if rules.Baseline != connito.MergedBaseline {
							continue
						}
						at := rules.Schedule.End(cycles-1, connito.ValidatorCommit2)
						if a, b := hashAt(t, n, first, at), hashAt(t, n, v, at); a == "" || a != b {
							t.Errorf("%s has the baseline %q, and %s %q", v.Name, b, first.Name, a)
						}
					}
					earns(t, n, 3)
					improves(t, n)
				})
			})
		}
	}
}
