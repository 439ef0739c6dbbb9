package model

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// only lists the fields of config.json that select among ways of computing of
// which one is built here, with the values that mean that one.
var only = map[string][]string{
	"attention_bias":    {"false", "null"},
	"attention_dropout": {"0", "0.0", "null"},
	"hidden_act":        {`"silu"`},
	"kv_lora_rank":      {"null"},
	"mlp_bias":          {"false", "null"},
	"moe_layer_freq":    {"1"},
	"n_group":           {"1", "null"},
	"norm_topk_prob":    {"false", "null"},
	"q_lora_rank":       {"null"},
	"qk_nope_head_dim":  {"null"},
	"qk_rope_head_dim":  {"null"},
	"rope_interleaved":  {"false", "null"},
	"rope_parameters":   {"null"},
	"rope_scaling":      {"null"},
	"scoring_func":      {`"softmax"`},
	"sliding_window":    {"null"},
	"topk_group":        {"1", "null"},
	"topk_method":       {`"greedy"`},
	"v_head_dim":        {"null"},
}

// harmless lists the fields of config.json that say nothing about what the
// model computes.
var harmless = strings.Fields(`
	_name_or_path architectures auto_map aux_loss_alpha bos_token_id dtype
	eos_token_id ep_size output_router_logits pad_token_id pretraining_tp
	router_aux_loss_coef seq_aux torch_dtype transformers_version unk_token_id
	use_cache`)

func checkField(name string, value json.RawMessage) error {
	if slices.Contains(harmless, name) {
		return nil
	}
	if values, ok := only[name]; ok {
		if !slices.Contains(values, string(value)) {
			return fmt.Errorf("%s: %.40s is not supported; it must be %s", name, value, values[0])
		}
		return nil
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		if known, _, _ := strings.Cut(f.Tag.Get("json"), ","); known == name {
			return nil
		}
	}
	return fmt.Errorf("%s: unknown field", name)
}
