package connito

import (
	"strings"

	"adit/internal/subnet"
)

// alias is what a setting of another name stands for.
type alias struct {
	name string
	to   []string
}

// aliases are the settings of BlockZero's documents, which stand at the top of the
// file, and those that upstream's versions called otherwise.
var aliases = []alias{
	{"model_path", []string{"model.model_path"}},
	{"expert_group", []string{"task.expert_group_name"}},
	{"chain_endpoint", []string{"chain.network", "chain.lite_network"}},
	{"netuid", []string{"chain.netuid"}},
	{"wallet.name", []string{"chain.coldkey_name"}},
	{"wallet.hotkey", []string{"chain.hotkey_name"}},
	{"wallet.path", []string{"chain.wallet_path"}},
	{"checkpoint_dir", []string{"ckpt.checkpoint_path"}},
	{"data_path", []string{"task.data"}},
	{"batch_size", []string{"opt.batch_size"}},
	{"gradient_accumulation_steps", []string{"local_par.gradient_accumulation_steps"}},
	{"learning_rate", []string{"opt.lr"}},
	{"warmup_steps", []string{"sched.warmup_steps"}},
	{"max_steps", []string{"sched.max_steps"}},
	{"fp16", []string{"model.precision"}},
	{"wandb", []string{"log.log_wandb"}},
	{"wandb_project", []string{"log.wandb_project_name"}},
	{"checkpoint_keep_top_k", []string{"ckpt.checkpoint_topk"}},
	{"cycle.max_miners_per_validator", []string{"evaluation.foreground_top_n"}},
}

// Why settings mean nothing here.
const (
	whyChain    = "it is looked up on chain by the wallet's hotkey"
	whyModel    = "the model's config.json says so"
	whyAux      = "no balance loss is added in training, as in upstream's"
	whyTorch    = "the model runs on this program's own engine"
	whyDevice   = "the engine takes the device that there is"
	whyHivemind = "validators do not average over hivemind here"
	whyText     = "text is read from the directory in task.data"
	whyOwnDir   = "it is always in the run's own directory, under upstream's name"
	whyEach     = "the loss is measured whenever a checkpoint is written"
	whyRun      = "a neuron's run in Weights & Biases is that of its part of the model: wandb_partial_id names it"
	whyHubArch  = "no archive is kept on the hub"
	whyCohort   = "groups are chosen anew in each round, as in upstream's"
	whyMatching = "what the engine evaluates is drawn from the text by the round's seed"
	whyDead     = "nor had it in any version of upstream's"
)

// meaningless are upstream's settings, of any version, that have no effect here,
// and why. A file may hold them.
var meaningless = []struct{ name, why string }{
	{"chain.uid", whyChain},
	{"chain.hotkey_ss58", "it is read from the wallet"},
	{"chain.coldkey_ss58", "it is read from the wallet"},
	{"model.base_arch_model", whyModel},
	{"model.foundation", "the base model is always loaded whole"},
	{"model.torch_compile", whyTorch},
	{"model.attn_implementation", whyTorch},
	{"model.use_flash_attention", whyTorch},
	{"model.device", whyDevice},
	{"model.quantization", "frozen parameters are kept as the model has them"},
	{"moe.interleave", whyModel},
	{"moe.num_experts", whyModel},
	{"moe.num_experts_per_tok", whyModel},
	{"moe.full_topk", "only the group's own experts are trained and evaluated: partial_topk counts"},
	{"moe.aux_load_balance", whyAux},
	{"moe.router_aux_loss_coef", whyAux},
	{"moe.partial_moe", "a neuron always has its group's experts, and no others"},
	{"moe.num_worker_groups", "the expert groups are those of the task"},
	{"opt.adamw_optim_bits", "moments are kept in 32 bits"},
	{"ckpt.strict_sharding", "a shard with a tensor that is no expert's of its group is always refused"},
	{"ckpt.full_validation_interval", whyEach},
	{"ckpt.validator_checkpoint_path", whyOwnDir},
	{"ckpt.download_concurrency", whyDead},
	{"ckpt.miner_submission_path", whyOwnDir},
	{"ckpt.miner_submission_archive_path", whyOwnDir},
	{"ckpt.cleanup_stale_temporary_checkpoints", "what a stopped process left half done is always removed"},
	{"ckpt.miner_submission_max_age_cycles", "a submission is kept for its round"},
	{"hf.archive_repo", whyHubArch},
	{"hf.archive_keep", whyHubArch},
	{"hf.archive_squash", whyHubArch},
	{"log.wandb_full_id", whyRun},
	{"task.path", "it is base_path and expert_group_name"},
	{"task.helper_group_id", "only the group's own experts are loaded"},
	{"task.routing_mode", "a token goes to the best of the group's experts"},
	{"task.exp.routing_mode", "a token goes to the best of the group's experts"},
	{"task.exp.helper_group_id", "only the group's own experts are loaded"},
	{"task.exp.data.dataset_name", whyText},
	{"task.exp.data.data_dir", whyText},
	{"task.exp.data.dataset_sources", whyText},
	{"task.exp.data.dataset_class", "no code of others is run; " + whyText},
	{"task.exp.data.world_size", whyText},
	{"task.exp.data.rank", whyText},
	{"task.exp.data.vali_fraction", "what is held out was set apart when the text was prepared"},
	{"dataloader.world_size", whyMatching},
	{"dht.port", whyHivemind},
	{"dht.public_ip", whyHivemind},
	{"run.averager_step_timeout_sec", whyHivemind},
	{"run.averager_step_max_retries", whyHivemind},
	{"run.record_cuda_mem_history", whyTorch},
	{"log.record_cuda_mem_history", whyTorch},
	{"evaluation.cohort_state_filename", whyCohort},
	{"evaluation.cohort_window_cycles", whyCohort},
	{"evaluation.validation_group_a_size", whyDead},
	{"evaluation.eval_min_text_chars", whyMatching},
	{"evaluation.eval_dedup_prefix_chars", whyMatching},
	{"evaluation.eval_source_seeded_shard_pick", whyMatching},
	{"num_workers", "text is read as fast as the engine learns from it"},
	{"seed", "each hotkey reads the text in an order of its own, so that no two miners learn the same"},
}

// Translate implements [subnet.Translator].
func (*Config) Translate(path, value string) (subnet.Translation, bool) {
	for _, m := range meaningless {
		if m.name == path {
			return subnet.Translation{Ignored: m.why}, true
		}
	}
	for _, a := range aliases {
		if a.name != path {
			continue
		}
		if path == "fp16" {
			switch strings.ToLower(value) {
			case "true":
				value = "fp16-mixed"
			case "false":
				value = "fp32"
			}
		}
		var t subnet.Translation
		for _, to := range a.to {
			t.Settings = append(t.Settings, to+"="+value)
		}
		return t, true
	}
	return subnet.Translation{}, false
}

// Foreign implements [subnet.Translator].
func (*Config) Foreign() []string {
	var all []string
	for _, a := range aliases {
		all = append(all, a.name)
	}
	for _, m := range meaningless {
		all = append(all, m.name)
	}
	return all
}
