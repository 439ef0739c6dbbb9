package templar

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"adit/internal/subnet"
	"adit/internal/tensor"
	"adit/internal/torchfile"
)

// A Debug is the content of a debug object: a few values of a neuron's model after
// a window, by which others see how far it is behind, and whose gradients it had.
type Debug struct {
	GlobalStep int64
	Values     []DebugValues
	// Peers are those whose gradients were merged, Skipped those who had none.
	Peers, Skipped []subnet.UID
	Fingerprint    *Fingerprint // from 2.1.28 on
	// Digest is a hash of the model, by which our neurons see whether theirs is the
	// same. Unlike upstream, which passes over a key that it does not know.
	Digest string
}

// DebugValues are the two values that are shown of one parameter.
type DebugValues struct {
	Name   string // canonical
	Values [2]float32
}

// Where the values that are shown begin in a flattened parameter: of a miner, and
// of a validator.
//
// Upstream shows those of the first device's part, which is the same for a
// parameter that has so many rows on it.
const (
	debugAt          = 10
	debugAtValidator = 0
)

// DebugOf returns what is shown of a parameter, of its flattened values; false if
// it has fewer.
func DebugOf(values []float32, validator bool) ([2]float32, bool) {
	at := debugAt
	if validator {
		at = debugAtValidator
	}
	if len(values) < at+2 {
		return [2]float32{}, false
	}
	return [2]float32(values[at : at+2]), true
}

// A Fingerprint is what a miner says of its gradient as a whole.
type Fingerprint struct {
	Norm     float64
	Elements int64
	Samples  []NamedNorm // of five parameters
}

// A NamedNorm is the norm of one parameter's gradient.
type NamedNorm struct {
	Name string
	Norm float64
}

const (
	debugSuffix = "_debug"
	digestKey   = "model_digest"
)

// EncodeDebug writes a debug object as torch.save would.
func EncodeDebug(w io.Writer, g Debug, wire func(string) string) error {
	d := &torchfile.Dict{}
	add := func(key string, v any) { d.Items = append(d.Items, torchfile.Item{Key: key, Value: v}) }
	for _, v := range g.Values {
		add(wire(v.Name)+debugSuffix, []any{float64(v.Values[0]), float64(v.Values[1])})
	}
	add("successful_peers", uidList(g.Peers))
	add("skipped_peers", uidList(g.Skipped))
	if g.Digest != "" {
		add(digestKey, g.Digest)
	}
	if f := g.Fingerprint; f != nil {
		norms := &torchfile.Dict{}
		for _, n := range f.Samples {
			norms.Items = append(norms.Items, torchfile.Item{Key: n.Name, Value: n.Norm})
		}
		add("gradient_fingerprint", &torchfile.Dict{Items: []torchfile.Item{
			{Key: "global_l2_norm", Value: f.Norm}, {Key: "total_elements", Value: f.Elements}, {Key: "sample_param_norms", Value: norms},
		}})
	}
	return encodeState(w, d, g.GlobalStep)
}

func uidList(uids []subnet.UID) []any {
	list := make([]any, len(uids))
	for i, uid := range uids {
		list[i] = int64(uid)
	}
	return list
}

// MaxDebug is how large a debug object may be.
const MaxDebug = 8 << 20

// DecodeDebug reads a debug object. What it tells is the miner's own word.
func DecodeDebug(r io.ReaderAt, size int64) (Debug, error) {
	state, step, err := decodeState(r, size, MaxDebug)
	if err != nil {
		return Debug{}, fmt.Errorf("debug: %w", err)
	}
	g := Debug{GlobalStep: step}
	for _, it := range state.Items {
		key, _ := it.Key.(string)
		switch name, values := strings.CutSuffix(key, debugSuffix); {
		case values:
			v, err := debugValues(it.Value)
			if err != nil {
				return Debug{}, fmt.Errorf("debug: %.120q: %w", key, err)
			}
			g.Values = append(g.Values, DebugValues{CanonicalName(name), v})
		case key == "successful_peers":
			g.Peers, err = parseUIDs(it.Value)
		case key == "skipped_peers":
			g.Skipped, err = parseUIDs(it.Value)
		case key == digestKey:
			g.Digest, _ = it.Value.(string)
		case key == "gradient_fingerprint":
			g.Fingerprint = fingerprint(it.Value)
		}
		if err != nil {
			return Debug{}, fmt.Errorf("debug: %.120q: %w", key, err)
		}
	}
	return g, nil
}

// debugValues reads two numbers, in a list or a tensor.
func debugValues(v any) (two [2]float32, err error) {
	if t, ok := v.(tensor.Tensor); ok && t.DType.Float() && t.Numel() == 2 {
		floats, err := t.Floats(nil)
		if err == nil {
			two = [2]float32(floats)
		}
		return two, err
	}
	list, ok := v.([]any)
	if !ok || len(list) != 2 {
		return two, errors.New("want two numbers")
	}
	for i, e := range list {
		f, ok := scalar(e)
		if !ok {
			return two, errors.New("want two numbers")
		}
		two[i] = float32(f)
	}
	return two, nil
}

func parseUIDs(v any) ([]subnet.UID, error) {
	list, ok := v.([]any)
	if !ok || len(list) > maxPeers {
		return nil, errors.New("want a list of uids")
	}
	uids := make([]subnet.UID, len(list))
	for i, e := range list {
		n, ok := e.(int64)
		if !ok || n < 0 || n > 1<<16-1 {
			return nil, errors.New("want a list of uids")
		}
		uids[i] = subnet.UID(n)
	}
	return uids, nil
}

func fingerprint(v any) *Fingerprint {
	d, ok := v.(*torchfile.Dict)
	if !ok {
		return nil
	}
	f := &Fingerprint{Norm: number(d, "global_l2_norm"), Elements: int64(number(d, "total_elements"))}
	norms, _ := d.Get("sample_param_norms")
	if list, ok := norms.(*torchfile.Dict); ok {
		for _, it := range list.Items {
			if name, ok := it.Key.(string); ok {
				f.Samples = append(f.Samples, NamedNorm{name, number(list, name)})
			}
		}
	}
	return f
}
