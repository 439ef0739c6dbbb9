package connito

import (
	"path"

	"adit/internal/subnet"
)

// metrics are the figures of a neuron under upstream's names, and what feeds
// them. Those that upstream declares and never sets are here where our roles know
// them. Every role shows all names of the table that it has values for.
var metrics = []subnet.Metric{
	// The chain and its cycle.
	{Name: "subnet_current_block", Help: "Newest block", Event: "block", Attr: "block"},
	{Name: "subnet_current_phase_index", Help: "Place of the phase in the cycle, from 0", Event: "block", Attr: "phase_index"},
	{Name: "subnet_blocks_remaining_in_phase", Help: "Blocks after this one until the phase ends", Event: "block", Attr: "remaining"},
	{Name: "chain_cycle_duration_seconds", Help: "Time that a cycle took", Kind: subnet.Histogram, Buckets: minutes, Event: "cycle", Attr: "cycle_time"},
	{Name: "chain_commit_latency_seconds", Help: "Time until a commitment was in a block", Kind: subnet.Histogram, Buckets: latencies, Event: "chain-commit", Attr: "commit_time"},
	{Name: "chain_rpc_errors", Help: "Requests to the chain that went wrong", Kind: subnet.Counter, Event: "chain-error"},
	{Name: "chain_weight_set_success", Help: "Weights that were set", Kind: subnet.Counter, Event: "weights-set"},
	{Name: "chain_weight_set_failure", Help: "Weights that were not set", Kind: subnet.Counter, Event: "weights-failed"},
	{Name: "chain_checkpoint_fetch_duration_seconds", Help: "Time to fetch another neuron's checkpoint and check it", Kind: subnet.Histogram, Buckets: minutes, Event: "fetch", Attr: "fetch_time"},

	// A miner's training.
	{Name: "system_model_parameter_count", Help: "Parameters of the model that is trained, frozen ones included", Event: "model", Attr: "parameters"},
	{Name: "miner_training_loss", Help: "Training loss", Event: "metrics", Attr: "loss", Labels: []subnet.Label{{Name: "expert_group", Attr: "expert_group"}}},
	{Name: "miner_gradient_norm", Help: "Norm of the gradient, before clipping", Event: "metrics", Attr: "grad_norm"},
	{Name: "miner_learning_rate", Help: "Learning rate", Event: "metrics", Attr: "lr"},
	{Name: "miner_local_step_rate", Help: "Optimizer steps per second", Event: "metrics", Attr: "step_rate"},
	{Name: "miner_tokens_per_sec", Help: "Tokens trained per second", Event: "metrics", Attr: "tokens_per_second"},
	{Name: "miner_grad_accum_steps", Help: "Batches per optimizer step", Event: "metrics", Attr: "gradient_accumulation_steps"},
	{Name: "miner_perplexity", Help: "Training perplexity: exp of the loss", Event: "metrics", Attr: "perplexity"},
	{Name: "miner_total_tokens", Help: "Tokens trained since the process began", Event: "metrics", Attr: "total_tokens"},
	{Name: "miner_total_samples", Help: "Sequences trained since the process began", Event: "metrics", Attr: "total_samples"},
	{Name: "miner_step_time_hours", Help: "Time of the last optimizer step, in hours", Event: "metrics", Attr: "inner_step_time_hours"},
	{Name: "miner_total_training_time_hours", Help: "Time spent training since the process began, in hours", Event: "metrics", Attr: "total_training_time_hours"},
	{Name: "miner_checkpoint_save_latency_seconds", Help: "Time to write a checkpoint", Kind: subnet.Histogram, Buckets: latencies, Event: "save", Attr: "save_time"},

	// A validator's round. Its label holds the round's number, which upstream
	// counts in blocks and ours in cycles.
	{Name: "validator_current_round_id", Help: "Round that is being evaluated", Event: "loop", Attr: "cycle"},
	{Name: "validator_main_loop_heartbeat", Help: "Rounds begun", Kind: subnet.Counter, Event: "loop"},
	{Name: "validator_active_miner_evaluations", Help: "Submissions being evaluated now", Event: "evaluating", Attr: "active"},
	{Name: "validator_round_lifecycle_step", Help: "How far the round has come: 1 frozen, 2 foreground evaluated, 3 scored, 4 next baseline made, 5 published, 6 weights set", Event: "stage", Attr: "lifecycle_step", Labels: roundID, Keep: 8},
	{Name: "validator_round_miners_pending", Help: "Miners of the round not yet evaluated", Event: "evaluating", Attr: "pending", Labels: roundID, Keep: 8},
	{Name: "validator_round_miners_pending", Help: "Miners of the round not yet evaluated", Event: "round", Attr: "pending", Labels: roundID, Keep: 8},
	{Name: "validator_round_miners_scored", Help: "Miners of the round that were evaluated", Event: "round", Attr: "scored", Labels: roundID, Keep: 8},
	{Name: "validator_round_miners_failed", Help: "Miners of the round that could not be evaluated", Event: "round", Attr: "failed", Labels: roundID, Keep: 8},
	{Name: "validator_score_std", Help: "Standard deviation of a round's scores", Event: "round", Attr: "score_std"},
	{Name: "validator_baseline_loss", Help: "Loss of the baseline on the round's sample", Event: "round", Attr: "baseline"},
	{Name: "validator_bg_worker_paused", Help: "Whether what is not in the foreground has to wait", Event: "background", Attr: "paused", Labels: []subnet.Label{{Name: "worker", Attr: "worker"}}},
	{Name: "validator_avg_step_status", Help: "1 for what the last averaging with other validators came to", Event: "averaging", Attr: "happened", Labels: []subnet.Label{{Name: "status", Attr: "averaging_status"}}},
	{Name: "validator_cohort_epoch", Help: "Times that the groups of miners were made", Event: "cohort-made", Attr: "cohort_epoch"},
	{Name: "connito_validator_info", Help: "1, with who the validator is", Event: "info", Attr: "here", Labels: []subnet.Label{{Name: "hotkey", Attr: "hotkey"}, {Name: "rules", Attr: "rules"}, {Name: "expert_group", Attr: "expert_group"}, {Name: "version", Attr: "git_version"}, {Name: "commit", Attr: "git_sha"}}},
	{Name: "validator_global_opt_step", Help: "Version of the baseline that the round makes", Event: "round", Attr: "global_opt_step"},

	// What it thinks of each miner.
	{Name: "validator_miner_score", Help: "Score of a miner's last round", Event: "score", Attr: "score", Labels: minerUID},
	{Name: "validator_miner_eval_status", Help: "Status of a miner's last evaluation: 0 is good, the others are those of `adit why`", Event: "score", Attr: "status", Labels: minerUID},
	{Name: "validator_miner_eval_failures", Help: "Rounds in which a miner's submission was not evaluated or not accepted", Kind: subnet.Counter, Event: "score", Attr: "failures", Labels: minerUID},
	{Name: "validator_miner_score_latest", Help: "Newest score in a miner's history", Event: "average", Attr: "latest", Labels: minerUID},
	{Name: "validator_miner_score_avg", Help: "Mean of the scores in the window", Event: "average", Attr: "average", Labels: minerUID},
	{Name: "validator_miner_score_samples", Help: "Scores in the window", Event: "average", Attr: "samples", Labels: minerUID},
	{Name: "validator_miner_val_loss", Help: "Loss of a miner's submission", Event: "evaluated", Attr: "eval_loss", Labels: minerUID},
	{Name: "validator_miner_weight_submitted", Help: "Weight given to a miner on chain", Event: "weight", Attr: "weight", Labels: minerUID},
	{Name: "validator_eval_loss", Help: "Loss of the last evaluation", Event: "evaluated", Attr: "eval_loss", Labels: []subnet.Label{{Name: "expert_group", Attr: "expert_group"}}},
	{Name: "validator_eval_batch_count", Help: "Batches evaluated", Kind: subnet.Counter, Event: "evaluated", Attr: "batches"},
	{Name: "validator_eval_latency_seconds", Help: "Time of an evaluation", Kind: subnet.Histogram, Buckets: latencies, Event: "evaluated", Attr: "eval_time"},
	{Name: "validator_model_load_latency_seconds", Help: "Time to load a submission into the model", Kind: subnet.Histogram, Buckets: latencies, Event: "evaluated", Attr: "load_time"},
	{Name: "validator_errors", Help: "What went wrong, by the kind of event that told it and its level", Kind: subnet.Counter, Labels: failure},
	{Name: "connito_errors", Help: "What went wrong, as later versions call it", Kind: subnet.Counter, Labels: failure},
}

var (
	minerUID = []subnet.Label{{Name: "miner_uid", Attr: "uid"}}
	roundID  = []subnet.Label{{Name: "round_id", Attr: "cycle"}}
	failure  = []subnet.Label{{Name: "component", Attr: "kind"}, {Name: "kind", Attr: "level"}}
)

// latencies are the buckets of Python's client, which upstream uses for every
// histogram, and more above them.
//
// Unlike upstream, whose longest bucket ends at 10 s: a checkpoint of gigabytes
// takes longer, and a cycle more than an hour, which is what minutes are for.
var (
	latencies = []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10, 30, 60, 120, 300}
	minutes   = []float64{1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 5400, 7200}
)

// columns are the figures in the rows of CSV, W&B and TensorBoard: upstream's, in
// upstream's order, then those that only the guides name.
var columns = []subnet.Column{
	{Name: "step", Event: "metrics", Attr: "step", Stays: true},
	{Name: "inner_opt_step", Event: "metrics", Attr: "inner_opt_step", Stays: true},
	{Name: "inner_opt_step", Event: "evaluated", Attr: "inner_opt_step", Stays: true},
	{Name: "global_opt_step", Event: "metrics", Attr: "global_opt_step", Stays: true},
	{Name: "global_opt_step", Event: "evaluated", Attr: "global_opt_step", Stays: true},
	{Name: "global_opt_step", Event: "round", Attr: "global_opt_step", Stays: true},
	{Name: "lr", Event: "metrics", Attr: "lr"},
	{Name: "total_samples", Event: "metrics", Attr: "total_samples", Stays: true},
	{Name: "total_tokens", Event: "metrics", Attr: "total_tokens", Stays: true},
	{Name: "inner_step_time_hours", Event: "metrics", Attr: "inner_step_time_hours"},
	{Name: "total_training_time_hours", Event: "metrics", Attr: "total_training_time_hours", Stays: true},
	{Name: "tokens_per_second", Event: "metrics", Attr: "tokens_per_second"},
	{Name: "loss", Event: "metrics", Attr: "loss"},
	{Name: "perplexity", Event: "metrics", Attr: "perplexity"},
	{Name: "expert_group_name", Event: "metrics", Attr: "expert_group", Stays: true},
	{Name: "expert_group_name", Event: "evaluated", Attr: "expert_group", Stays: true},
	{Name: "expert_group_name", Event: "round", Attr: "expert_group", Stays: true},
	{Name: "gradient_accumulation_steps", Event: "metrics", Attr: "gradient_accumulation_steps", Stays: true},
	{Name: "grad_norm", Event: "metrics", Attr: "grad_norm"},
	{Name: "val_loss", Event: "evaluated", Attr: "val_loss"},
	{Name: "val_loss", Event: "round", Attr: "baseline"},
	{Name: "nan_batches", Event: "evaluated", Attr: "nan_batches"},
	{Name: "scored_batches", Event: "evaluated", Attr: "scored_batches"},

	{Name: "train/loss", Event: "metrics", Attr: "loss"},
	{Name: "chain/w_i_score", Event: "submission", Attr: "w_i_score"},
	{Name: "chain/submission_status", Event: "submission", Attr: "submission_status"},
}

// wandbProject comes before the project's name, as upstream has it.
const wandbProject = "subnet-expert-"

// Reports implements [subnet.Reporter].
//
// Unlike upstream, which writes under the directory it was started in, the files
// are in the run's own: two runs of one name do not mix there. And the account is
// not upstream's, but that of the key.
func (c *Config) Reports(role, run string) subnet.Reports {
	csv := c.Log.MetricPath
	if csv == "" {
		csv = path.Join(c.Log.BaseMetricPath, run+".csv")
	}
	r := subnet.Reports{
		CSV:   csv,
		Every: map[string]int{"metrics": c.Log.MetricInterval},
		WandB: subnet.WandB{On: c.Log.LogWandB, Project: wandbProject + c.Log.WandBProjectName, Name: "[partial] rank0-" + run, Tags: []string{run}},
		// Upstream's model-io shows no metrics; ours has a port beyond the ranks'.
		Ports: map[string]uint16{"mine": 8100, "train": 8100, "model-io": 8150, "validate": 8200},
	}
	if c.Log.WandBResume && len(c.Log.WandBPartialID) > 0 && role != "model-io" { // which may run beside train
		r.WandB.Resume = c.Log.WandBPartialID[0]
	}
	if c.Log.TensorBoard {
		r.TensorBoard = path.Join(c.Log.BaseMetricPath, "tensorboard", run)
	}
	return r
}

// Moment implements [subnet.Clock].
func (c *Config) Moment(b subnet.Block) subnet.Moment {
	rules, err := c.ruleset()
	if err != nil { // unreachable: Validate has refused it
		return subnet.Moment{}
	}
	p := c.told.watched(rules).Schedule.At(b)
	return subnet.Moment{Round: p.Cycle, Phase: p.Phase.String(), Index: int(p.Phase), Start: p.Start, End: p.End}
}
