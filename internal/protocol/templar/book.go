package templar

import (
	"cmp"
	"errors"
	"slices"

	"adit/internal/subnet"
)

// A book is what a validator of the slices thinks of the miners. It is kept in a
// file, which explanations are made of.
type book struct {
	Miners map[subnet.UID]*record `json:"miners"`
	// LastLook is the block at which it was last asked whether weights are due, Due
	// whether they are, and Set those that were set last.
	LastLook subnet.Block    `json:"last_look"`
	Due      bool            `json:"due"`
	Set      []subnet.Weight `json:"set"`
}

// A record is what is thought of one miner.
type record struct {
	Hotkey  subnet.Hotkey `json:"hotkey"`
	Average float64       `json:"average"`
	Absent  Window        `json:"absent,omitempty"` // the last window in which it brought nothing
	Copies  int           `json:"copies,omitempty"` // how often it was found to copy
	Last    []judgement   `json:"last,omitempty"`   // the newest last
}

// A judgement is what came of a miner's delta in one window.
type judgement struct {
	Window   Window  `json:"window"`
	Score    float64 `json:"score"`
	Reason   string  `json:"reason"`
	Average  float64 `json:"average"`
	Likeness float64 `json:"likeness"`
	Before   float64 `json:"before"` // the loss without the delta
	After    float64 `json:"after,omitempty"`
	Tokens   int     `json:"tokens"`
	Reset    bool    `json:"reset,omitempty"` // the average is lost
	Copy     bool    `json:"copy,omitempty"`
}

const (
	bookFile       = "scores.json"
	keptJudgements = 32
)

// openBook reads the validator's own book, or begins one.
func (n *neuron) openBook() (*book, error) {
	b := &book{}
	if err := n.ReadJSON(bookFile, b); err != nil && !errors.Is(err, subnet.ErrNotFound) {
		// What cannot be read is of no use to anybody, and must not stop the validator.
		n.Warn("resume", "the scores do not load: they begin anew", err)
		b = &book{}
	}
	if b.Miners == nil {
		b.Miners = make(map[subnet.UID]*record)
	}
	return b, nil
}

// enrol sees that there is a record of everybody, and a new one of who has taken
// another's place.
func (b *book) enrol(meta *subnet.Metagraph) {
	for _, n := range meta.Neurons {
		if m := b.Miners[n.UID]; m == nil || m.Hotkey != n.Hotkey {
			b.Miners[n.UID] = &record{Hotkey: n.Hotkey}
		}
	}
}

// copies returns how often a miner was found to copy.
func (b *book) copies(uid subnet.UID) int {
	if m := b.Miners[uid]; m != nil {
		return m.Copies
	}
	return 0
}

// weights returns the weights of the averages, by uid.
func (b *book) weights() (list []subnet.Weight) {
	averages := make(map[subnet.UID]float64)
	for uid, m := range b.Miners {
		averages[uid] = m.Average
	}
	for uid, w := range SliceWeights(averages) {
		list = append(list, subnet.Weight{UID: uid, Value: w})
	}
	slices.SortFunc(list, func(a, b subnet.Weight) int { return cmp.Compare(a.UID, b.UID) })
	return list
}
