package templar

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"adit/internal/subnet"
)

// firstHParams is the hparams.json of the first version, all keys of it.
const firstHParams = `{
	"compression": 100, "sequence_length": 2048, "tokenizer_name": "togethercomputer/LLaMA-2-7B-32K",
	"num_hidden_layers": 16, "hidden_size": 2048, "intermediate_size": 8192, "num_attention_heads": 8, "num_key_value_heads": 8,
	"activation_function": "swiGLU", "max_position_embeddings": 2048, "window_length": 2, "learning_rate": 7.5e-5,
	"optimizer_beta1": 0.9, "optimizer_beta2": 0.95, "optimizer_weight_decay": 0.1, "grad_clip": 1.0,
	"cosine_epoch_length": 5000, "eta_min": 1e-5, "max_history": 10, "validator_moving_alpha": 0.999, "validator_window_eval_size": 3,
	"desired_batch_size": 512, "epoch_length": 250000, "mixed_precision_param": "bfloat16", "mixed_precision_reduce": "float32",
	"window_speed": 100, "validator_norm_regularization": 0.01, "validator_weights_temperature": 10, "valdiator_sample_rate": 0.01
}`

func TestSliceHParams(t *testing.T) {
	want := slicesRules()
	want.Slice.MixedPrecisionParam, want.Slice.MixedPrecisionReduce = "bfloat16", "float32"
	got, unknown, err := slicesRules().WithHParams([]byte(firstHParams))
	if err != nil || len(unknown) > 0 || got.Slice != want.Slice {
		t.Errorf("%+v, %v, %v", got.Slice, unknown, err)
	}
	got, unknown, err = slicesRules().WithHParams([]byte(`{"window_length": 3, "grads": {"a": 1}, "Compression": 5}`))
	if err != nil || got.WindowBlocks() != 3 || !slices.Equal(unknown, []string{"Compression", "grads"}) {
		t.Errorf("windows of %d blocks, %v, %v", got.WindowBlocks(), unknown, err)
	}
}

func TestSparseHParams(t *testing.T) {
	base := sparseRules()
	got, unknown, err := base.WithHParams([]byte(`{
		"blocks_per_window": 50, "windows_per_weights": 7, "validator_offset": 2, "checkpoint_frequency": 4, "burn_rate": 0.25,
		"optimizer": {"type": "adamw", "adamw": {"learning_rate": 2e-4, "scheduler": {"warmup_steps": 750, "warm": 1}}},
		"torchtitan": {"compile": false, "fsdp_reshard_after_forward": "default", "activation_checkpoint": {"mode": "none"}},
		"max_topk_peers": 15, "checkpoint_init_version": null
	}`))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"max_topk_peers", "optimizer.adamw.scheduler.warm"}; !slices.Equal(unknown, want) {
		t.Errorf("unknown keys %v, want %v", unknown, want)
	}
	a := got.Sparse.Optimizer.AdamW
	if a.LearningRate != 2e-4 || a.Scheduler.WarmupSteps != 750 || a.Scheduler.TMax != 140_000 || a.Betas != [2]float64{0.9, 0.95} {
		t.Errorf("what was not named has changed: %+v", a)
	}
	if got.WindowBlocks() != 50 || got.WeightsEvery != 7 || got.JudgeLag != 2 || got.CheckpointEvery != 4 || got.Sparse.BurnRate != 0.25 {
		t.Errorf("%+v", got)
	}
	if got.Sparse.WireName("layers.0.ffn_norm.weight") != "layers.0.ffn_norm.weight" {
		t.Error("names are wrapped still")
	}
	if base.Sparse.Optimizer.AdamW.LearningRate != 1.17e-4 {
		t.Error("the rules themselves have changed")
	}
}

func TestHParamsRefused(t *testing.T) {
	for _, r := range []Rules{slicesRules(), sparseRules()} {
		for _, bad := range []string{
			``, `[]`, `null`, `{"window_length": 0, "blocks_per_window": 0}`, `{"compression": -1, "topk_compression": 1}`,
			`{"validator_moving_alpha": 2, "burn_rate": 1.5}`, `{"sequence_length": "long"}`, `{"sequence_length": 1e99}`,
			strings.Repeat(" ", maxHParams+1),
		} {
			got, _, err := r.WithHParams([]byte(bad))
			if err == nil {
				t.Errorf("%s: %.60s was taken", r.Name, bad)
			}
			if got.WindowBlocks() != r.WindowBlocks() {
				t.Errorf("%s: %.60s has changed the rules", r.Name, bad)
			}
		}
	}
	for _, bad := range []string{`{"optimizer": {"type": "sgd"}}`, `{"optimizer": {"type": "muon"}}`, `{"target_chunk": 32}`, `{"quantization_range": 4}`} {
		if _, _, err := sparseRules().WithHParams([]byte(bad)); err == nil {
			t.Errorf("%s was taken, which is not done here", bad)
		}
	}
}

func FuzzHParams(f *testing.F) {
	f.Add([]byte(firstHParams))
	f.Add([]byte(`{"optimizer": {"adamw": {"betas": [0.1, 0.2]}}, "anneal_mode": {"enabled": false}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, r := range []Rules{slicesRules(), sparseRules()} {
			got, _, err := r.WithHParams(data)
			if err == nil && (got.WindowBlocks() < 1 || got.Shards > 0 && got.Shard(12345).Index < 0) {
				t.Errorf("windows of %d blocks", got.WindowBlocks())
			}
		}
	})
}

// Every generation's own numbers are such as a file may have, and stay as they are
// when they are written and read.
func TestGenerations(t *testing.T) {
	names := make(map[string]bool)
	for _, r := range Generations() {
		var own any = r.Sparse
		if r.Scheme == SliceScheme {
			own = r.Slice
		}
		text, err := json.Marshal(own)
		if err != nil {
			t.Fatal(err)
		}
		got, unknown, err := r.WithHParams(text)
		if err != nil || len(unknown) > 0 {
			t.Errorf("%s: %v, %v", r.Name, unknown, err)
		}
		if got.WindowBlocks() != r.WindowBlocks() || got.WeightsEvery != r.WeightsEvery || got.CheckpointEvery != r.CheckpointEvery {
			t.Errorf("%s: read back %+v", r.Name, got)
		}
		if names[r.Name] {
			t.Errorf("%s is there twice", r.Name)
		}
		names[r.Name] = true
		small, err := RulesByName(r.Name + "/20")
		if err != nil || small.WindowBlocks() != 20 || small.Name != r.Name+"/20" {
			t.Errorf("%s/20: %v", r.Name, err)
		}
		if r.Version != "" && !isVersion(r.Version) {
			t.Errorf("version %q", r.Version)
		}
	}
	for name, blocks := range map[string]subnet.Block{"slices": 2, "r2": 3, "sparse": 115, "sparse-2.1.3": 125, "adit": 115} {
		if r, err := RulesByName(name); err != nil || r.WindowBlocks() != blocks {
			t.Errorf("%s: %d blocks, %v", name, r.WindowBlocks(), err)
		}
	}
	for _, bad := range []string{"", "demo", "sparse/", "sparse/1", "sparse/020", "sparse/-1", "sparse/20/20"} {
		if _, err := RulesByName(bad); err == nil {
			t.Errorf("there are rules %q", bad)
		}
	}
}
