package connito

import (
	"context"
	"io"
	"slices"
	"testing"

	"adit/internal/checkpoint"
	"adit/internal/journal"
	"adit/internal/subnet"
)

// loading is a model that notes what is laid over it.
type loading struct {
	subnet.Model
	files []string
}

func (m *loading) Load(f subnet.File) error {
	m.files = append(m.files, f.Name())
	return nil
}

func (m *loading) Loss(context.Context, subnet.Sample) (subnet.Loss, error) {
	return subnet.Loss{Mean: 1}, nil
}

// TestMeasureLays checks that a submission is laid over the model that is loaded,
// and over the baseline if it leaves anything of the one before it.
func TestMeasureLays(t *testing.T) {
	n, g := storing(t, journal.NewMem())
	whole := shardOf(12, 4)
	part := shardOf(11, 4)
	for name, d := range map[string]func(io.Writer) error{
		"base":  func(w io.Writer) error { return checkpoint.Write(w, subnet.Safetensors, whole) },
		"whole": func(w io.Writer) error { return checkpoint.Write(w, subnet.Torch, whole) },
		"part":  func(w io.Writer) error { return checkpoint.Write(w, subnet.Safetensors, part) },
	} {
		if err := n.Write(name, d); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		rules Rules
		want  []string
	}{
		{G3, []string{"whole", "base", "part", "whole"}},
		{G4, []string{"whole", "part", "whole"}}, // which takes no parts
	} {
		n.rules = tt.rules
		m := new(loading)
		v := &validator{neuron: n, model: m}
		for _, file := range []string{"whole", "part", "whole"} {
			if _, err := v.measure(t.Context(), &groupRound{Group: g.ID, Base: "base"}, 1, file); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(m.files, tt.want) {
			t.Errorf("%s: loaded %v, want %v", tt.rules.Name, m.files, tt.want)
		}
	}
}
