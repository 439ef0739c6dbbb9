package doctor

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"adit/internal/engine/model"
	"adit/internal/journal"
	"adit/internal/keys"
	"adit/internal/ledger"
	"adit/internal/local/chainnode"
	"adit/internal/protocol/connito"
	"adit/internal/wallet"
)

// newChainOnly starts another chain, without any subnet but root's.
func newChainOnly(t *testing.T) (url string) {
	t.Helper()
	genesis := ledger.DevGenesis()
	genesis.Balances[[32]byte{1}] = 1 // which makes it another one
	node, err := chainnode.Open(chainnode.Options{Dir: t.TempDir(), BlockTime: 100 * time.Millisecond, Genesis: genesis})
	if err != nil {
		t.Fatal(err)
	}
	l, err := chainnode.Listen(0)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() { _ = node.Serve(ctx, l) })
	group.Go(func() { _ = node.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		group.Wait()
		node.Close()
	})
	return "ws://" + l.Addr().String()
}

// cases are of settings, the chain, the hub and the model.
func cases(w *world, otherChain string) []sick {
	return []sick{
		{name: "miner in good health", finds: map[string]string{
			"settings file": "ok: config.yaml is read", "registered": "ok: uid 1 on subnet 1", "repository": "ok: is not there yet", "phase service": "ok: its lengths are those of rules local",
			"phase service's cycle": "ok: there too", "validator whitelist": "ok: 1 listed by the owner's service, 1 of them registered", "axon's port": "ok: is free",
			"expert groups": "ok: group 0 has 8 experts in 4 layers", "past states": "ok: can be read", "baseline": "warn: no validator has committed / wait",
			"subnet": "ok: 3 neurons", "clock against the hub": "ok: within seconds", "kernels": "ok: portable",
		}},
		{name: "validator in good health", role: "validator", finds: map[string]string{
			"validator permit": "ok: uid 2 may set weights", "stake": "ok: ", "pace of weights": "ok: weights may be set", "commit and reveal": "ok: off",
		}},
		{name: "values", change: func(c *connito.Config) {
			c.Opt.LR, c.Evaluation.Sequences = -1, 0
		}, finds: map[string]string{
			"settings file": "ok: ", "values of settings": "fail: opt.lr: must be above 0\nevaluation.sequences: must be above 0 / correct these",
			"expert groups": "skip: see values of settings", "axon's port": "skip: ", "disk for checkpoints": "skip: ", "registered": "ok: ",
		}},
		{name: "rules", change: func(c *connito.Config) { c.Rules = "g9" }, finds: map[string]string{
			"values of settings": "fail: unknown rules", "rules": "fail: unknown rules / set rules to one of local", "time": "skip: see rules", "expert groups": "skip: ",
			"axon's address": "skip: ", "axon's port": "skip: ", "disk for checkpoints": "skip: ",
		}},
		{name: "no chain", change: func(c *connito.Config) { c.Chain.Endpoints = []string{"ws://127.0.0.1:1"} }, finds: map[string]string{
			"chain": "fail: / that a node listens there", "endpoints": "fail: none of 1 answers / check", "subnet": "skip: see chain", "registered": "skip: see subnet", "hub": "ok: ",
		}},
		{name: "one endpoint of three", change: func(c *connito.Config) {
			c.Chain.Endpoints = []string{w.chainURL, "ws://127.0.0.1:1", otherChain}
		}, finds: map[string]string{"chain": "ok: ", "endpoints": "warn: 2 of 3 do not serve: / take it out"}},
		{name: "another chain", change: func(c *connito.Config) { c.Chain.Endpoints = []string{otherChain} }, finds: map[string]string{
			"subnet": "fail: there is no subnet 1 on this chain / adit subnet list", "past states": "skip: see subnet", "validator whitelist": "skip: ",
		}},
		{name: "no such subnet", change: func(c *connito.Config) { c.Chain.NetUID = 77 }, finds: map[string]string{"subnet": "fail: there is no subnet 77"}},
		{name: "not registered", change: func(c *connito.Config) { c.Chain.ColdkeyName = "stranger" }, finds: map[string]string{
			"registered":              "fail: is no neuron of subnet 1; registering costs / adit subnet register --netuid 1 --wallet-name stranger --wallet-hotkey default",
			"coldkey owns the hotkey": "warn: has no owner on chain yet", "balance": "fail: the coldkey has 0.0000 TAO, and registering costs", "immunity": "skip: see registered",
		}},
		{name: "short rounds", role: "validator", change: func(c *connito.Config) { c.Cycle.TrainPeriod = 40 }, finds: map[string]string{
			"pace of weights": "warn: weights may be set every 90 blocks, and a round has 84 / ask the subnet's owner", "phase service": "warn: ", "phase service's cycle": "ok: "}},
		{name: "no permit", role: "validator", change: func(c *connito.Config) { c.Chain.ColdkeyName = "miner" }, finds: map[string]string{
			"validator permit": "fail: uid 1 has no permit / stake more", "stake": "fail: has no stake / adit stake add",
		}},
		{name: "somebody else's hotkey", change: func(c *connito.Config) { c.Chain.HotkeyName = "borrowed" }, run: func(t *testing.T, w *world, _ string) {
			k, err := wallet.At(w.path("wallets"), "miner", "borrowed")
			if err == nil {
				_, err = k.CreateHotkey("//Charlie/hot")
			}
			if err != nil {
				t.Fatal(err)
			}
		}, finds: map[string]string{"coldkey owns the hotkey": "warn: the hotkey's owner on chain is / give the wallet", "registered": "ok: uid 2"}},
		{name: "no token", change: func(c *connito.Config) { c.HF.TokenEnvVar = "TOKEN_NONE" }, finds: map[string]string{
			"hub token": "fail: TOKEN_NONE is not set / export it as TOKEN_NONE", "hub": "ok: ", "repository": "skip: see hub token", "hub token may write": "skip: "}},
		{name: "wrong token", change: func(c *connito.Config) { c.HF.TokenEnvVar = "TOKEN_WRONG" }, finds: map[string]string{"hub token": "fail: status 401"}},
		{name: "token that reads", change: func(c *connito.Config) { c.HF.TokenEnvVar = "TOKEN_READ" }, finds: map[string]string{"hub token may write": "fail: its role is read / make a token"}},
		{name: "token that is fine-grained", change: func(c *connito.Config) { c.HF.TokenEnvVar, c.HF.CheckpointRepo = "TOKEN_FINE", "guild/co" }, finds: map[string]string{
			"hub token may write": "fail: no permission to write / give this one write access", "repository": "ok: guild/co is not there yet"}},
		{name: "no hub", change: func(c *connito.Config) { c.HF.Endpoint = "http://127.0.0.1:1" }, finds: map[string]string{
			"hub": "fail: / check hf.endpoint", "hub token": "skip: see hub", "clock against the hub": "skip: see hub", "repository": "skip: "}},
		{name: "another's repository", change: func(c *connito.Config) { c.HF.CheckpointRepo = "nobody/co" }, finds: map[string]string{
			"repository": "fail: nobody/co belongs to nobody, and the token to miner / set hf.checkpoint_repo to miner/co"}},
		{name: "repository of 32 characters", change: func(c *connito.Config) { c.HF.CheckpointRepo = "miner/" + strings.Repeat("x", 26) }, finds: map[string]string{
			"commitments fit": "warn: from block 10000000 on / choose a shorter"}},
		{name: "no model", change: func(c *connito.Config) { c.Model.ModelPath = w.path("nowhere") }, finds: map[string]string{
			"model": "fail: no such file / model.model_path must name", "model's tensors": "skip: see model", "memory for the model": "skip: ", "expert groups": "skip: ", "tokenizer": "skip: "}},
		{name: "model of an unknown family", change: func(c *connito.Config) { c.Model.ModelPath = w.path("strange") }, run: func(t *testing.T, w *world, _ string) {
			put(t, w.path("strange", "config.json"), `{"model_type":"crystal_ball","vocab_size":300}`)
		}, finds: map[string]string{"model": "fail: crystal_ball / "}},
		{name: "tensors of another model", change: func(c *connito.Config) { c.Model.ModelPath = w.path("mixed") }, run: func(t *testing.T, w *world, _ string) {
			wide := model.Small(300, 2)
			wide.MoEIntermediateSize *= 2
			w.writeModel(t, "mixed", wide, model.Small(300, 2))
		}, finds: map[string]string{"model's tensors": "fail: is of shape / download the model again"}},
		{name: "model that lacks a layer", change: func(c *connito.Config) { c.Model.ModelPath = w.path("short") }, run: func(t *testing.T, w *world, _ string) {
			few := model.Small(300, 2)
			few.NumHiddenLayers--
			w.writeModel(t, "short", model.Small(300, 2), few)
		}, finds: map[string]string{"model's tensors": "fail: has no tensor model.layers.3"}},
		{name: "model in shards", change: func(c *connito.Config) { c.Model.ModelPath = w.path("shards") }, run: func(t *testing.T, w *world, _ string) {
			w.writeShards(t, "shards", 2)
		}, finds: map[string]string{"model's tensors": "ok: in 2 files in"}},
		{name: "model in shards of which one is missing", change: func(c *connito.Config) { c.Model.ModelPath = w.path("half") }, run: func(t *testing.T, w *world, _ string) {
			w.writeShards(t, "half", 1)
		}, finds: map[string]string{"model's tensors": "fail: 2.safetensors / download the model again"}},
		{name: "smaller vocabulary", change: func(c *connito.Config) { c.Model.ModelPath = w.path("terse") }, run: func(t *testing.T, w *world, _ string) {
			w.writeModel(t, "terse", model.Small(100, 2), model.Small(100, 2))
		}, finds: map[string]string{"tokenizer": "fail: and the model knows 100 / prepare the text with the model's own"}},
		{name: "no text", change: func(c *connito.Config) { c.Task.Data = w.path("nowhere") }, finds: map[string]string{"text": "fail: / ", "tokenizer": "skip: see text"}},
		{name: "long sequences", change: func(c *connito.Config) { c.Task.SequenceLength = 1 << 20 }, finds: map[string]string{
			"sequence length": "fail: sequences of 1048576 tokens, and the model knows / set task.sequence_length", "text": "fail: too little", "tokenizer": "skip: "}},
		{name: "experts that are not there", change: func(c *connito.Config) { c.Task.Groups[0].Assignment[2] = [][2]int{{0, 99}} }, finds: map[string]string{
			"expert groups": "fail: group 0 has expert 99 of layer 2, and the model has 16 / take the expert_assignment.json"}},
		{name: "layer that is not there", change: func(c *connito.Config) { c.Task.Groups[0].Assignment[7] = [][2]int{{0, 1}} }, finds: map[string]string{
			"expert groups": "fail: experts of layer 7, and the model has none there"}},
		{name: "group without text", change: func(c *connito.Config) { c.Task.Groups[0].ID = 5 }, finds: map[string]string{"text": "fail: none for expert group 5", "tokenizer": "skip: "}},
		{name: "model that is too large", change: func(c *connito.Config) { c.Model.ModelPath, c.Ckpt.CheckpointTopK = w.path("vast"), 10_000 }, run: func(t *testing.T, w *world, _ string) {
			vast := model.Small(300, 2)
			vast.MoEIntermediateSize, vast.NumHiddenLayers = 1<<18, 32
			w.writeModel(t, "vast", vast, model.Small(300, 2))
		}, finds: map[string]string{"memory for the model": "fail: at least / take a machine with more", "model's tensors": "fail: is of shape", "disk for checkpoints": "fail: are needed in / keep fewer checkpoints"}},
		{name: "threads", change: func(c *connito.Config) { c.Model.Threads = 4096 }, finds: map[string]string{"cores": "warn: 4096 threads on / set model.threads"}},
		{name: "no owner's service", change: func(c *connito.Config) { c.Cycle.OwnerURL = "http://127.0.0.1:1" }, finds: map[string]string{
			"phase service": "warn: does not answer / nothing blocks", "phase service's cycle": "warn: / the neuron counts by itself", "validator whitelist": "warn: does not tell who validates / list the validators"}},
		{name: "other lengths", change: func(c *connito.Config) { c.Cycle.TrainPeriod += 3 }, finds: map[string]string{
			"phase service": "warn: it has 52 blocks of Train, and rules local have 55"}},
		{name: "validators that are none", change: func(c *connito.Config) {
			c.Cycle.ValidatorWhitelist = []string{"5CiPPseXPECbkjWCa6MnjNokrgYjMqmKndv2rSnekmSK2DjL"}
		}, finds: map[string]string{"validator whitelist": "fail: of 1 validators that the settings list, none is registered / compare"}},
		{name: "HTTP generation without servers", change: func(c *connito.Config) { c.Rules = "g2-472" }, finds: map[string]string{
			"validators' axons": "fail: serves no address / ask their operators"}},
		{name: "no axon", change: func(c *connito.Config) { c.Chain.IP = "" }, finds: map[string]string{"axon's address": "skip: chain.ip", "axon's port": "skip: ", "axon on chain": "ok: none, as"}},
	}
}

// casesOfFiles are of wallets, directories and ports.
func casesOfFiles(w *world) []sick {
	return []sick{
		{name: "typing mistake", run: func(t *testing.T, _ *world, dir string) {
			add(t, filepath.Join(dir, "config.yaml"), "optt:\n  lr: 1\n")
		}, finds: map[string]string{"settings file": "fail: unknown setting \"optt\" / correct the line"}},
		{name: "foreign settings", run: func(t *testing.T, _ *world, dir string) {
			add(t, filepath.Join(dir, "config.yaml"), "dht:\n  port: 6000\n")
		}, finds: map[string]string{"settings file": "ok: ", "settings without effect": "warn: dht.port has no effect / take them out"}},
		{name: "no wallet", change: func(c *connito.Config) { c.Chain.ColdkeyName = "gone" }, finds: map[string]string{
			"wallet": "fail: there is no wallet / adit wallet new-coldkey", "hotkey": "skip: see wallet", "registered": "skip: see hotkey"}},
		{name: "no hotkey", change: func(c *connito.Config) { c.Chain.HotkeyName = "gone" }, finds: map[string]string{
			"hotkey": "fail: there is no hotkey / adit wallet new-hotkey", "hotkey's file": "fail: there is no / a neuron signs with it", "coldkey": "ok: "}},
		{name: "no coldkey", change: func(c *connito.Config) { c.Chain.ColdkeyName = "hotonly" }, run: func(t *testing.T, w *world, _ string) {
			k, err := wallet.At(w.path("wallets"), "hotonly", "default")
			if err == nil {
				_, err = k.CreateHotkey("//Bob/hot")
			}
			if err != nil {
				t.Fatal(err)
			}
		}, finds: map[string]string{"coldkey": "fail: has no coldkeypub.txt / regen-coldkeypub", "hotkey": "ok: ", "coldkey owns the hotkey": "skip: see coldkey"}},
		{name: "encrypted hotkey", change: func(c *connito.Config) { c.Chain.HotkeyName = "sealed" }, run: func(t *testing.T, w *world, _ string) {
			k, err := wallet.At(w.path("wallets"), "miner", "sealed")
			if err != nil {
				t.Fatal(err)
			}
			key, err := wallet.FromURI(keys.Sr25519, "//Bob/hot")
			if err == nil {
				err = k.HotkeyFiles().WritePublic(key, false)
			}
			if err != nil {
				t.Fatal(err)
			}
			put(t, k.HotkeyFile(), "$NACL"+strings.Repeat("x", 200))
			if err := os.Chmod(k.HotkeyFile(), 0o600); err != nil {
				t.Fatal(err)
			}
		}, finds: map[string]string{"hotkey": "ok: ", "hotkey's file": "ok: encrypted", "hotkey opens without a password prompt": "fail: / put its password into the environment, as BT_WALLET_PASSWORD"}},
		{name: "open wallet", change: func(c *connito.Config) { c.Chain.ColdkeyName = "open" }, run: func(t *testing.T, w *world, _ string) {
			k, err := wallet.At(w.path("wallets"), "open", "default")
			if err == nil {
				_, err = k.CreateColdkey("//Bob")
			}
			if err == nil {
				_, err = k.CreateHotkey("//Bob/hot")
			}
			if err == nil {
				err = os.Chmod(k.HotkeyFile(), 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}, finds: map[string]string{"permissions of key files": "fail: (0644) / chmod 600"}},
		{name: "of another layout", run: func(t *testing.T, _ *world, dir string) { put(t, filepath.Join(dir, "adit.version"), "99\n") },
			finds: map[string]string{"run's directory": "fail: / ", "leftovers": "skip: see run's directory", "no other process": "skip: "}},
		{name: "running", run: holdLock, finds: map[string]string{"no other process": fmt.Sprintf("warn: train by process %d / ", os.Getpid())}},
		{name: "leftovers", run: func(t *testing.T, _ *world, dir string) {
			d, err := journal.OpenDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			f, err := d.Create("validator_checkpoint/x")
			if err == nil {
				_, err = f.Write(make([]byte, 1<<20))
			}
			if err == nil {
				err = f.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
		}, finds: map[string]string{"leftovers": "warn: 1 files of 1 MiB were begun and not finished, such as validator_checkpoint/x / "}},
		{name: "port taken", run: func(t *testing.T, w *world, dir string) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			w.write(t, filepath.Base(dir), "miner", func(c *connito.Config) { c.Chain.Port = uint16(l.Addr().(*net.TCPAddr).Port) })
		}, finds: map[string]string{"axon's port": "fail: address already in use / set chain.port"}},
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(text), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func add(t *testing.T, path, text string) {
	t.Helper()
	had, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	put(t, path, string(had)+text)
}
