package templar

import (
	"fmt"
	"strings"

	"adit/internal/subnet"
)

// A Llama is the form of the network's models.
type Llama struct {
	Vocab, Hidden, Layers, Heads, KVHeads, FFN int
	Tied                                       bool // the head is the embedding
}

// Model returns the form of the model that hparams.json tells, of a vocabulary of
// so many tokens.
func (h SliceHParams) Model(vocab int) Llama {
	return Llama{vocab, int(h.HiddenSize), int(h.NumHiddenLayers), int(h.NumAttentionHeads), int(h.NumKeyValueHeads), int(h.IntermediateSize), false}
}

// Model70B is the model of the last run.
var Model70B = Llama{Vocab: 262_144, Hidden: 8192, Layers: 80, Heads: 64, KVHeads: 8, FFN: 28_672, Tied: true}

// A part is one tensor of a layer, under its two names.
type part struct {
	hf, titan string
	rows      func(Llama) int
	cols      func(Llama) int // nil for a vector
}

func hidden(l Llama) int { return l.Hidden }
func ffn(l Llama) int    { return l.FFN }
func kv(l Llama) int     { return l.Hidden / l.Heads * l.KVHeads }

// layerParts are the tensors of a layer in the order of transformers'
// named_parameters.
var layerParts = []part{
	{"self_attn.q_proj.weight", "attention.wq.weight", hidden, hidden},
	{"self_attn.k_proj.weight", "attention.wk.weight", kv, hidden},
	{"self_attn.v_proj.weight", "attention.wv.weight", kv, hidden},
	{"self_attn.o_proj.weight", "attention.wo.weight", hidden, hidden},
	{"mlp.gate_proj.weight", "feed_forward.w1.weight", ffn, hidden},
	{"mlp.up_proj.weight", "feed_forward.w3.weight", ffn, hidden},
	{"mlp.down_proj.weight", "feed_forward.w2.weight", hidden, ffn},
	{"input_layernorm.weight", "attention_norm.weight", hidden, nil},
	{"post_attention_layernorm.weight", "ffn_norm.weight", hidden, nil},
}

// titanOrder is the order of layerParts in torchtitan's named_parameters.
var titanOrder = [...]int{0, 1, 2, 3, 4, 6, 5, 7, 8}

// The tensors besides those of the layers.
const (
	hfEmbed, titanEmbed = "model.embed_tokens.weight", "tok_embeddings.weight"
	hfNorm, titanNorm   = "model.norm.weight", "norm.weight"
	hfHead, titanHead   = "lm_head.weight", "output.weight"
)

// HFParams returns the parameters in the order, and under the names, of
// transformers: those of the slices.
func (l Llama) HFParams() []subnet.Param {
	list := []subnet.Param{{Name: hfEmbed, Shape: []int{l.Vocab, l.Hidden}}}
	for i := range l.Layers {
		for _, p := range layerParts {
			list = append(list, subnet.Param{Name: fmt.Sprintf("model.layers.%d.%s", i, p.hf), Shape: p.shape(l)})
		}
	}
	list = append(list, subnet.Param{Name: hfNorm, Shape: []int{l.Hidden}})
	if !l.Tied {
		list = append(list, subnet.Param{Name: hfHead, Shape: []int{l.Vocab, l.Hidden}})
	}
	return list
}

// TitanParams returns the parameters in the order, and under the names, of
// torchtitan: those of the sparse generations.
func (l Llama) TitanParams() []subnet.Param {
	list := []subnet.Param{{Name: titanEmbed, Shape: []int{l.Vocab, l.Hidden}}}
	for i := range l.Layers {
		for _, at := range titanOrder {
			p := layerParts[at]
			list = append(list, subnet.Param{Name: fmt.Sprintf("layers.%d.%s", i, p.titan), Shape: p.shape(l)})
		}
	}
	list = append(list, subnet.Param{Name: titanNorm, Shape: []int{l.Hidden}})
	if !l.Tied {
		list = append(list, subnet.Param{Name: titanHead, Shape: []int{l.Vocab, l.Hidden}})
	}
	return list
}

func (p part) shape(l Llama) []int {
	if p.cols == nil {
		return []int{p.rows(l)}
	}
	return []int{p.rows(l), p.cols(l)}
}

// TitanName returns torchtitan's name of a parameter of transformers, and HFName
// the other way round; false if there is none.
//
// The names are all that is changed. The two place the rows of queries and keys in
// another order, for a rotary embedding that turns neighbours and not halves.
func TitanName(hf string) (string, bool) { return rename(hf, "model.layers.", "layers.", false) }

// HFName is the inverse of [TitanName].
func HFName(titan string) (string, bool) { return rename(titan, "layers.", "model.layers.", true) }

func rename(name, from, to string, back bool) (string, bool) {
	pairs := [][2]string{{hfEmbed, titanEmbed}, {hfNorm, titanNorm}, {hfHead, titanHead}}
	for _, p := range layerParts {
		pairs = append(pairs, [2]string{p.hf, p.titan})
	}
	rest, layered := strings.CutPrefix(name, from)
	number, rest, _ := strings.Cut(rest, ".")
	for i, p := range pairs {
		if back {
			p[0], p[1] = p[1], p[0]
		}
		switch {
		case i < 3 && name == p[0]:
			return p[1], true
		case i >= 3 && layered && isNumber(number) && rest == p[0]:
			return to + number + "." + p[1], true
		}
	}
	return "", false
}

func isNumber(s string) bool {
	return s != "" && len(s) < 6 && strings.Trim(s, "0123456789") == ""
}

// What torch.compile and activation checkpointing put into names.
const (
	compiled     = "_orig_mod."
	checkpointed = "_checkpoint_wrapped_module."
)

// CanonicalName takes the words out of a parameter's name that say how upstream
// has wrapped its model.
func CanonicalName(wire string) string {
	return strings.ReplaceAll(strings.ReplaceAll(wire, compiled, ""), checkpointed, "")
}

// WireName puts them in again: what a layer's parameters are called in the
// gradients of this generation.
func (h SparseHParams) WireName(name string) string {
	var words string
	if h.Titan.Compile {
		words += compiled
	}
	if m := h.Titan.Checkpointing.Mode; m != "" && m != "none" {
		words += checkpointed
	}
	rest, layered := strings.CutPrefix(name, "layers.")
	number, rest, cut := strings.Cut(rest, ".")
	if !layered || !cut || !isNumber(number) {
		return name
	}
	return "layers." + number + "." + words + rest
}
