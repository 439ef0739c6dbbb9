package sim

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"adit/internal/journal"
	"adit/internal/protocol/connito"
	"adit/internal/subnet"
)

// TestJudge shows the judge what it must not let pass: miners that forget what they
// have sent, or give up where they should not, roles that end, and a cheat that is
// paid. The same weather costs honest ones nothing.
func TestJudge(t *testing.T) {
	s := connito.G4.Schedule
	at := func(cycle uint64, p connito.Phase) subnet.Block { return s.Start(cycle, p) }
	var kills, refusals, cuts []Fault
	for cycle := uint64(1); cycle <= 3; cycle++ {
		for op := range 8 {
			kills = append(kills, Fault{Kind: KillAct, Who: 1, From: at(cycle, connito.MinerCommit1) + subnet.Block(op)/4, To: at(cycle, connito.MinerCommit1) + subnet.Block(op)/4, Op: op})
		}
		refusals = append(refusals, Fault{Kind: Hub500, Who: 1, From: at(cycle, connito.MinerCommit1), To: at(cycle, connito.MinerCommit1) + 8})
		cuts = append(cuts, Fault{Kind: ChainDown, Who: 1, From: at(cycle, connito.Train), To: at(cycle, connito.Train) + 50})
	}
	for _, tt := range []struct {
		name   string
		faults []Fault
		tamper func(*Survival) func(*Neuron, *subnet.Env)
		bad    func(Verdict) int
	}{
		{"forgets", kills, func(*Survival) func(*Neuron, *subnet.Env) {
			return func(v *Neuron, env *subnet.Env) {
				if v.Role == "mine" {
					env.Journal, env.Chain = journal.NewMem(), blind{env.Chain}
				}
			}
		}, func(v Verdict) int { return v.Doubled }},
		{"gives up", refusals, func(*Survival) func(*Neuron, *subnet.Env) {
			return func(v *Neuron, env *subnet.Env) {
				open := env.Open
				var gone error
				env.Open = func(url string) (subnet.Store, error) {
					store, err := open(url)
					return resigned{store, &gone}, err
				}
			}
		}, func(v Verdict) int { return v.Lost }},
		{"is paid", nil, func(s *Survival) func(*Neuron, *subnet.Env) {
			s.Neurons[2].Forger = "none" // who does all as it should be
			return nil
		}, func(v Verdict) int { return v.Weighed }},
		{"ends", cuts, func(s *Survival) func(*Neuron, *subnet.Env) {
			return func(v *Neuron, env *subnet.Env) { env.Chain = fragile{env.Chain} }
		}, func(v Verdict) int { return v.Lost + v.Exits }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := Options{Rules: connito.G4, Seed: 3, Groups: 1, Miners: 2, Validators: 1, BlockTime: 12 * time.Second}
			for _, honest := range []bool{true, false} {
				synctest.Test(t, func(t *testing.T) {
					s, err := Brave(o, tt.faults)
					if err != nil {
						t.Fatal(err)
					}
					if !honest {
						s.tamper = tt.tamper(s)
					}
					v := s.survive(t.Context(), 5)
					if v.Expected < 4 {
						t.Errorf("honest %v: expected %d submissions", honest, v.Expected)
					}
					if honest && len(v.Said) > 0 {
						t.Errorf("honest, and yet %v", v.Said)
					}
					if !honest && tt.bad(v) == 0 {
						t.Errorf("the judge let it pass: %+v", v)
					}
				})
			}
		})
	}
}

// A resigned store never works again once it has failed.
type resigned struct {
	subnet.Store
	gone *error
}

func (r resigned) Stage(ctx context.Context, path string, f subnet.File) error {
	if *r.gone == nil {
		*r.gone = r.Store.Stage(ctx, path, f)
	}
	return *r.gone
}

// A blind neuron does not see what it has committed to last.
type blind struct{ subnet.Chain }

func (c blind) Commitments(ctx context.Context, at subnet.Block) ([]subnet.Commitment, error) {
	if at == subnet.Latest {
		return nil, nil
	}
	return c.Chain.Commitments(ctx, at)
}

// A fragile chain stops telling of blocks when it was cut off.
type fragile struct{ subnet.Chain }

func (c fragile) Wait(ctx context.Context, b subnet.Block) error {
	if err := c.Chain.Wait(ctx, b); err != nil {
		return err
	}
	rough := c.Chain.(roughChain)
	for _, f := range rough.life.faults.faults {
		if f.Kind == ChainDown && f.Who == rough.life.who && rough.now() > f.From {
			<-ctx.Done()
			return ctx.Err()
		}
	}
	return nil
}
