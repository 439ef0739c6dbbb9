//go:build unix

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"adit/internal/keys"
	"adit/internal/local"
	"adit/internal/protocol/connito"
	"adit/internal/subnet"
	"adit/internal/subtensor"
)

// TestKill has the neurons of a network die at points of their journals: at two in
// a plain run, and, where conformance/kill/run.sh runs it, at each that there is.
func TestKill(t *testing.T) {
	if os.Getenv("ADIT_KILL") == "" {
		if testing.Short() {
			t.Skip("a whole network, in real time")
		}
		t.Parallel()
		killNetwork(t, killCase{rules: "local", miners: 1, validators: 1, only: []string{"MinerCommit1/commit2 sent, after", "weights sent, after"}})
		return
	}
	for _, c := range []killCase{
		{rules: "local", miners: 4, validators: 3},
		{rules: "g2-472", miners: 3, validators: 1, only: []string{"submit", "posted"}},
		{rules: "g3", miners: 2, validators: 1, only: []string{"weights", "score_aggregator", "cohort_state"}}, // a cycle later than the others
		{rules: "g1", miners: 3, validators: 1, only: []string{"submit", "posted", "baseline"}},
	} {
		t.Run(c.rules, func(t *testing.T) {
			t.Parallel()
			killNetwork(t, c)
		})
	}
}

// A killCase is a network whose neurons die.
type killCase struct {
	rules              string
	miners, validators int
	only               []string // points with one of these in their names; none means all
}

// killBlocks are the phases' lengths: a commitment can be made in the time that is
// left when a neuron is back, and a cycle is over soon.
var killBlocks = [9]uint64{8, 12, 10, 10, 14, 5, 10, 10, 10}

// A mortalNetwork is a network of processes that this test starts again when they
// die.
type mortalNetwork struct {
	t       *testing.T
	rules   connito.Rules
	client  *subtensor.Client
	chain   subnet.Chain
	neurons []*mortalNeuron
	stalls  int // cycles that came to nothing and were lived again
}

// maxStalls is how often a machine may be too busy for a cycle: its blocks do not
// wait. What is really lost at a point is lost there again.
const maxStalls = 2

// stalled says whether a cycle may be lived again in which that went wrong.
func (n *mortalNetwork) stalled(cycle uint64, wrong map[string]string) bool {
	n.t.Helper()
	n.stalls++
	if n.stalls <= maxStalls {
		n.t.Logf("cycle %d is lived again: %v", cycle, wrong)
		return true
	}
	for _, name := range slices.Sorted(maps.Keys(wrong)) {
		n.t.Errorf("cycle %d: %s: %s", cycle, name, wrong[name])
	}
	return false
}

// A mortalNeuron is one neuron through all its lives.
type mortalNeuron struct {
	member
	account [32]byte
	env     []string
	args    []string
	dir     string // of its points
	path    string // of its run
	lives   []*process
	known   []string // the points it passes in a cycle
	todo    []string // where it has yet to die
	armed   []string // where it is to die in this cycle
	nonce   uint32   // as the cycle began
	read    int      // bytes of passedFile
	usual   uint32   // extrinsics in a cycle
}

func killNetwork(t *testing.T, c killCase) {
	n := raise(t, c)
	s := n.rules.Schedule
	head, err := n.client.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// A cycle in which the validators publish, one that shows what points there are,
	// and then as many as it takes.
	cycle := s.At(head).Cycle + 1
	if n.rules.LateWeights {
		cycle++
	}
	n.until(s.Start(cycle+1, connito.Distribute) + settled)
	for cycle++; ; cycle++ {
		n.look(cycle)
		n.until(s.Start(cycle+1, connito.Distribute) + settled)
		if n.learn(cycle, c) {
			break
		}
	}
	for cycle++; n.arm(); cycle++ {
		n.until(s.Start(cycle+1, connito.Distribute) + settled)
		n.check(cycle)
	}
}

// settled is how many blocks after a cycle all of it has been done, and nothing yet
// of the next.
const settled = 3

// raise makes a network and takes its supervisor away.
func raise(t *testing.T, c killCase) *mortalNetwork {
	t.Helper()
	rules, err := connito.RulesByName(c.rules)
	if err != nil {
		t.Fatal(err)
	}
	lengths := killBlocks
	for p, length := range rules.Schedule {
		if length == 0 {
			lengths[connito.Submission] += lengths[p] // in which those without it do all that
			lengths[p] = 0
		}
	}
	if rules.Schedule, err = connito.NewSchedule(lengths); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "net")
	args := small(fast, "--groups", "1", "--validators", fmt.Sprint(c.validators), "--rules", c.rules)
	args = slices.Delete(args, slices.Index(args, "--data"), slices.Index(args, "--data")+2)
	args[slices.Index(args, "--miners")+1] = fmt.Sprint(c.miners)
	up := up(t, dir, args...)
	interrupt(t, up, up.status("children", func(s local.Snapshot) bool {
		return s.Stage == "running" && allStarted(s, 2+c.miners+c.validators)
	}))

	in := func(parts ...string) string { return filepath.Join(append([]string{dir}, parts...)...) }
	url := func(p *process) string {
		e, _ := p.await("its address", 0, func(e event) bool { return e.kind == "serving" })
		return e.attrs["url"].String()
	}
	node := url(part(t, "", "chain", "serve", "--dir", in("chain"), "--port", "0", "--block-time", fast, "--allow-loopback-axons"))
	hub := url(part(t, "", "hub", "serve", "--dir", in("hub"), "--port", "0", "--tokens", in("hub", "tokens.txt")))
	n := &mortalNetwork{t: t, rules: rules}
	if n.client, err = subtensor.Dial(t.Context(), subtensor.Options{Endpoints: []string{node}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.client.Close)
	netuid, members := networkOf(t, dir)
	n.chain = n.client.Subnet(netuid, nil)

	var whitelist []string
	for _, m := range members {
		if m.Role == "validate" {
			whitelist = append(whitelist, m.Hotkey)
		}
	}
	for _, m := range members {
		args := []string{m.Role, "connito", "--json", "--path", in("neurons", m.Name), "--set", fmt.Sprintf("chain.endpoints=[%q]", node), "--set", "hf.endpoint=" + hub,
			"--set", "cycle.validator_whitelist=[" + strings.Join(whitelist, ", ") + "]"}
		for p, key := range map[connito.Phase]string{
			connito.Distribute: "distribute", connito.Train: "train", connito.MinerCommit1: "commit", connito.Submission: "submission",
			connito.Validate: "validate", connito.Merge: "merge",
		} {
			if rules.Schedule[p] > 0 {
				args = append(args, "--set", fmt.Sprintf("cycle.%s_period=%d", key, rules.Schedule[p]))
			}
		}
		// Little to train and to measure: what counts is that all of it is done in time,
		// on a machine that may have other things to do.
		args = append(args, "--set", "evaluation.sequences=8", "--set", "evaluation.report_sequences=8", "--set", "ckpt.eval_sequences=8", "--set", "sched.max_steps=5")
		if m.Port > 0 {
			args = append(args, "--set", fmt.Sprintf("chain.port=%d", m.Port))
		}
		at := in("points", m.Name)
		if err := os.MkdirAll(at, 0o755); err != nil {
			t.Fatal(err)
		}
		account, err := keys.ParseAddress(m.Hotkey)
		if err != nil {
			t.Fatal(err)
		}
		v := &mortalNeuron{member: m, account: account, args: args, dir: at, path: in("neurons", m.Name), env: []string{"HF_TOKEN=" + m.Token, killAt + "=" + at}}
		n.neurons = append(n.neurons, v)
		n.start(v)
	}
	return n
}

// networkOf returns the subnet and the neurons of a network.
func networkOf(t *testing.T, dir string) (subnet.NetUID, []member) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "network.json"))
	if err != nil {
		t.Fatal(err)
	}
	var plan struct {
		NetUID  subnet.NetUID
		Neurons []member
	}
	if err := json.Unmarshal(text, &plan); err != nil {
		t.Fatal(err)
	}
	return plan.NetUID, plan.Neurons
}

// start gives a neuron a life.
func (n *mortalNetwork) start(v *mortalNeuron) {
	n.t.Helper()
	p := &process{t: n.t, cmd: program(n.t, v.args...)}
	p.cmd.Env = append(p.cmd.Env, v.env...)
	p.cmd.Stderr = &p.out
	reports, err := p.cmd.StdoutPipe()
	if err != nil {
		n.t.Fatal(err)
	}
	p.start(reports)
	v.lives = append(v.lives, p)
}

// until waits for a block, and starts neurons again that died meanwhile.
func (n *mortalNetwork) until(b subnet.Block) {
	n.t.Helper()
	eventually(n.t, fmt.Sprintf("block %d", b), func() bool {
		for _, v := range n.neurons {
			p := v.lives[len(v.lives)-1]
			select {
			case <-p.done:
				if s, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || s.Signal() != syscall.SIGKILL {
					n.t.Fatalf("%s ended by itself, %v: %s", v.Name, p.cmd.ProcessState, p.out.String())
				}
				n.start(v)
			default:
			}
		}
		head, err := n.client.Head(n.t.Context())
		return err == nil && head >= b
	})
}

// look notes how things stand as a cycle begins.
func (n *mortalNetwork) look(cycle uint64) {
	n.t.Helper()
	view, err := n.client.At(n.t.Context(), n.rules.Schedule.Start(cycle, connito.Distribute)+settled-1)
	if err != nil {
		n.t.Fatal(err)
	}
	for _, v := range n.neurons {
		state, err := view.Account(n.t.Context(), v.account)
		if err != nil {
			n.t.Fatal(err)
		}
		v.nonce = state.Nonce
		v.passed(n.t)
	}
}

// passed returns the points that were passed since it was called last.
func (v *mortalNeuron) passed(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(v.dir, passedFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text[v.read:])), "\n")
	v.read = len(text)
	return lines
}

// learn notes the points that neurons pass in a cycle in which none dies, and how
// many extrinsics they send. It returns false if that cycle did not go well.
func (n *mortalNetwork) learn(cycle uint64, c killCase) bool {
	n.t.Helper()
	if wrong := n.outcomes(cycle); len(wrong) > 0 {
		if !n.stalled(cycle, wrong) {
			n.t.FailNow()
		}
		return false
	}
	share := make(map[string]int) // who of a role dies where
	for _, v := range n.neurons {
		for _, p := range v.passed(n.t) {
			if p != "" && !slices.Contains(v.known, p) {
				v.known = append(v.known, p)
			}
		}
		of := map[string]int{"mine": c.miners, "validate": c.validators}[v.Role]
		wanted := 0
		for _, p := range v.known {
			if len(c.only) > 0 && !slices.ContainsFunc(c.only, func(part string) bool { return strings.Contains(p, part) }) {
				continue
			}
			if wanted%of == share[v.Role] {
				v.todo = append(v.todo, p)
			}
			wanted++
		}
		share[v.Role]++
		n.t.Logf("%s passes %d points in a cycle, and dies at %d of %d: %s", v.Name, len(v.known), len(v.todo), wanted, strings.Join(v.known, "; "))
	}
	for _, v := range n.neurons {
		v.usual = v.sentNow(n.t, n.client, n.rules.Schedule.Start(cycle+1, connito.Distribute)+settled-1)
		want := uint32(1)
		if n.rules.TwoCommits() {
			want = 2
		}
		if v.Role == "mine" && v.usual != want {
			n.t.Errorf("%s sent %d extrinsics in a cycle, want %d", v.Name, v.usual, want)
		}
	}
	return true
}

// sentNow returns how many extrinsics a neuron sent from the last look to a block.
func (v *mortalNeuron) sentNow(t *testing.T, client *subtensor.Client, at subnet.Block) uint32 {
	t.Helper()
	view, err := client.At(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	state, err := view.Account(t.Context(), v.account)
	if err != nil {
		t.Fatal(err)
	}
	sent := state.Nonce - v.nonce
	v.nonce = state.Nonce
	return sent
}

// arm chooses where each neuron dies in the cycle that has begun: a miner once, a
// validator twice, half a cycle apart. It returns false if all have died everywhere.
func (n *mortalNetwork) arm() bool {
	n.t.Helper()
	more := false
	for _, v := range n.neurons {
		v.armed = nil
		if len(v.todo) > 0 {
			v.armed, v.todo = append(v.armed, v.todo[0]), v.todo[1:]
		}
		if half := len(v.todo) / 2; v.Role == "validate" && half > 0 {
			v.armed, v.todo = append(v.armed, v.todo[half]), slices.Delete(v.todo, half, half+1)
		}
		more = more || len(v.armed) > 0
		if err := os.WriteFile(filepath.Join(v.dir, armedFile), []byte(strings.Join(v.armed, "\n")), 0o644); err != nil {
			n.t.Fatal(err)
		}
	}
	return more && !n.t.Failed()
}

// check holds a cycle in which neurons died to what it would have been without.
func (n *mortalNetwork) check(cycle uint64) {
	n.t.Helper()
	wrong := n.outcomes(cycle)
	doubled := false
	died, sent := make(map[string]map[string]bool), make(map[string]uint32)
	for _, v := range n.neurons {
		died[v.Name] = make(map[string]bool)
		for _, line := range v.passed(n.t) {
			if at, ok := strings.CutPrefix(line, diedAt); ok {
				died[v.Name][at] = true
			}
		}
		sent[v.Name] = v.sentNow(n.t, n.client, n.rules.Schedule.Start(cycle+1, connito.Distribute)+settled-1)
		switch {
		case sent[v.Name] > v.usual:
			wrong[v.Name], doubled = fmt.Sprintf("DOUBLED: %s", wrong[v.Name]), true
		case wrong[v.Name] != "":
			wrong[v.Name] = "LOST: " + wrong[v.Name]
		case sent[v.Name] < v.usual:
			wrong[v.Name] = "LOST: not all was sent"
		case len(died[v.Name]) < len(v.armed):
			wrong[v.Name] = "it never got there"
		}
		if wrong[v.Name] == "" {
			delete(wrong, v.Name)
		}
	}
	again := len(wrong) > 0 && !doubled && n.stalled(cycle, wrong)
	if doubled {
		n.t.Errorf("cycle %d: %v", cycle, wrong)
	}
	for _, v := range n.neurons {
		for _, p := range v.armed {
			switch why := wrong[v.Name]; {
			case why != "" && again:
				v.todo = append(v.todo, p)
			case why != "":
				n.t.Errorf("point | %-11s | %-60s | %s | %d of %d extrinsics", v.Name, p, why, sent[v.Name], v.usual)
			default:
				n.t.Logf("point | %-11s | %-60s | kept | %d of %d extrinsics", v.Name, p, sent[v.Name], v.usual)
			}
		}
	}
}

// A verdictOf is what a validator made of a submission.
type verdictOf struct {
	hash string
	loss float64
}

// outcomes returns what is wrong with a cycle, by neuron.
func (n *mortalNetwork) outcomes(cycle uint64) map[string]string {
	n.t.Helper()
	s, ctx := n.rules.Schedule, n.t.Context()
	wrong := make(map[string]string)
	round := cycle // that is scored in it
	if n.rules.LateWeights {
		round--
	}
	committed, err := n.chain.Commitments(ctx, s.End(round, connito.MinerCommit2)+1)
	if err != nil {
		n.t.Fatal(err)
	}
	// What the validators say, in all their lives.
	scores := make(map[string]map[verdictOf]bool) // by hotkey
	for _, v := range n.neurons {
		for _, p := range v.lives {
			p.mu.Lock()
			for _, e := range p.events {
				if e.kind != "score" || e.number("cycle") != round || e.attrs["loss"].Float64() <= 0 {
					continue
				}
				who := e.attrs["hotkey"].String()
				if scores[who] == nil {
					scores[who] = make(map[verdictOf]bool)
				}
				scores[who][verdictOf{e.attrs["hash"].String(), e.attrs["loss"].Float64()}] = true
			}
			p.mu.Unlock()
		}
	}
	end := s.Start(cycle+1, connito.Distribute) + settled - 1
	meta, err := n.chain.Metagraph(ctx, end)
	if err != nil {
		n.t.Fatal(err)
	}
	for _, v := range n.neurons {
		i := slices.IndexFunc(committed, func(c subnet.Commitment) bool { return string(c.Hotkey) == v.Hotkey })
		switch {
		case v.Role == "validate":
			on, _ := meta.ByHotkey(subnet.Hotkey(v.Hotkey))
			if on.LastUpdate < s.Start(cycle, connito.Distribute) {
				wrong[v.Name] = fmt.Sprintf("weights are of block %d", on.LastUpdate)
			} else if why := v.scoredTwice(n.t); why != "" {
				wrong[v.Name] = why
			}
		case i < 0 || committed[i].Block < s.Start(round, connito.MinerCommit1):
			wrong[v.Name] = "not committed"
		case len(scores[v.Hotkey]) != 1:
			wrong[v.Name] = fmt.Sprintf("scores %v", slices.Collect(maps.Keys(scores[v.Hotkey])))
		default:
			for verdict := range scores[v.Hotkey] {
				if !strings.Contains(strings.Join(committed[i].Fields, ""), verdict.hash) {
					wrong[v.Name] = fmt.Sprintf("scored %s, committed %v", verdict.hash, committed[i].Fields)
				}
			}
		}
	}
	return wrong
}

// scoredTwice looks for a round that stands twice among a validator's scores.
func (v *mortalNeuron) scoredTwice(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(v.path, "score_aggregator.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Miners map[string]struct{ Points [][3]any } // time, score, round
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for uid, m := range file.Miners {
		seen := make(map[any]bool)
		for _, p := range m.Points {
			if seen[p[2]] {
				return fmt.Sprintf("uid %s was scored twice in round %v", uid, p[2])
			}
			seen[p[2]] = true
		}
	}
	if len(file.Miners) == 0 {
		return "no scores"
	}
	return ""
}
