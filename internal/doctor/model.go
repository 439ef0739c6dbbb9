package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"adit/internal/data"
	"adit/internal/engine/model"
	"adit/internal/node"
	"adit/internal/safetensors"
	"adit/internal/subnet"
)

func (p *patient) ofModel() []Check {
	const topic = "model"
	return []Check{
		{topic, "model", []string{subnet.NeedSettings}, p.model},
		{topic, "model's tensors", []string{"model"}, p.tensors},
		{topic, "sequence length", []string{"model"}, p.sequence},
		{topic, "expert groups", []string{"model", "values of settings"}, p.experts},
		{topic, "text", []string{subnet.NeedSettings}, p.text},
		{topic, "tokenizer", []string{"model", "text"}, p.tokenizer},
		{topic, "memory for the model", []string{"model"}, p.memory},
		{topic, "disk for checkpoints", []string{"model", "values of settings"}, p.disk},
	}
}

// maxConfig is more than any config.json needs.
const maxConfig = 1 << 20

// modelDir returns the directory of the base model.
func (p *patient) modelDir() (string, error) { return node.ModelDir(p.services.Model) }

func (p *patient) model(context.Context) subnet.Finding {
	cure := p.services.Names.Model + " must name a directory with config.json and model.safetensors"
	dir, err := p.modelDir()
	if err != nil {
		return fault(err, cure)
	}
	f, err := os.Open(filepath.Join(dir, node.ConfigFile))
	if err != nil {
		return fault(err, cure)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxConfig))
	if err != nil {
		return fault(err, cure)
	}
	if p.base, err = model.ParseConfig(text); err != nil {
		return fault(fmt.Errorf("%s: %w", f.Name(), err), fmt.Sprintf("take a model of one of the families %v", model.Families()))
	}
	return subnet.Fine("%s, %.3g million parameters, in %s", p.base.ModelType, float64(p.base.Count(p.length()).Params)/1e6, dir)
}

// length is how many tokens a sequence has.
func (p *patient) length() int {
	if p.services.SeqLen > 0 {
		return p.services.SeqLen
	}
	return p.base.Positions()
}

// tensors compares the headers of the model's files with what its config.json says.
func (p *patient) tensors(context.Context) subnet.Finding {
	const cure = "download the model again: the files and config.json must be of one model"
	dir, err := p.modelDir()
	if err != nil {
		return fault(err, cure)
	}
	paths, err := node.BaseFiles(dir)
	if err != nil {
		return fault(err, cure)
	}
	found, in, size := make(map[string][]int), make(map[string]string), int64(0)
	for _, path := range paths {
		n, err := shapes(path, func(name string, shape []int) { found[name], in[name] = shape, path })
		if err != nil {
			return fault(err, cure)
		}
		size += n
	}
	where := paths[0]
	if len(paths) > 1 {
		where = fmt.Sprintf("%d files in %s", len(paths), dir)
	}
	params := p.base.Params()
	for _, want := range params {
		got, ok := found[want.Name]
		if !ok {
			return subnet.Fault(cure, "%s has no tensor %s", where, want.Name)
		}
		if !slices.Equal(got, want.Shape) {
			return subnet.Fault(cure, "%s: tensor %s is of shape %v, want %v", in[want.Name], want.Name, got, want.Shape)
		}
	}
	return subnet.Fine("all %d are in %s, %s", len(params), where, bytes(size))
}

// shapes tells of each tensor of a file, and returns the file's size.
func shapes(path string, tell func(name string, shape []int)) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	file, err := safetensors.Open(f, info.Size())
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	for i := range file.Len() {
		tell(file.Name(i), slices.Clone(file.At(i).Shape))
	}
	return info.Size(), nil
}

func (p *patient) sequence(context.Context) subnet.Finding {
	if n := p.services.SeqLen; n > p.base.Positions() {
		return subnet.Fault("set "+p.services.Names.SeqLen+" to that, or less", "sequences of %d tokens, and the model knows %d positions", n, p.base.Positions())
	}
	return subnet.Fine("%d of the model's %d positions", p.length(), p.base.Positions())
}

// experts compares the groups with the model: layers that have experts, and experts
// that are there.
func (p *patient) experts(context.Context) subnet.Finding {
	if p.groups == nil {
		return subnet.Skip("the protocol has none")
	}
	const cure = "take the expert_assignment.json of the subnet's present task, and the model it was made for"
	all := p.groups.ExpertGroups()
	var told []string
	for _, g := range slices.Sorted(maps.Keys(all)) {
		experts := 0
		for _, layer := range slices.Sorted(maps.Keys(all[g])) {
			if layer < 0 || layer >= p.base.NumHiddenLayers || !p.base.Sparse(layer) {
				return subnet.Fault(cure, "group %d has experts of layer %d, and the model has none there", g, layer)
			}
			for _, e := range all[g][layer] {
				if e < 0 || e >= p.base.NRoutedExperts {
					return subnet.Fault(cure, "group %d has expert %d of layer %d, and the model has %d", g, e, layer, p.base.NRoutedExperts)
				}
			}
			experts += len(all[g][layer])
		}
		told = append(told, fmt.Sprintf("group %d has %d experts in %d layers", g, experts, len(all[g])))
	}
	return subnet.Fine("%s", list(told))
}

func (p *patient) text(context.Context) subnet.Finding {
	if p.services.Data == "" {
		return subnet.Skip("no text is prepared before for this network")
	}
	c, err := data.OpenCorpus(p.services.Data)
	if err != nil {
		return fault(err, "prepare the text, and name its directory with task.data")
	}
	p.corpus = c
	if p.groups != nil {
		for g := range p.groups.ExpertGroups() {
			if g >= c.Domains() {
				return subnet.Fault("prepare text for each group", "%s has %d kinds of text, and none for expert group %d", p.services.Data, c.Domains(), g)
			}
		}
	}
	var told []string
	for d := range c.Domains() {
		n := max(p.services.SeqLen, 1)
		if c.HeldOutLen(d, n) == 0 || c.PassLen(d, n) == 0 {
			return subnet.Fault("prepare more text", "%s has too little of kind %d for sequences of %d tokens", p.services.Data, d, n)
		}
		told = append(told, fmt.Sprintf("%s, %d sequences and %d held out", c.Domain(d).Name, c.PassLen(d, n), c.HeldOutLen(d, n)))
	}
	return subnet.Fine("%s", list(told))
}

// tokenizer compares the text's with the model's.
func (p *patient) tokenizer(context.Context) subnet.Finding {
	const cure = "prepare the text with the model's own tokenizer.json"
	if n := p.corpus.VocabSize(); n > p.base.VocabSize {
		return subnet.Fault(cure, "the text has tokens up to %d, and the model knows %d", n, p.base.VocabSize)
	}
	dir, err := p.modelDir()
	if err != nil {
		return fault(err, cure)
	}
	_, err = os.Stat(filepath.Join(dir, "tokenizer.json"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return subnet.Fine("%d tokens, which the model knows; the text has the tokenizer, the model's directory none", p.corpus.VocabSize())
	case err != nil:
		return doubt(err, cure)
	}
	return subnet.Fine("%d tokens, which the model knows", p.corpus.VocabSize())
}

// trained counts the numbers that the role trains, of its largest group.
func (p *patient) trained() (most int) {
	if p.groups == nil {
		return p.base.Count(p.length()).Params
	}
	for g := range p.groups.ExpertGroups() {
		n := 0
		for _, q := range p.base.Params() {
			if p.groups.Owns(g, q.Name) {
				n += q.Hi - q.Lo
			}
		}
		most = max(most, n)
	}
	return most
}

// memory is compared with what parameters take, their gradients and two moments, in
// 32 bits. What goes on between them comes on top, and depends on the batch.
func (p *patient) memory(context.Context) subnet.Finding {
	need := uint64(p.base.Count(p.length()).Params) * 4
	if !p.validates {
		need += uint64(p.trained()) * 12
	}
	free, err := memory()
	if err != nil {
		return subnet.Skip("%s needed at least; the system does not tell what there is: %v", bytes(need), err)
	}
	const cure = "end other programs, or take a machine with more"
	switch {
	case free < need:
		return subnet.Fault(cure, "at least %s are needed, and %s are there", bytes(need), bytes(free))
	case free < need+need/4:
		return subnet.Doubt(cure, "at least %s are needed, with little left of %s", bytes(need), bytes(free))
	}
	return subnet.Fine("at least %s are needed of %s", bytes(need), bytes(free))
}

// disk is compared with the checkpoints and baselines that are kept, the one that is
// being written, and a gibibyte for logs.
func (p *patient) disk(context.Context) subnet.Finding {
	width := map[string]int{"f32": 4, "f16": 2, "bf16": 2}[p.services.DType]
	keep := 2
	if p.groups != nil {
		keep = p.groups.Kept()
	}
	need := uint64(2.2*float64(p.trained()*max(width, 2))*float64(keep)) + 1<<30
	at := existing(p.settings.Dir)
	free, err := diskSpace(at)
	if err != nil {
		return subnet.Skip("%s needed; the system does not tell what there is: %v", bytes(need), err)
	}
	if free < need {
		return subnet.Fault("free some, put the run's directory elsewhere, or keep fewer checkpoints", "%s are needed in %s, and %s are free", bytes(need), at, bytes(free))
	}
	return subnet.Fine("%s needed of %s that are free in %s", bytes(need), bytes(free), at)
}

// existing returns the nearest directory above path that is there.
func existing(path string) string {
	for {
		if _, err := os.Stat(path); err == nil || filepath.Dir(path) == path {
			return path
		}
		path = filepath.Dir(path)
	}
}
