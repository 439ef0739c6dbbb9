package solo

import (
	"context"
	"errors"
	"fmt"

	"adit/internal/engine/model"
	"adit/internal/subnet"
)

// Routed is what a model's routers did with a text.
type Routed struct {
	Evaluated
	// Weights holds, by layer, the summed weight of each expert.
	Weights map[int][]float64
}

// Route sends a text through a mixture of experts and sums the weights that its
// routers give each expert. The result is the same, to the bit, for any number of
// threads and sequences at once.
func Route(ctx context.Context, o EvalOptions, w Watcher) (Routed, error) {
	if err := o.Validate(); err != nil {
		return Routed{}, err
	}
	var routed Routed
	var whole *model.Model
	var err error
	routed.Evaluated, err = o.run(ctx, w, func(m *model.Model) error {
		whole = m
		m.CountRouting(true)
		if len(m.Routing()) == 0 {
			return subnet.WithHint(errors.New("the model has no routed experts"), "give a mixture of experts, such as DeepSeek-V2-Lite")
		}
		return nil
	})
	if err != nil {
		return Routed{}, fmt.Errorf("look at the routers: %w", err)
	}
	if routed.Bad > 0 {
		return Routed{}, fmt.Errorf("look at the routers: the model has no finite loss on %d of %d sequences", routed.Bad, routed.Sequences)
	}
	routed.Weights = whole.Routing()
	return routed, nil
}
