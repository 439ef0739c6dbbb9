package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"adit/internal/config"
	"adit/internal/protocol/templar"
)

// hparamsFile holds the numbers of a network that its machine is too small for.
const hparamsFile = "hparams.json"

// hparams are those in which a local network differs from its generation besides the
// length of a window: the model is small, and learns in minutes.
func (r templarRecipe) hparams() map[string]any {
	if !r.gradients() {
		return map[string]any{
			// A fifth of the model is exchanged in each window, so that neurons stay
			// together over the few windows that a person watches.
			"compression": 5, "sequence_length": sequenceLength,
			"hidden_size": toyWidth, "num_hidden_layers": toyLayers, "intermediate_size": toyInner,
			"num_attention_heads": toyHeads, "num_key_value_heads": toyHeads, "max_position_embeddings": sequenceLength,
			"learning_rate": 1e-2, "eta_min": 1e-3, "num_warmup_steps": 4,
			"validator_window_eval_size": 1, "validator_learning_rate_scale_factor": 0.1, "validator_moving_alpha": 0.5,
		}
	}
	return map[string]any{
		"model_size": "local", "sequence_length": sequenceLength,
		"hidden_size": toyWidth, "num_hidden_layers": toyLayers, "intermediate_size": toyInner,
		"num_attention_heads": toyHeads, "num_key_value_heads": toyHeads, "max_position_embeddings": sequenceLength,
		"vocab_size":       vocabSize,
		"micro_batch_size": 4, "batch_size": 16, "target_batch_size": 16, "inner_steps": 6,
		"optimizer":  map[string]any{"adamw": map[string]any{"learning_rate": 4e-3}},
		"torchtitan": map[string]any{"compile": false, "tie_embeddings": false},
	}
}

// writeConfig implements [recipe].
func (r templarRecipe) writeConfig(n *Network, m member) error {
	dir := n.plan.neuronDir(n.dir, m)
	path := filepath.Join(dir, "config.yaml")
	if _, err := os.Stat(path); err == nil {
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	tok, err := readTokenizer(filepath.Join(n.plan.genesisDir(n.dir), tokenizerFile))
	if err != nil {
		return err
	}
	c := templar.Defaults(r.rules.Name)
	c.NetUID, c.Project = n.plan.NetUID, "local"
	c.Wallet.Path, c.Wallet.Name, c.Wallet.Hotkey = n.plan.walletDir(n.dir), m.Name, hotkeyName
	c.Subtensor.Network = n.plan.chainURL()
	c.Model, c.HParams = n.plan.genesisDir(n.dir), filepath.Join(n.plan.genesisDir(n.dir), hparamsFile)
	c.Device, c.Remote, c.SyncState, c.Cheat = "cpu", true, m.Join > 0, m.Cheat
	c.Threads = max(1, runtime.NumCPU()/len(n.plan.Neurons))
	// The tokenizer has but one special token. No text begins with a zero byte.
	c.DataSet.EOS = fmt.Sprint(tok.End())
	c.DataSet.BOS = fmt.Sprint(tok.Encode("\x00")[0])
	if r.rules.Commitment == templar.BucketName {
		c.Bucket = m.Bucket.Name
	}
	if !r.gradients() {
		c.ActualBatchSize = 8
	}
	c.Save.EverySec = 5
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return config.Write(path, c, fmt.Sprintf("%s of a local network. Restart it to make changes count.", m.Name))
}

// settings implements [recipe].
func (r templarRecipe) settings(p *plan, _ member) []string {
	set := []string{"subtensor.network=" + p.chainURL(), "s3.endpoint=" + p.s3URL()}
	if !r.gradients() {
		set = append(set, "dataset.url="+p.pagesURL())
	}
	return set
}

// secrets implements [recipe]: the keys of buckets under upstream's names.
func (r templarRecipe) secrets(p *plan, m member) []string {
	if r.rules.Commitment == templar.BucketName {
		return []string{templar.EnvAWSKey + "=" + m.Bucket.Write.Access, templar.EnvAWSSecret + "=" + m.Bucket.Write.Secret}
	}
	env := storeEnv(templar.GradientStore, m.Bucket, true)
	for _, b := range p.Buckets {
		switch b.Name {
		case dataSetBucket:
			env = append(env, storeEnv(templar.DataSetStore, b, false)...)
			env = append(env, templar.EnvBinsPath+"="+shardDir)
		case aggregatorBucket:
			env = append(env, storeEnv(templar.AggregatorStore, b, m.Role == "validate")...)
		}
	}
	return env
}

// storeEnv is what the environment says of a bucket.
func storeEnv(s templar.Store, b bucket, write bool) []string {
	values := []string{b.Name, b.Name, b.Read.Access, b.Read.Secret, b.Write.Access, b.Write.Secret}
	if !write {
		values = values[:4]
	}
	var env []string
	for i, value := range values {
		env = append(env, s.EnvNames()[i]+"="+value)
	}
	return env
}

// writeHParams writes the network's hparams.json into a directory.
func (r templarRecipe) writeHParams(dir string) error {
	text, err := json.MarshalIndent(r.hparams(), "", "  ")
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, hparamsFile), append(text, '\n'))
}
