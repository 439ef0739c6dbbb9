package templar

import (
	"cmp"
	"errors"
	"maps"
	"slices"

	"adit/internal/score"
	"adit/internal/subnet"
)

// A standings is what a validator of pseudo-gradients thinks of the miners, and how
// far it is with a window. It is kept in a file that is written after each miner, so
// that a restart in the middle of a window judges nobody twice.
type standings struct {
	Miners map[subnet.UID]*standing `json:"miners"`
	// Window is the one that is judged, and Stage how far that is.
	Window Window `json:"window"`
	Stage  stage  `json:"stage"`
	// Chosen are to be evaluated in it, and Results what came of those that were.
	Chosen  []subnet.UID           `json:"chosen"`
	Results map[subnet.UID]verdict `json:"results"`
	// Changes are the averages of how far the values go in a step by which others'
	// models are compared.
	Changes map[string][2]float64 `json:"changes"`
	// Posted is when this validator has posted peers last.
	Posted    Window `json:"posted"`
	HasPosted bool   `json:"has_posted"`
	// Due is the window whose weights are to be set, and Set those that were last.
	Due    Window          `json:"due"`
	HasDue bool            `json:"has_due"`
	Set    []subnet.Weight `json:"set"`
}

// A stage is how far a window is judged.
type stage int

const (
	begun    stage = iota
	punished       // who was missing, behind, or a copy
	judged         // all scores are made
)

// A standing is what is thought of one miner.
type standing struct {
	Hotkey subnet.Hotkey `json:"hotkey"`
	Standing
	score.Rating
	Last    []verdict `json:"last"`    // the newest last
	Slashed []slash   `json:"slashed"` // the newest last
}

// A slash is why a miner lost of its score in one window.
type slash struct {
	Window Window  `json:"window"`
	Reason string  `json:"reason"`
	Final  float64 `json:"final"` // what is left
}

// A verdict is what came of a miner's gradient in one window, with all that its
// score was made of.
type verdict struct {
	Window Window `json:"window"`
	Reason string `json:"reason"`
	// What is the [Evaluation].
	What Evaluation `json:"what"`
	// The losses on the miner's own text and on other text, without the gradient and
	// with it.
	OwnBefore    float64 `json:"own_before"`
	OwnAfter     float64 `json:"own_after"`
	RandomBefore float64 `json:"random_before"`
	RandomAfter  float64 `json:"random_after"`
	Score        float64 `json:"score"`  // of the gradient
	Rated        bool    `json:"rated"`  // it counts in the rating
	Better       bool    `json:"better"` // it does more for its own text
	Behind       float64 `json:"behind"` // outer steps
	// What is made of all of it.
	Skill  float64 `json:"skill"`
	Moving float64 `json:"moving"`
	Sync   float64 `json:"sync"`
	Final  float64 `json:"final"`
}

const (
	standingsFile = "standings.json"
	keptVerdicts  = 32
)

// openStandings reads the validator's own file, or begins one.
func (n *neuron) openStandings() *standings {
	b := new(standings)
	if err := n.ReadJSON(standingsFile, b); err != nil && !errors.Is(err, subnet.ErrNotFound) {
		n.Warn("resume", "the scores do not load: they begin anew", err)
		b = new(standings)
	}
	if b.Miners == nil {
		b.Miners = make(map[subnet.UID]*standing)
	}
	if b.Changes == nil {
		b.Changes = make(map[string][2]float64)
	}
	if b.Results == nil {
		b.Results = make(map[subnet.UID]verdict)
	}
	return b
}

// enrol sees that there is a record of everybody, and a new one of who has taken
// another's place.
func (b *standings) enrol(meta *subnet.Metagraph, m score.PlackettLuce) {
	for _, n := range meta.Neurons {
		s := b.Miners[n.UID]
		if s == nil {
			s = &standing{Hotkey: n.Hotkey, Rating: m.New()}
			s.Waiting = 1
			b.Miners[n.UID] = s
		}
		if s.Hotkey != n.Hotkey {
			s.Hotkey, s.Rating, s.Last, s.Slashed = n.Hotkey, m.New(), nil, nil
			s.Reregistered()
		}
	}
}

// begin makes the file ready for a window, unless that is what it is about already.
func (b *standings) begin(w Window) {
	if b.Window == w {
		return
	}
	b.Window, b.Stage, b.Chosen = w, begun, nil
	b.Results = make(map[subnet.UID]verdict)
}

// finals returns the final scores of those who were ever evaluated.
func (b *standings) finals() map[subnet.UID]float64 {
	final := make(map[subnet.UID]float64)
	for uid, m := range b.Miners {
		if m.Evaluations > 0 {
			final[uid] = m.Final
		}
	}
	return final
}

// weights returns what is to be set of them, by uid.
func (b *standings) weights(r Rules) (list []subnet.Weight) {
	for uid, w := range r.Weights(b.finals()) {
		list = append(list, subnet.Weight{UID: uid, Value: w})
	}
	slices.SortFunc(list, func(a, b subnet.Weight) int { return cmp.Compare(a.UID, b.UID) })
	return list
}

// uids are those of whom there is a record, in order.
func (b *standings) uids() []subnet.UID { return slices.Sorted(maps.Keys(b.Miners)) }
