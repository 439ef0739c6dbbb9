package solo

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"adit/internal/engine/device"
	"adit/internal/engine/model"
	"adit/internal/engine/pretrained"
	"adit/internal/subnet"
	"adit/internal/tensor"
)

// buffers are tensors that the transformers library has written beside the
// parameters and computes anew when it loads them: masks, and the frequencies of
// rotary positions.
var buffers = regexp.MustCompile(`(^|\.)(attn\.(bias|masked_bias)|rotary_emb\.inv_freq)$`)

// The names of the head, which files of models that tie it may hold as well, and
// of the embeddings that it is tied to.
const headName = "lm_head.weight"

var embeddings = []string{"model.embed_tokens.weight", "transformer.wte.weight"}

// bases are the prefixes that files of a model without its head lack.
var bases = []string{"model.", "transformer."}

const hintMismatch = "the weights and config.json are of different models or versions; download or copy all of the files again"

// loadWeights gives m the parameters in dir: each of them, and nothing is left
// over. It returns what a person should know about them.
func loadWeights(ctx context.Context, dev device.Device, m *model.Model, dir *pretrained.Dir, progress func(done, total int64)) (notes []string, err error) {
	tied := m.Config().TieWordEmbeddings
	unused := make(map[string]bool)
	for _, name := range dir.Names() {
		unused[name] = true
	}
	var missing []string
	var vals []float32
	total := 0
	for _, p := range m.Params() {
		total += p.Hi - p.Lo
	}
	done := 0
	for _, p := range m.Params() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		name, ok := find(dir, p.Name, tied)
		if !ok {
			missing = append(missing, p.Name)
			continue
		}
		delete(unused, name)
		info, _ := dir.Info(name)
		if !slices.Equal(info.Shape, p.Shape) {
			return nil, subnet.WithHint(fmt.Errorf("model %s: %s: tensor %q has the shape %v, and by config.json it would be %v", dir.Path(), info.File, name, info.Shape, p.Shape), hintMismatch)
		}
		if vals, err = dir.Floats(name, vals); err != nil {
			return nil, err
		}
		dev.Upload(m.Weights(p), vals)
		done += p.Hi - p.Lo
		progress(int64(done), int64(total))
	}
	if len(missing) > 0 {
		return nil, subnet.WithHint(fmt.Errorf("model %s: %d of %d parameters are not in its files, such as %q", dir.Path(), len(missing), len(m.Params()), missing[0]), hintMismatch)
	}
	for _, name := range dir.Names() {
		if !unused[name] || buffers.MatchString(name) {
			continue
		}
		info, _ := dir.Info(name)
		if name != headName || !tied {
			return nil, subnet.WithHint(fmt.Errorf("model %s: %s: tensor %q is not part of the model that config.json describes", dir.Path(), info.File, name), hintMismatch)
		}
		same, err := sameAsEmbedding(dev, m, dir)
		if err != nil {
			return nil, err
		}
		if !same {
			notes = append(notes, fmt.Sprintf("%s: %s differs from the embedding and is not used, as tie_word_embeddings in config.json makes them one", info.File, headName))
		}
	}
	return notes, nil
}

// find returns the name under which a parameter is in dir.
func find(dir *pretrained.Dir, param string, tied bool) (string, bool) {
	names := []string{param}
	for _, base := range bases {
		if short, ok := strings.CutPrefix(param, base); ok {
			names = append(names, short)
		}
	}
	if tied && slices.Contains(embeddings, param) {
		names = append(names, headName) // where the one that is kept is the head
	}
	for _, name := range names {
		if _, ok := dir.Info(name); ok {
			return name, true
		}
	}
	return "", false
}

// sameAsEmbedding reports whether the head in dir is m's embedding.
func sameAsEmbedding(dev device.Device, m *model.Model, dir *pretrained.Dir) (bool, error) {
	i := slices.IndexFunc(m.Params(), func(p model.Param) bool { return slices.Contains(embeddings, p.Name) })
	if i < 0 {
		return true, nil // unreachable: every family has one
	}
	p := m.Params()[i]
	head, err := dir.Floats(headName, nil)
	if err != nil {
		return false, err
	}
	embedding := make([]float32, p.Hi-p.Lo)
	dev.Download(embedding, m.Weights(p))
	return slices.Equal(head, embedding), nil
}

// weightSources are the model's parameters, for a file of the given float type.
func weightSources(dev device.Device, m *model.Model, dtype tensor.DType) []pretrained.Source {
	var vals []float32
	var out []pretrained.Source
	for _, p := range m.Params() {
		out = append(out, pretrained.Source{Name: p.Name, DType: dtype, Shape: p.Shape, Floats: func(use func([]float32) error) error {
			vals = slices.Grow(vals[:0], p.Hi-p.Lo)[:p.Hi-p.Lo]
			dev.Download(vals, m.Weights(p))
			return use(vals)
		}})
	}
	return out
}
