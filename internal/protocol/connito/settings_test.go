package connito

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"adit/internal/subnet"
)

// TestSettingsAreRead wants every setting to be looked at by something besides the
// functions that set and check them: what has no effect belongs into the table of
// foreign settings, which says so.
func TestSettingsAreRead(t *testing.T) {
	t.Parallel()
	idle := map[string]bool{"Validate": true, "defaults": true, "take": true, "unlock": true}
	read := map[string]bool{"GlobalOptInterval": true} // by Choose, as it was written
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Body == nil || idle[fn.Name.Name] {
				continue
			}
			ast.Inspect(fn.Body, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok {
					read[s.Sel.Name] = true
				}
				return true
			})
		}
	}
	var walk func(typ reflect.Type, path string)
	walk = func(typ reflect.Type, path string) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			switch {
			case !f.IsExported():
			case f.Type.Kind() == reflect.Struct:
				walk(f.Type, path+f.Name+".")
			case !read[f.Name]:
				t.Errorf("%s%s is read nowhere", path, f.Name)
			}
		}
	}
	walk(reflect.TypeFor[Config](), "")
}

// TestRuleset lays settings over the rules of a generation, and leaves the
// generation's own alone.
func TestRuleset(t *testing.T) {
	t.Parallel()
	for _, g := range Generations {
		if got, err := Defaults(g.Name, RoleValidator).ruleset(); err != nil || !reflect.DeepEqual(got, g) {
			t.Errorf("defaults of %s: %v, changed to %+v", g.Name, err, got)
		}
	}
	before, _ := RulesByName("g3")
	for _, tt := range []struct {
		name   string
		change func(*Config)
		read   func(Rules) any
		want   any
	}{
		{"train_period", func(c *Config) { c.Cycle.TrainPeriod = 7 }, func(r Rules) any { return r.Schedule.Cycle() }, G3.Schedule.Cycle() - 300 + 7},
		{"commit_period", func(c *Config) { c.Cycle.CommitPeriod = 11 }, func(r Rules) any { return r.Schedule.Cycle() }, G3.Schedule.Cycle() + 4},
		{"cycle_length", func(c *Config) { c.Cycle.CycleLength = 9 }, func(r Rules) any { return int(r.WeightsAge) }, 9},
		{"version_range_cycles", func(c *Config) { c.Cycle.VersionRangeCycles = 1 }, func(r Rules) any { return r.VersionCycles }, 1},
		{"score_window", func(c *Config) { c.Evaluation.ScoreWindow = 2 }, func(r Rules) any { return r.ScoreWindow }, 2},
		{"foreground_top_n", func(c *Config) { c.Evaluation.ForegroundTopN = 2 }, func(r Rules) any { return r.MinersPerValidator }, 2},
		{"weight_group_1_size", func(c *Config) { c.Evaluation.WeightGroup1Size = 2 }, func(r Rules) any { return r.Pools[0].Size }, 2},
		{"weight_group_2_share", func(c *Config) { c.Evaluation.WeightGroup2Share = 0.5 }, func(r Rules) any { return r.Pools[1].Share }, 0.5},
		{"top_k_miners_to_reward, with groups", func(c *Config) { c.Evaluation.TopKMinersToReward = 1 }, func(r Rules) any { return r.Pools[0].Size }, 3},
		{"top_k_miners_to_reward", func(c *Config) { c.Evaluation.TopKMinersToReward, c.Evaluation.EnableRoundGroupConstruction = 1, false }, func(r Rules) any { return r.Pools[0].Size }, 1},
		{"background_worker_enabled", func(c *Config) { c.Evaluation.BackgroundWorkerEnabled = false }, func(r Rules) any {
			return r.behind(&groupRound{Foreground: []subnet.UID{2}, Background: []subnet.UID{1}})
		}, []subnet.UID{2}},
		{"enable_round_group_construction", func(c *Config) { c.Evaluation.EnableRoundGroupConstruction = false }, func(r Rules) any { return r.Groups }, GroupSizes{}},
		{"validation_group_c_size", func(c *Config) { c.Evaluation.ValidationGroupCSize = 2 }, func(r Rules) any { return r.Groups.C }, 2},
		{"repo_unavailable_is_miner_fault", func(c *Config) { c.Evaluation.RepoUnavailableIsMinerFault = true }, func(r Rules) any { return r.RepoFault }, true},
	} {
		c := Defaults("g3", RoleValidator)
		tt.change(c)
		if r, err := c.ruleset(); err != nil || !reflect.DeepEqual(tt.read(r), tt.want) {
			t.Errorf("%s: %v, %v, want %v", tt.name, tt.read(r), err, tt.want)
		}
	}
	if after, _ := RulesByName("g3"); !reflect.DeepEqual(before, after) {
		t.Error("a generation was changed")
	}
	c := Defaults("g3", RoleMiner)
	for _, v := range c.periods() {
		*v = 0
	}
	if _, err := c.ruleset(); err == nil {
		t.Error("a cycle without blocks was accepted")
	}
	c = Defaults(Local.Name, RoleMiner)
	c.Rules = "g3" // by a program: the other generation's own numbers count
	if r, err := c.ruleset(); err != nil || !reflect.DeepEqual(r, G3) {
		t.Errorf("g3 under other defaults: %v", err)
	}
}

func TestBatches(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ own, device, batch, accumulate, wantBatch, wantAccumulate int }{
		{0, 1, 4, 4, 1, 4}, {0, 1, 4, 0, 1, 4}, {0, 3, 4, 0, 3, 2}, {4, 1, 4, 1, 4, 1}, {4, 1, 4, 0, 4, 1}, {0, 0, 4, 0, 0, 1},
	} {
		var c Config
		c.Opt.BatchSize, c.LocalPar.GradientAccumulationSteps = tt.own, tt.accumulate
		c.Task.Exp.Data.PerDeviceTrainBatchSize, c.Task.Exp.Data.BatchSize = tt.device, tt.batch
		if c.batch() != tt.wantBatch || c.accumulate() != tt.wantAccumulate {
			t.Errorf("%+v: %d × %d", tt, c.batch(), c.accumulate())
		}
	}
	// Several processes share a batch out, and the machine.
	c := Defaults("g3", RoleMiner)
	c.LocalPar.GradientAccumulationSteps, c.LocalPar.WorldSize, c.Task.Exp.Data.BatchSize = 0, 3, 8
	if c.accumulate() != 3 {
		t.Errorf("3 processes of a sequence each accumulate %d times to learn from 8", c.accumulate())
	}
	if got, want := c.Services().Threads, max(1, runtime.NumCPU()/3); got != want {
		t.Errorf("each has %d threads, want %d", got, want)
	}
	if c.Model.Threads = 5; c.Services().Threads != 5 {
		t.Errorf("each has %d threads, not 5", c.Services().Threads)
	}
}

func TestSettle(t *testing.T) {
	t.Parallel()
	c := Defaults("g3", RoleMiner)
	if !c.NeedsAccount("mine") || c.NeedsAccount("train") {
		t.Error("who needs an account is confused")
	}
	if err := c.Settle("an-account-of-thirty-characters"); err == nil {
		t.Error("a repository that fits no commitment was accepted")
	}
	if err := c.Settle("me"); err != nil || c.HF.CheckpointRepo != "me/co" || c.NeedsAccount("mine") {
		t.Errorf("settled in %q, %v", c.HF.CheckpointRepo, err)
	}
}
