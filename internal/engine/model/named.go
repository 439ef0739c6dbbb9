package model

import (
	"cmp"
	"slices"
	"strings"
)

// modules lists the parts of a layer in the order in which the model's own library
// makes them, which is that of named_parameters.
var modules = strings.Fields(`
	self_attn.q_proj self_attn.q_a_proj self_attn.q_a_layernorm self_attn.q_b_proj
	self_attn.kv_a_proj_with_mqa self_attn.kv_a_layernorm self_attn.kv_b_proj
	self_attn.k_proj self_attn.v_proj self_attn.o_proj self_attn.q_norm self_attn.k_norm
	attention.wq attention.wk attention.wv attention.wo
	mlp.gate_proj mlp.up_proj mlp.down_proj mlp
	feed_forward.w1 feed_forward.w2 feed_forward.w3
	input_layernorm post_attention_layernorm attention_norm ffn_norm`)

// Named returns parameters in the order of named_parameters, in which networks
// draw random numbers for them and deal them out. It is not that in which they are
// stored, where those lie together that are multiplied at once. Experts are in the
// order in which they are stored.
func Named(stored []Param) []Param {
	type placed struct {
		Param
		first  int // where its layer begins; outside the layers, where it is itself
		module int
	}
	all, begins := make([]placed, len(stored)), map[string]int{}
	for i, p := range stored {
		all[i] = placed{p, i, 0}
		for m, name := range modules {
			if layer, _, ok := strings.Cut(p.Name, "."+name+"."); ok {
				if _, ok := begins[layer]; !ok {
					begins[layer] = i
				}
				all[i].first, all[i].module = begins[layer], m
				break
			}
		}
	}
	slices.SortStableFunc(all, func(a, b placed) int {
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.module, b.module))
	})
	out := make([]Param, len(all))
	for i, p := range all {
		out[i] = p.Param
	}
	return out
}
