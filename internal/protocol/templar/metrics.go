package templar

import (
	"path"

	"adit/internal/subnet"
)

// metrics are the figures of a neuron for Prometheus, and what feeds them.
var metrics = []subnet.Metric{
	{Name: "templar_block", Help: "Newest block", Event: "block", Attr: "block"},
	{Name: "templar_window", Help: "Window that the neuron is in", Event: "window", Attr: "window"},
	{Name: "templar_global_step", Help: "Windows that were worked on; of r2, of the network", Event: "finished", Attr: "global_step"},
	{Name: "templar_window_seconds", Help: "Time that the work of a window took", Kind: subnet.Histogram, Buckets: windows, Event: "finished", Attr: "step_time"},
	{Name: "templar_loss", Help: "Loss on the window's pages", Event: "metrics", Attr: "loss"},
	{Name: "templar_tokens_per_step", Help: "Tokens that a window's gradient is of", Event: "metrics", Attr: "tokens_per_step"},
	{Name: "templar_tokens_per_second", Help: "Tokens learned from per second", Event: "metrics", Attr: "tokens_per_second"},
	{Name: "templar_sample_rate", Help: "Share of the batches that is learned from", Event: "metrics", Attr: "sample_rate"},
	{Name: "templar_utilization", Help: "Share of a window's work that is training", Event: "metrics", Attr: "utilization"},
	{Name: "templar_learning_rate", Help: "Learning rate", Event: "metrics", Attr: "learning_rate"},
	{Name: "templar_state_files", Help: "States of the window that were merged", Event: "states", Attr: "files"},
	{Name: "templar_delta_files", Help: "Deltas that were merged", Event: "deltas", Attr: "files"},
	{Name: "templar_uploads", Help: "Objects that were uploaded", Kind: subnet.Counter, Event: "uploaded", Labels: []subnet.Label{{Name: "object", Attr: "object"}}},
	{Name: "templar_refused", Help: "Objects of other neurons that were refused", Kind: subnet.Counter, Event: "refused", Labels: minerUID, Keep: 256},
	{Name: "templar_step_score", Help: "Score of a miner's last delta", Event: "score", Attr: "score", Labels: minerUID, Keep: 256},
	{Name: "templar_moving_score", Help: "Average score of a miner", Event: "score", Attr: "average", Labels: minerUID, Keep: 256},
	{Name: "templar_weight", Help: "Weight given to a miner on chain", Event: "weight", Attr: "weight", Labels: minerUID, Keep: 256},
	{Name: "templar_weights_set", Help: "Times that weights were set", Kind: subnet.Counter, Event: "weights-set"},
	{Name: "templar_weights_failed", Help: "Times that weights were not set", Kind: subnet.Counter, Event: "weights-failed"},
	{Name: "templar_save_seconds", Help: "Time to save the model", Kind: subnet.Histogram, Buckets: windows, Event: "saved", Attr: "save_time"},
	{Name: "templar_errors", Help: "What went wrong, by the kind of event that told it and its level", Kind: subnet.Counter, Labels: []subnet.Label{{Name: "component", Attr: "kind"}, {Name: "kind", Attr: "level"}}},
}

var minerUID = []subnet.Label{{Name: "uid", Attr: "uid"}}

// windows are the buckets of times, in seconds.
var windows = []float64{.1, .5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800}

// columns are the figures in the rows of CSV, W&B and TensorBoard, under upstream's
// names.
//
// Unlike upstream, the scores and weights of each miner have no columns of their own:
// they are in the events, by uid.
var columns = []subnet.Column{
	{Name: "window", Event: "metrics", Attr: "window", Stays: true},
	{Name: "global_step", Event: "metrics", Attr: "global_step", Stays: true},
	{Name: "loss", Event: "metrics", Attr: "loss"},
	{Name: "tokens_per_step", Event: "metrics", Attr: "tokens_per_step"},
	{Name: "tokens_per_second", Event: "metrics", Attr: "tokens_per_second"},
	{Name: "sample_rate", Event: "metrics", Attr: "sample_rate"},
	{Name: "utilization", Event: "metrics", Attr: "utilization"},
	{Name: "learning_rate", Event: "metrics", Attr: "learning_rate"},
}

// Reports implements [subnet.Reporter].
//
// Unlike upstream, which calls a run M or V and the uid and deletes all earlier runs
// of that name, no run is deleted, and it has the hotkey's name, which does not change
// with the uid.
func (c *Config) Reports(role, run string) subnet.Reports {
	letter := map[string]string{"mine": "M", "validate": "V"}[role]
	project := c.Project
	if r, err := RulesByName(c.Rules); err == nil && r.Version != "" {
		project += "-v" + r.Version
	}
	return subnet.Reports{
		CSV:   path.Join("metrics", run+".csv"),
		WandB: subnet.WandB{On: c.UseWandB, Project: project, Name: letter + "-" + c.Wallet.Hotkey, Tags: []string{c.Rules, role}},
		Ports: map[string]uint16{"mine": 8300, "validate": 8400},
	}
}
