package connito

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"adit/internal/exchange"
	"adit/internal/journal"
	"adit/internal/local/hub"
	"adit/internal/protocol/actor"
	"adit/internal/safetensors"
	"adit/internal/subnet"
	"adit/internal/tensor"
)

// A moving is what a process is told that moves a shard as model-io does.
type moving struct {
	Dir, Hub string
	Baseline Commit
}

// maxMoving is the most memory that model-io may take while it moves a shard of any
// size, in bytes.
const maxMoving = 48 << 20

// TestMovingMemory has a process of its own download a shard from a hub, choose a
// checkpoint and upload it, and looks at the most memory that it ever had. The
// shard is larger than that memory; ADIT_TEST_SHARD makes it as large as one likes,
// in bytes: 3598712832 is that of a group of DeepSeek-V2-Lite.
func TestMovingMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("moves hundreds of megabytes")
	}
	t.Parallel()
	size := int64(2 * maxMoving)
	if s := os.Getenv("ADIT_TEST_SHARD"); s != "" {
		var err error
		if size, err = strconv.ParseInt(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	root := t.TempDir()
	h, err := hub.Open(filepath.Join(root, "hub"), hub.Options{Tokens: map[string]string{"v": "v", "m": "m"}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	defer server.Close()

	dir, err := journal.OpenDir(filepath.Join(root, "validator"))
	if err != nil {
		t.Fatal(err)
	}
	v, g := storing(t, dir)
	v.Env.Open = hubOf(server.URL, "v")
	v.cfg.HF.CheckpointRepo = "v/co"
	file := shardFile(g.ID, subnet.Safetensors)
	sum, err := v.writeSummed("base/"+file, func(w io.Writer) error { return writeShard(w, g, size, 1) })
	if err != nil {
		t.Fatal(err)
	}
	store, err := v.stage(t.Context(), []string{"base/" + file})
	if err != nil {
		t.Fatal(err)
	}
	told := moving{Dir: filepath.Join(root, "miner"), Hub: server.URL, Baseline: Commit{Hash: sum.Hash, Repo: "v/co"}}
	if told.Baseline.Revision, err = store.Publish(t.Context(), "baseline"); err != nil {
		t.Fatal(err)
	}
	// The miner's own checkpoint, with other values.
	if dir, err = journal.OpenDir(told.Dir); err != nil {
		t.Fatal(err)
	}
	m, _ := storing(t, dir)
	own := ownName(7, 20)
	if sum, err = m.writeSummed(own+"/"+file, func(w io.Writer) error { return writeShard(w, g, size, 2) }); err != nil {
		t.Fatal(err)
	}
	err = errors.Join(m.WriteJSON(own+"/"+stateFile, trainState{Version: 7, Inner: 20, Loss: 1}),
		m.WriteJSON(own+"/"+sumsFile, map[string]Sum{file: sum}))
	if err != nil {
		t.Fatal(err)
	}

	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestMovingChild$", "-test.v")
	cmd.Env = append(os.Environ(), "ADIT_TEST_MOVING="+actor.JSON(told), "GOMEMLIMIT=off")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	measured := false
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "moved:") || strings.HasPrefix(line, "RssAnon") {
			t.Log(strings.TrimSpace(line))
		}
		if _, kb, ok := strings.Cut(line, "VmHWM:"); ok {
			peak, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kb), "kB")))
			if err != nil || peak == 0 || peak<<10 > maxMoving {
				t.Errorf("moving %d MB took %d MB of memory, %v", size>>20, peak>>10, err)
			}
			t.Logf("at most %d MB of memory", peak>>10)
			measured = true
		}
	}
	if !measured {
		t.Errorf("nothing was measured:\n%s", out)
	}
}

// hubOf opens repositories of a hub.
func hubOf(url, token string) func(string) (subnet.Store, error) {
	return func(repo string) (subnet.Store, error) {
		return exchange.Open(repo, exchange.Options{HubEndpoint: url, Token: token})
	}
}

// writeShard writes a complete shard of the group of about size bytes, without
// holding it.
func writeShard(w io.Writer, g Group, size int64, seed uint64) error {
	var specs []safetensors.Spec
	for layer, experts := range g.Assignment.Experts() {
		for _, e := range experts {
			for _, part := range []string{"gate_up_proj", "down_proj"} {
				name := fmt.Sprintf("model.layers.%d.mlp.experts.%d.%s", layer, e, part)
				specs = append(specs, safetensors.Spec{Name: name, DType: tensor.F16, Shape: []int{int(size) / g.Assignment.keys() / 2}})
			}
		}
	}
	header, _, err := safetensors.Header(specs, nil)
	if err == nil {
		_, err = w.Write(header)
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	block := make([]byte, 1<<20)
	for left := int64(len(specs)) * int64(specs[0].Shape[0]) * 2; left > 0 && err == nil; {
		for i := 0; i < len(block); i += 8 {
			binary.LittleEndian.PutUint64(block[i:], rng.Uint64()&0x3fff_3fff_3fff_3fff) // finite
		}
		_, err = w.Write(block[:min(left, int64(len(block)))])
		left -= int64(len(block))
	}
	return err
}

// TestMovingChild is the process of TestMovingMemory.
func TestMovingChild(t *testing.T) {
	text := os.Getenv("ADIT_TEST_MOVING")
	if text == "" {
		t.Skip("is run by TestMovingMemory")
	}
	var told moving
	if err := json.Unmarshal([]byte(text), &told); err != nil {
		t.Fatal(err)
	}
	dir, err := journal.OpenDir(told.Dir)
	if err != nil {
		t.Fatal(err)
	}
	n, g := storing(t, dir)
	n.rules.VersionCycles = 0
	n.cfg.HF.CheckpointRepo = "m/co"
	n.Env.Open = hubOf(told.Hub, "m")
	began := time.Now()
	name, err := n.fetch(t.Context(), "baseline", g, told.Baseline)
	if err != nil {
		t.Fatal(err)
	}
	fetched := time.Now()
	sub, err := n.keepSubmission(t.Context(), 1)
	if err != nil || sub.Path == "" {
		t.Fatalf("kept %+v, %v", sub, err)
	}
	kept := time.Now()
	store, err := n.stage(t.Context(), []string{sub.Path})
	if err != nil {
		t.Fatal(err)
	}
	staged := time.Now()
	if _, err = store.Publish(t.Context(), "submission"); err != nil {
		t.Fatal(err)
	}
	published := time.Now()
	// And what has to be done for a checkpoint of somebody else.
	if h, err := n.hashOf(t.Context(), name); h != told.Baseline.Hash || err != nil {
		t.Fatalf("the baseline has %s, %v", h, err)
	}
	fmt.Printf("moved: downloaded and verified in %v, chosen in %v, uploaded in %v, published in %v; hashed from the file in %v\n", fetched.Sub(began).Round(time.Millisecond),
		kept.Sub(fetched).Round(time.Millisecond), staged.Sub(kept).Round(time.Millisecond), published.Sub(staged).Round(time.Millisecond), time.Since(published).Round(time.Millisecond))
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "VmHWM") || strings.HasPrefix(line, "Rss") {
			fmt.Print(line)
		}
	}
}
