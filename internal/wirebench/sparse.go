package wirebench

import (
	"bytes"
	"fmt"

	"adit/internal/compress"
	"adit/internal/protocol/templar"
)

// encoders returns, for each miner and parameter, what compresses its differences.
func encoders(f *fleet, rules templar.Rules, o Options) ([][]*compress.Feedback, error) {
	rule := rules.Encoding()
	rule.Keep, rule.Decay = o.Keep, float32(o.Decay)
	all := make([][]*compress.Feedback, len(f.miners))
	for i := range all {
		for _, p := range f.params {
			e, err := compress.NewFeedback(p.Shape, rule)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p.Name, err)
			}
			all[i] = append(all[i], e)
		}
	}
	return all, nil
}

// sparse is Templar's last generation: everybody downloads everybody's message, and a
// coordinate's merge is the mean of those who sent it.
type sparse struct {
	*fleet
	rules    templar.Rules
	encoders [][]*compress.Feedback
	window   templar.Window
	limit    int64

	spent, covered int64 // bytes and numbers of matrices
}

func newSparse(f *fleet, o Options) (*sparse, error) {
	rules, err := templar.RulesByName("sparse")
	if err != nil {
		return nil, err
	}
	rules.Sparse.TopKCompression = int64(o.Keep)
	s := &sparse{fleet: f, rules: rules}
	if s.limit, err = rules.MaxGradient(f.params); err != nil {
		return nil, err
	}
	s.encoders, err = encoders(f, rules, o)
	return s, err
}

func (s *sparse) unsaid(miner int) []*compress.Feedback { return s.encoders[miner] }

func (s *sparse) bits() float64 { return 8 * float64(s.spent) / float64(max(s.covered, 1)) }

// titan returns what the network calls a parameter.
func (s *sparse) titan(name string) string {
	if t, ok := templar.TitanName(name); ok {
		name = t
	}
	return s.rules.Sparse.WireName(name)
}

func (s *sparse) merge(merged [][]float32, deltas [][][]float32) (cost, error) {
	var sent, payload int64
	parts := make([][]*compress.Part, len(s.params))
	for i, delta := range deltas {
		g := templar.Gradient{Window: s.window, Digest: fmt.Sprintf("%032x", i), Count: 1, GlobalStep: int64(s.window)}
		for p, d := range delta {
			kept, err := s.encoders[i][p].Encode(d)
			if err != nil {
				return cost{}, fmt.Errorf("%s: %w", s.params[p].Name, err)
			}
			c := templar.Pack(s.params[p], kept)
			// Four numbers of a table, the shift, and the scale as a double.
			size := int64(len(c.Idxs)+len(c.Vals)) + 4*int64(len(c.Quant.Lookup)+1) + 8
			payload += size
			if len(s.params[p].Shape) == 2 {
				s.spent, s.covered = s.spent+size, s.covered+int64(len(d))
			}
			g.Params = append(g.Params, c)
		}
		var b bytes.Buffer
		if err := templar.EncodeGradient(&b, g, s.titan); err != nil {
			return cost{}, err
		}
		sent += int64(b.Len())
		got, err := templar.DecodeGradient(bytes.NewReader(b.Bytes()), int64(b.Len()), s.limit)
		if err != nil {
			return cost{}, err
		}
		for k := range got.Params { // the names of this model again
			got.Params[k].Name = s.params[k].Name
		}
		read, err := s.rules.Parts(got, s.params)
		if err != nil {
			return cost{}, err
		}
		for p := range read {
			parts[p] = append(parts[p], read[p])
		}
	}
	s.window++
	gather := compress.Gatherer{Clip: true}
	for p := range merged {
		if err := gather.Gather(merged[p], parts[p]); err != nil {
			return cost{}, fmt.Errorf("%s: %w", s.params[p].Name, err)
		}
	}
	n := int64(len(deltas))
	up := sent / n
	return cost{up, (n - 1) * up, payload}, nil
}
