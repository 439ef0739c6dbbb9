package train

import (
	"slices"
	"strings"
	"testing"

	"adit/internal/subnet"
)

func TestMatch(t *testing.T) {
	names := []string{
		"model.embed_tokens.weight",
		"model.layers.0.mlp.up_proj.weight",
		"model.layers.1.mlp.experts.0.down_proj",
		"model.layers.1.mlp.experts.11.down_proj",
		"model.layers.1.self_attn.q_proj.bias",
		"lm_head.weight",
	}
	for _, tt := range []struct {
		patterns string
		want     []int
	}{
		{"*", []int{0, 1, 2, 3, 4, 5}},
		{"model.layers.*.mlp.*", []int{1, 2, 3}},
		{"* !lm_head.weight", []int{0, 1, 2, 3, 4}},
		{"!lm_head.weight", []int{0, 1, 2, 3, 4}},
		{"!*.weight !*.bias", []int{2, 3}},
		{"!model.* *.bias", []int{4, 5}},
		{"*.experts.?.*", []int{2}},
		{"*.experts.[0-1]*", []int{2, 3}},
		{"lm_head.weight", []int{5}},
	} {
		chosen, err := Match(strings.Fields(tt.patterns), names)
		if err != nil {
			t.Errorf("%s: %v", tt.patterns, err)
			continue
		}
		for i, name := range names {
			if chosen(name) != slices.Contains(tt.want, i) {
				t.Errorf("%s: %s is chosen: %v", tt.patterns, name, chosen(name))
			}
		}
		if chosen("other") {
			t.Errorf("%s chooses what the model does not have", tt.patterns)
		}
	}
	for patterns, want := range map[string]string{
		"* !lm_head": `pattern "!lm_head" matches no parameter`,
		"layers.*":   `pattern "layers.*" matches no parameter`,
		"model.[":    `pattern "model.[": syntax error in pattern`,
	} {
		_, err := Match(strings.Fields(patterns), names)
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %q", patterns, err, want)
		}
		if hint := subnet.Hint(err); !strings.HasSuffix(want, "in pattern") && !strings.Contains(hint, "such as model.layers.1.mlp") {
			t.Errorf("%s: hint %q", patterns, hint)
		}
	}
}
