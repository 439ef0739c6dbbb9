package connito

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"adit/internal/protocol/actor"
	"adit/internal/subnet"
	"adit/internal/tensor"
)

// Validators average their pseudo-gradients over a wire of our own, since
// upstream's is that of a library that exists for Python alone. What is said on it
// is described in docs/validator-merge.md; here is what it means.

// A mergeHead is what a validator says of its part in a merge, or, with Have, of the
// parts that it has seen.
type mergeHead struct {
	Hotkey subnet.Hotkey `json:"hotkey"`
	Round  uint64        `json:"round"`
	Group  int           `json:"group"`
	Base   string        `json:"base"`           // the hash of what the gradient leads away from
	Hash   string        `json:"hash,omitempty"` // of the gradient; "" if the validator has none
	// Have is the hash of each part that the validator has, its own included.
	Have map[subnet.Hotkey]string `json:"have,omitempty"`
	// Signature is over all the rest: see message.
	Signature string `json:"signature,omitempty"`
}

// message is what is signed of a head: its JSON without the signature, after a word
// that no other message begins with.
func (h mergeHead) message() []byte {
	h.Signature = ""
	return []byte("adit merge\n" + actor.JSON(h))
}

// maxMergeHead is the longest head that is read: with as many parts as a subnet has
// validators.
const maxMergeHead = 64 << 10

// maxParts is how many parts a merge has at most.
const maxParts = 256

// parseMergeHead reads a head.
func parseMergeHead(data []byte) (mergeHead, error) {
	var h mergeHead
	if len(data) > maxMergeHead {
		return h, fmt.Errorf("merge: %d bytes, want at most %d", len(data), maxMergeHead)
	}
	if err := json.Unmarshal(data, &h); err != nil {
		return mergeHead{}, fmt.Errorf("merge: %w", err)
	}
	if h.Hotkey == "" || h.Signature == "" || len(h.Have) > maxParts {
		return mergeHead{}, errors.New("merge: hotkey and signature are required, and there is a limit to have")
	}
	return h, nil
}

// checkMergeHead says what is wrong with a head that came from a validator.
func checkMergeHead(h, want mergeHead, verify func(who subnet.Hotkey, msg, sig []byte) bool) error {
	sig, err := Base64URL.decode(h.Signature)
	switch {
	case h.Hotkey != want.Hotkey || h.Round != want.Round || h.Group != want.Group:
		return fmt.Errorf("merge: it is of %s, round %d, group %d, want %s, %d, %d", h.Hotkey, h.Round, h.Group, want.Hotkey, want.Round, want.Group)
	case err != nil || !verify(h.Hotkey, h.message(), sig):
		return errors.New("merge: not signed by whom it says it is from")
	case h.Base != want.Base:
		return fmt.Errorf("merge: it leads away from %.48q, and not from %s", h.Base, want.Base)
	}
	return nil
}

// checkPart refuses tensors that are no gradient of the group's.
func checkPart(d, global tensor.Dict, hash string) error {
	if len(d) == 0 {
		return errors.New("merge: no tensors")
	}
	for _, key := range d.Keys() {
		t, ok := global[key]
		switch {
		case !ok:
			return fmt.Errorf("merge: tensor %.120q is not the group's", key)
		case d[key].DType != tensor.F32 || !slices.Equal(d[key].Shape, t.Shape):
			return fmt.Errorf("merge: tensor %q is %v of shape %v, want f32 of %v", key, d[key].DType, d[key].Shape, t.Shape)
		case !d[key].Finite():
			return fmt.Errorf("merge: tensor %q has NaN or Inf values", key)
		}
	}
	if got := Hash(d); got != hash {
		return fmt.Errorf("merge: hash mismatch: file has %s, signed %s", got, hash)
	}
	return nil
}

// agreeOn returns the parts that are averaged, given the lists of all who sent one,
// by their hotkeys, and the stake of each: a part is in if its sender sent a list,
// too, and if those with more than half of the stake of all who did have seen it,
// and have seen the same. Whoever has the same lists comes to the same parts,
// sorted; a list of a few cannot keep the others' parts out.
func agreeOn(lists map[subnet.Hotkey]map[subnet.Hotkey]string, stake map[subnet.Hotkey]uint64) map[subnet.Hotkey]string {
	var all float64
	for who := range lists {
		all += float64(stake[who]) + 1 // so that without any stake they count alike
	}
	agreed := make(map[subnet.Hotkey]string)
	for who, own := range lists {
		hash := own[who]
		if hash == "" {
			continue
		}
		var seen float64
		for voter, list := range lists {
			if list[who] == hash {
				seen += float64(stake[voter]) + 1
			}
		}
		if seen > all/2 {
			agreed[who] = hash
		}
	}
	return agreed
}

// mergeEnds returns the last blocks in which the parts and the lists of a group's
// merge may come. A validator of several groups merges one after another, and the
// phase is divided among them; a block of it is left for what follows.
func (r Rules) mergeEnds(cycle uint64, group, groups int) (parts, lists subnet.Block) {
	each := r.Schedule[Merge] / subnet.Block(max(groups, 1))
	begin := r.Schedule.Start(cycle, Merge) + each*subnet.Block(group)
	lists = begin + max(each, 2) - 2
	return max(begin, lists-min(lists, max(1, each/4))), lists
}

// tensors returns a gradient as it is sent.
func (g Gradient) tensors(like tensor.Dict) tensor.Dict {
	d := make(tensor.Dict, len(g))
	for key, vals := range g {
		d[key] = tensor.FromFloats(tensor.F32, like[key].Shape, vals)
	}
	return d
}

// gradientOf reads one.
func gradientOf(d tensor.Dict) (Gradient, error) {
	g := make(Gradient, len(d))
	for key, t := range d {
		vals, err := t.Floats(nil)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", key, err)
		}
		g[key] = vals
	}
	return g, nil
}
