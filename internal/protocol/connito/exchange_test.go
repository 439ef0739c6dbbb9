package connito

import (
	"strings"
	"testing"

	"adit/internal/protocol/actor"
	"adit/internal/subnet"
	"adit/internal/tensor"
)

// TestMergeRequests asks a validator for its part as another one, and as those who
// may not.
func TestMergeRequests(t *testing.T) {
	t.Parallel()
	sc := begin(t, G2Early)
	other := sc.actor("other validator", true)
	asker := sc.neuron(t, G2Early, other, sc.group)
	stranger := sc.neuron(t, G2Early, sc.actor("stranger", true), sc.group)
	sc.meta.Neurons = sc.meta.Neurons[:3]
	list := []string{string(sc.validator.Me), string(other)}
	sc.validator.cfg.Cycle.ValidatorWhitelist = list
	sc.validator.cfg.Chain.ServerLax = []string{"upstream", "download_signature"}
	sc.open(t)

	ask := func(n *neuron, target subnet.Hotkey, what string) (int, string) {
		r, err := n.askMerge(t.Context(), sc.at, target, what, 808, 0)
		if err != nil {
			t.Fatal(err)
		}
		status, _, text := sc.ask(t, r)
		return status, text
	}
	for _, tt := range []struct {
		name   string
		from   *neuron
		target subnet.Hotkey
		what   string
		want   int
	}{
		{"nothing yet", asker, sc.validator.Me, "head", 404},
		{"a miner", sc.miner, sc.validator.Me, "head", 403},
		{"a stranger", stranger, sc.validator.Me, "part", 403},
		{"meant for another", asker, other, "list", 403},
		{"no momentum", asker, sc.validator.Me, "momentum", 404},
	} {
		if got, text := ask(tt.from, tt.target, tt.what); got != tt.want {
			t.Errorf("%s: %d %s, want %d", tt.name, got, text, tt.want)
		}
	}
	forged := sc.neuron(t, G2Early, other, sc.group)
	forged.Signer = actorKey{other, sc.keys[sc.miner.Me]}
	if got, _ := ask(forged, sc.validator.Me, "head"); got != 403 {
		t.Errorf("badly signed: %d, although no laxity applies", got)
	}

	d := Gradient{"model.layers.1.mlp.experts.22.down_proj": {1, 2}}.tensors(tensor.Dict{
		"model.layers.1.mlp.experts.22.down_proj": tensor.FromFloats(tensor.F16, []int{2}, []float32{0, 0}),
	})
	h := mergeHead{Hotkey: sc.validator.Me, Round: 808, Base: "base", Hash: Hash(d), Signature: "s"}
	sc.server.board.show(mergeHead{Hotkey: sc.validator.Me, Round: 336, Base: "old"})
	sc.server.board.show(h)
	put(t, sc.validator.Dir, partFile(808, 0, sc.validator.Me), []byte("part"))
	if got, text := ask(asker, sc.validator.Me, "head"); got != 200 || strings.TrimSpace(text) != actor.JSON(h) {
		t.Errorf("head: %d %s", got, text)
	}
	if got, text := ask(asker, sc.validator.Me, "part"); got != 200 || text != "part" {
		t.Errorf("part: %d %s", got, text)
	}
	if got, _ := ask(asker, sc.validator.Me, "list"); got != 404 {
		t.Errorf("list: %d, want not yet", got)
	}
	if _, ok := sc.server.board.find(336, 0, false); ok {
		t.Error("an old part is still on the board")
	}
}
