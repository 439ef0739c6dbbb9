package tui

import (
	"math"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"adit/internal/local"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// began is when the networks of these tests were started.
var began = time.Date(2026, time.May, 4, 12, 0, 0, 0, time.UTC)

const fixtureDir = "/home/ada/.adit/local"

func process(name string) local.Proc {
	return local.Proc{Name: name, PID: 4000, Started: began, Running: true, Log: filepath.ToSlash(filepath.Join(fixtureDir, "logs", name+".log"))}
}

// preparingSnapshot is a network that trains its first model.
func preparingSnapshot() local.Snapshot {
	return local.Snapshot{
		Dir: fixtureDir, Started: began, Rules: "local", Stage: "genesis",
		Progress: local.Progress{Text: "step 120  loss 5.876", Fraction: 0.42},
		ChainURL: "ws://127.0.0.1:9944", HubURL: "http://127.0.0.1:39021", NetUID: 2,
		Block: 3, BlockTime: 500 * time.Millisecond, Goal: 6,
		Procs: []local.Proc{process("chain"), process("hub")},
	}
}

// runningSnapshot is a network of four miners and two cheats in its fourth
// cycle. One miner was no better than the baseline, and one had to be restarted.
func runningSnapshot() local.Snapshot {
	s := preparingSnapshot()
	s.Stage, s.Progress = "running", local.Progress{Text: "on to block 268", Fraction: 1}
	s.Block, s.Cycle, s.Phase, s.PhaseStart, s.PhaseEnd = 562, 6, "Train", 548, 587
	s.FirstCycle, s.Cycles = 3, 3
	s.Groups = []local.Group{
		{ID: 0, Domain: "Go code", Bigram: 4.312, Losses: []local.GroupLoss{{Cycle: 2, Loss: 4.900}, {Cycle: 3, Loss: 4.702}, {Cycle: 4, Loss: 4.559}, {Cycle: 5, Loss: 4.258}}},
		{ID: 1, Domain: "Go prose", Bigram: 4.871, Losses: []local.GroupLoss{{Group: 1, Cycle: 2, Loss: 5.400}, {Group: 1, Cycle: 3, Loss: 5.202}, {Group: 1, Cycle: 4, Loss: 5.259}, {Group: 1, Cycle: 5, Loss: 5.058}}},
	}
	s.Neurons = []local.Neuron{
		{Name: "validator-0", Role: "validate", UID: 1, Permit: true, Stake: 1043.25, Dividends: 1, Emission: 12.2, Earned: 43.25, Doing: "waiting for <Submission>"},
		{Name: "miner-0-0", Role: "mine", UID: 2, Step: 84, Loss: 4.103, TokensPerSecond: 2045, Doing: "training", Scored: true, ValLoss: 4.310, Baseline: 4.559, Score: 2.25, Reason: "best of its group", Weight: 0.3, Incentive: 0.3, Emission: 3.66, Earned: 10.98},
		{Name: "miner-0-1", Role: "mine", UID: 3, Step: 81, Loss: 4.155, TokensPerSecond: 1986, Doing: "training", Scored: true, ValLoss: 4.371, Baseline: 4.559, Score: 1.5, Reason: "second of its group", Weight: 0.2, Incentive: 0.2, Emission: 2.44, Earned: 7.32},
		{Name: "miner-1-0", Role: "mine", UID: 4, Group: 1, Step: 83, Loss: 4.712, TokensPerSecond: 2011, Doing: "training", Scored: true, ValLoss: 5.087, Baseline: 5.259, Score: 2.25, Reason: "best of its group", Weight: 0.5, Incentive: 0.5, Emission: 6.1, Earned: 15.25},
		{Name: "miner-1-1", Role: "mine", UID: 5, Group: 1, Step: 12, Loss: 4.940, TokensPerSecond: 1874, Doing: "training", Scored: true, ValLoss: 5.301, Baseline: 5.259, Reason: "no better than the baseline", Earned: 3.05},
		{Name: "cheat-copy-0", Role: "mine", Cheat: "copy", UID: 6, Doing: "breaking a rule", Scored: true, ValLoss: 4.310, Baseline: 4.559, Reason: "equals a submission that was committed earlier"},
		{Name: "cheat-mismatch-1", Role: "mine", Cheat: "mismatch", UID: 7, Group: 1, Doing: "breaking a rule", Scored: true, Reason: "first commitment is no signature over the hash of the second"},
	}
	for _, n := range s.Neurons {
		p := process(n.Name)
		if n.Name == "miner-1-1" {
			p.Restarts = 1
		}
		s.Procs = append(s.Procs, p)
	}
	s.Notices = []local.Notice{
		{Time: began.Add(61 * time.Second), From: "miner-0-1", Level: "WARN", Text: "upload did not go through, trying again: PUT \"http://127.0.0.1:39021/miner-0-1/co\": connect: connection refused"},
		{Time: began.Add(95 * time.Second), From: "miner-1-1", Level: "ERROR", Text: "exited with status 2, starting it again"},
	}
	return s
}

// endedSnapshot is the same network when all is over.
func endedSnapshot() local.Snapshot {
	s := runningSnapshot()
	s.Stage, s.Cycles, s.Block, s.Cycle, s.Phase, s.PhaseStart, s.PhaseEnd = "ended", 6, 810, 9, "Distribute", 810, 817
	s.Groups[0].Losses = append(s.Groups[0].Losses, local.GroupLoss{Cycle: 6, Loss: 4.221}, local.GroupLoss{Cycle: 7, Loss: 4.130}, local.GroupLoss{Cycle: 8, Loss: 4.098})
	s.Groups[1].Losses = append(s.Groups[1].Losses, local.GroupLoss{Group: 1, Cycle: 6, Loss: 4.991}, local.GroupLoss{Group: 1, Cycle: 7, Loss: 4.902}, local.GroupLoss{Group: 1, Cycle: 8, Loss: 4.880})
	for i := range s.Procs {
		s.Procs[i].Running = false
	}
	return s
}

// strangeSnapshot holds what no network should, but what one may say of itself.
func strangeSnapshot() local.Snapshot {
	s := runningSnapshot()
	s.Phase, s.PhaseStart, s.PhaseEnd, s.BlockTime = "Rest\x1b[2J", 900, 3, math.MaxInt64
	s.Rules, s.Dir = "\x1b]0;mine\x07local", "/home/ada/"+string(make([]byte, 300))+"/a\nb"
	s.Groups[0].Losses = nil
	s.Groups[1].Losses = []local.GroupLoss{{Loss: math.NaN()}, {Loss: math.Inf(1)}, {Loss: 1e30}, {Loss: -1e300}, {Loss: 5}}
	s.Groups[1].Domain, s.Groups[1].Bigram = "文字のグループ, a long name for a group of text", math.Inf(-1)
	for i := range s.Neurons {
		n := &s.Neurons[i]
		n.Name = n.Name + "-with-a-name-that-goes-on-and-on"
		n.UID, n.Stake, n.Earned, n.Loss, n.TokensPerSecond = -1, math.Inf(1), -123456789, 1e30, math.NaN()
		n.Weight, n.Score, n.ValLoss = math.NaN(), math.Inf(1), math.Inf(1)
		n.Reason = "\x1b[31mline one\nline two\r\t\u202e" + n.Reason
		n.Doing = n.Reason
	}
	s.Notices = append(s.Notices, local.Notice{Level: "?", Text: "a\x00b\x9bc\xff"})
	return s
}

func snapshots() map[string]local.Snapshot {
	return map[string]local.Snapshot{
		"preparing": preparingSnapshot(), "running": runningSnapshot(), "ended": endedSnapshot(),
	}
}
