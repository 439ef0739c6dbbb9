package templar

import "adit/internal/subnet"

// sparseMetrics are the figures of the generations with pseudo-gradients, besides
// those that all have.
var sparseMetrics = []subnet.Metric{
	{Name: "templar_inner_steps", Help: "Inner steps that the last window's gradient is of", Event: "metrics", Attr: "inner_steps"},
	{Name: "templar_window_entry_loss", Help: "Loss of a window's first inner step", Event: "metrics", Attr: "window_entry_loss"},
	{Name: "templar_grad_norm", Help: "Mean norm of the inner steps' gradients", Event: "metrics", Attr: "mean_grad_norm"},
	{Name: "templar_gather_peers", Help: "Gradients that were merged", Event: "metrics", Attr: "gather_peers"},
	{Name: "templar_gather_success_rate", Help: "Share of the peers whose gradients were there", Event: "metrics", Attr: "success_rate"},
	{Name: "templar_put_seconds", Help: "Time to upload a gradient", Kind: subnet.Histogram, Buckets: windows, Event: "metrics", Attr: "put"},
	{Name: "templar_merge_seconds", Help: "Time from the end of a window to the outer step", Kind: subnet.Histogram, Buckets: windows, Event: "metrics", Attr: "merge_time"},
	{Name: "templar_global_step", Help: "Windows that were worked on; of r2, of the network", Event: "judged", Attr: "global_step"},
	{Name: "templar_window_seconds", Help: "Time that the work of a window took", Kind: subnet.Histogram, Buckets: windows, Event: "judged", Attr: "window_total"},
	{Name: "templar_evaluated_miners", Help: "Miners that were evaluated in a window", Event: "judged", Attr: "evaluated_uids"},
	{Name: "templar_active_miners", Help: "Miners with a gradient of the last windows", Event: "judged", Attr: "active_miners"},
	{Name: "templar_loss_before_random", Help: "Loss on other text before a miner's gradient", Event: "score", Attr: "random_before"},
	{Name: "templar_gradient_score", Help: "Share of the loss that a miner's gradient takes away", Event: "score", Attr: "gradient_score", Labels: minerUID, Keep: 256},
	{Name: "templar_openskill_ordinal", Help: "Skill of a miner, μ − 3σ", Event: "score", Attr: "openskill_ordinal", Labels: minerUID, Keep: 256},
	{Name: "templar_binary_moving_average", Help: "How much oftener a miner's gradient does more for its own text", Event: "score", Attr: "binary_moving_average", Labels: minerUID, Keep: 256},
	{Name: "templar_sync_score", Help: "How well a miner's model agrees", Event: "score", Attr: "sync_score", Labels: minerUID, Keep: 256},
	{Name: "templar_final_score", Help: "Final score of a miner", Event: "score", Attr: "final_score", Labels: minerUID, Keep: 256},
	{Name: "templar_slashed", Help: "Penalties of a miner", Kind: subnet.Counter, Event: "slash", Labels: minerUID, Keep: 256},
	{Name: "templar_frauds", Help: "Aggregates that were proven wrong", Kind: subnet.Counter, Event: "fraud", Labels: minerUID, Keep: 256},
}

// sparseColumns are their rows, under upstream's names without the role.
var sparseColumns = []subnet.Column{
	{Name: "inner_steps", Event: "metrics", Attr: "inner_steps"},
	{Name: "window_entry_loss", Event: "metrics", Attr: "window_entry_loss"},
	{Name: "mean_grad_norm", Event: "metrics", Attr: "mean_grad_norm"},
	{Name: "gather_peers", Event: "metrics", Attr: "gather_peers"},
	{Name: "gather/success_rate", Event: "metrics", Attr: "success_rate"},
	{Name: "timing/training", Event: "metrics", Attr: "training"},
	{Name: "timing/put", Event: "metrics", Attr: "put"},
	{Name: "timing/model_update", Event: "metrics", Attr: "merge_time"},
	{Name: "timing/window_total", Event: "metrics", Attr: "window_total"},
	{Name: "network/window", Event: "judged", Attr: "window"},
	{Name: "network/step", Event: "judged", Attr: "global_step"},
	{Name: "network/evaluated_uids", Event: "judged", Attr: "evaluated_uids"},
	{Name: "network/active_miners", Event: "judged", Attr: "active_miners"},
	{Name: "timing/window_total", Event: "judged", Attr: "window_total"},
}
