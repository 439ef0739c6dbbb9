package connito

import (
	"strings"
	"testing"
)

// TestWandBResume goes on with a run only if the settings say which.
func TestWandBResume(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		resume     bool
		ids        []string
		role, want string
		bad        bool
	}{
		{false, []string{"4xk2m7qa"}, "mine", "", false},
		{true, []string{"4xk2m7qa", "of-rank-1"}, "mine", "4xk2m7qa", false},
		{true, []string{"4xk2m7qa"}, "validate", "4xk2m7qa", false},
		{true, []string{"4xk2m7qa"}, "model-io", "", false}, // beside train, which has it
		{true, nil, "mine", "", true},
		{true, []string{"../elsewhere"}, "mine", "../elsewhere", true},
	} {
		c := Defaults("g3", RoleMiner)
		c.Log.WandBResume, c.Log.WandBPartialID = tt.resume, tt.ids
		err := c.Validate()
		if bad := err != nil && strings.Contains(err.Error(), "log.wandb_partial_id"); bad != tt.bad {
			t.Errorf("%v %q: %v", tt.resume, tt.ids, err)
		}
		if got := c.Reports(tt.role, "foundation").WandB.Resume; got != tt.want {
			t.Errorf("%s: %v %q resumes %q, want %q", tt.role, tt.resume, tt.ids, got, tt.want)
		}
	}
}
