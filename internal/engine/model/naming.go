package model

// A naming is what a library calls the parts of a [decoder] network.
type naming struct {
	embed string
	layer string // its number goes in, and what follows comes after it

	attnNorm, attn string
	q, k, v, out   string // after attn
	mlpNorm, mlp   string
	gate, up, down string // after mlp
	norm, head     string
}

// naming returns that of the model's own library.
func (c Config) naming() naming {
	if c.ModelType == Torchtitan {
		return naming{
			embed: "tok_embeddings.weight", layer: "layers.%d.",
			attnNorm: "attention_norm.weight", attn: "attention.",
			q: "wq.weight", k: "wk.weight", v: "wv.weight", out: "wo.weight",
			mlpNorm: "ffn_norm.weight", mlp: "feed_forward.",
			gate: "w1.weight", up: "w3.weight", down: "w2.weight",
			norm: "norm.weight", head: "output.weight",
		}
	}
	return naming{
		embed: "model.embed_tokens.weight", layer: "model.layers.%d.",
		attnNorm: "input_layernorm.weight", attn: "self_attn.",
		q: "q_proj.weight", k: "k_proj.weight", v: "v_proj.weight", out: "o_proj.weight",
		mlpNorm: "post_attention_layernorm.weight", mlp: "mlp.",
		gate: "gate_proj.weight", up: "up_proj.weight", down: "down_proj.weight",
		norm: "model.norm.weight", head: "lm_head.weight",
	}
}
