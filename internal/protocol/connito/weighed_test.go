package connito

import (
	"context"
	"testing"

	"adit/internal/protocol/actor"
	"adit/internal/subnet"
)

// A weighedChain knows when a validator set weights last.
type weighedChain struct {
	subnet.Chain
	neuron subnet.Neuron
	sets   int
}

func (c *weighedChain) Metagraph(context.Context, subnet.Block) (*subnet.Metagraph, error) {
	return &subnet.Metagraph{Neurons: []subnet.Neuron{c.neuron}}, nil
}

func (c *weighedChain) SetWeights(context.Context, []subnet.Weight) (subnet.Block, error) {
	c.sets++
	return 0, nil
}

func (c *weighedChain) Wait(ctx context.Context, _ subnet.Block) error {
	<-ctx.Done()
	return ctx.Err()
}

// An emptyJournal remembers nothing, as if nothing had come of what was intended.
type emptyJournal struct{ subnet.Journal }

func (emptyJournal) Intend(_, payload string) (string, error) { return payload, nil }
func (emptyJournal) Done(string, string) error                { return nil }

// TestWeightsAreSetOnce asks the chain before weights are sent: a validator that was
// killed when it had just sent them does not know.
func TestWeightsAreSetOnce(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name                string
		rules               Rules
		cycle               uint64
		updated, registered subnet.Block
		want                int
	}{
		{"never set", Local, 5, 0, 0, 1},
		{"of the cycle before", Local, 5, Local.Schedule.Start(5, Submission) - 1, 1, 1},
		{"of this cycle", Local, 5, Local.Schedule.Start(5, Submission), 1, 0},
		{"registered in this cycle, and never set", Local, 5, Local.Schedule.Start(5, Submission), Local.Schedule.Start(5, Submission), 1},
		{"late weights of the round before", G3, 5, G3.Schedule.Start(5, MinerCommit1) - 16, 1, 1},
		{"late weights", G3, 5, G3.Schedule.Start(5, MinerCommit1) - 15, 1, 0},
		{"late weights in a network's first cycle", G3, 0, 0, 0, 1},
	} {
		chain := &weighedChain{neuron: subnet.Neuron{Hotkey: "me", LastUpdate: tt.updated, RegisteredAt: tt.registered}}
		v := &validator{neuron: &neuron{
			Actor: actor.Actor{Env: subnet.Env{Chain: chain, Journal: emptyJournal{}, Emit: func(subnet.Event) {}}, Me: "me"}, rules: tt.rules}}
		v.submitWeights(t.Context(), tt.cycle, []subnet.Weight{{UID: 1, Value: 1}})
		if chain.sets != tt.want {
			t.Errorf("%s: set %d times, want %d", tt.name, chain.sets, tt.want)
		}
	}
}
