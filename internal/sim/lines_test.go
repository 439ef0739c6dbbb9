package sim

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"adit/internal/protocol/connito"
	"adit/internal/subnet"
)

// A logLine is one that the guides and the sheet of upstream's log show.
type logLine struct {
	want string // a regular expression
	says string // an event's kind
}

// lines are what a miner says from the second cycle on under the rules of the code.
var lines = []logLine{
	{`^<Distribute> downloaded model metadata from chain$`, "metadata"},
	{`^<Distribute> task completed\.$`, "downloaded"},
	{`^<Distribute> phase completed on time$`, "expired"},
	{`^<MinerCommit1> target in \d+ blocks$`, "wait"},
	{`^<MinerCommit1> reached \(block_offset=0\); current phase=<MinerCommit1>, \d+ blocks into it, \d+ blocks left\.$`, "reached"},
	{`^Fetching model from chain$`, "fetching"},
	{`^Downloading from chain: uid = \d+$`, "download"},
	{`^Downloaded checkpoint \(verified\)$`, "downloaded"},
	{`^<miner_commit_1> committing$`, "committing"},
	{`^<MinerCommit2> committing$`, "committing"},
	{`^<MinerCommit2> Committed status to chain$`, "commit2"},
	{`^Uploaded checkpoint to HF$`, "published"},
	{`^<\w+> shutdown signal received\.$`, "end"},
	{`^run_system: all worker threads have exited\.$`, "end"},
	{`^\(0\) Setup training$`, "setup"},
	{`^setup_training: success!$`, "setup"},
	{`^batch loss$`, "step"},
	{`^\(1\) Start epoch training$`, "epoch"},
	{`^GradScaler for optimizer step$`, "scaler"},
	{`^scheduler step$`, "scheduler"},
	{`^Updated model$`, "updated"},
	{`^\(2\) Logging step$`, "metrics"},
	{`^\(3\) Local evaluation$`, "eval"},
	{`^\(4\) Saving checkpoint$`, "saving"},
	{`^Checkpoint saved$`, "saved"},
	{`^Checkpoint saved to globalver_\d+_inneropt_\d+$`, "saved"},
	{`^\(5\) Reload Model$`, "reload"},
	{`^Should reload model$`, "reload"},
	{`^\(6\) Clean up$`, "cleanup"},
	{`^Clean up completed$`, "cleaned"},
}

// httpLines are those of generations in which models go to a validator.
var httpLines = []logLine{
	{`^<submission> submitted model$`, "submitted"},
	{`^<submission> task completed\.$`, "submitted"},
}

// documentsLines are those of BlockZero's documents.
var documentsLines = []logLine{
	{`^Chain sync ready, current block: \d+$`, "documents"},
	{`^Entering DISTRIBUTE phase at block \d+$`, "phase"},
	{`^Entering TRAIN phase at block \d+$`, "phase"},
	{`^Entering COMMIT phase at block \d+$`, "phase"},
	{`^Entering SUBMIT phase at block \d+$`, "phase"},
	{`^Downloading expert group 0 from validator\.\.\.$`, "documents"},
	{`^Download complete: expert_group_0_step_\d+\.pt \(\d+\.\dGB\)$`, "documents"},
	{`^Hash committed: [0-9a-f]{48} at block \d+$`, "documents"},
	{`^Weights submitted: checkpoint_\d+_\d+_group0\.pt$`, "documents"},
	{`^Submission accepted, evaluation_eta_blocks: \d+$`, "documents"},
	{`^Loading expert group from checkpoint\.\.\.$`, "documents"},
	{`^Starting training: step 0$`, "documents"},
	{`^step 100 \| loss: \d+\.\d{3} \| lr: \S+`, "documents"},
	{`^Training cycle complete\. Checkpoint saved: \S+$`, "documents"},
}

// TestLogLines checks that a miner says each line of its generation's log.
func TestLogLines(t *testing.T) {
	for rules, want := range map[string][]logLine{
		"g3/120":     lines,
		"g2-472/120": httpLines,
		"g1/120":     documentsLines,
	} {
		t.Run(rules, func(t *testing.T) {
			t.Parallel()
			r, err := connito.RulesByName(rules)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				n, err := New(Options{Rules: r, Groups: 1, Miners: 1, Validators: 1, BlockTime: 120 * time.Second})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var said []subnet.Event
				env := n.Env(n.Neurons[1])
				tell := env.Emit
				env.Emit = func(e subnet.Event) {
					n.Neurons[1].mu.Lock()
					said = append(said, e)
					n.Neurons[1].mu.Unlock()
					tell(e)
				}
				env.Engine.(*Engine).StepTime = 20 * time.Second
				done := make(chan error, 2)
				go func() { done <- n.RunNeuron(ctx, n.Neurons[0]) }()
				go func() {
					role, _ := connito.Protocol.Role("mine")
					_ = n.Neurons[1].chain.Wait(ctx, r.Schedule.Start(1, connito.Distribute))
					done <- role.Run(ctx, env)
				}()
				time.Sleep(2 * time.Duration(r.Schedule.Cycle()) * 120 * time.Second)
				cancel()
				for range 2 {
					if err := <-done; err != nil {
						t.Error(err)
					}
				}
				for _, l := range want {
					if !says(said, l) {
						t.Errorf("no %s says %q", l.says, l.want)
					}
				}
				if t.Failed() {
					for _, e := range said {
						t.Log(e.Kind, e.Text, fmt.Sprint(e.Attrs))
					}
				}
			})
		})
	}
}

func says(events []subnet.Event, l logLine) bool {
	form := regexp.MustCompile(l.want)
	for _, e := range events {
		if e.Kind == l.says && form.MatchString(e.Text) {
			return true
		}
	}
	return false
}

// TestLogLinesOfLack checks what a miner says where there is nothing to download, or
// to commit to.
func TestLogLinesOfLack(t *testing.T) {
	t.Parallel()
	r, err := connito.RulesByName("g3/120")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		n, err := New(Options{Rules: r, Groups: 1, Miners: 1, Validators: 1, BlockTime: 120 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		cycle := time.Duration(r.Schedule.Cycle()) * 120 * time.Second
		miner := n.Neurons[1]
		play := func(v *Neuron, d time.Duration) {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), d)
			defer cancel()
			if err := n.RunNeuron(ctx, v); err != nil {
				t.Error(err)
			}
		}
		play(miner, cycle) // with nobody else there
		for _, l := range []logLine{
			{`^<Distribute> download did not go through$`, "lost"},
			{`^<MinerCommit1> File not ready error: Not checkpoint found, skip commit\.$`, "lost"},
		} {
			if !says(miner.Log(), l) {
				t.Errorf("no %s says %q", l.says, l.want)
			}
		}
		var failed bool
		for _, e := range miner.Log() {
			failed = failed || strings.Contains(fmt.Sprint(e.Attrs), "❌ All download attempts failed after ")
		}
		if !failed {
			t.Error("the download that did not go through does not say how often it was tried")
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- n.RunNeuron(ctx, n.Neurons[0]) }()
		play(miner, 3*cycle+cycle/16) // time to download, after the last cycle began
		play(miner, cycle/8)          // again, with the baseline on disk
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if l := (logLine{`^<Distribute>: No required download job$`, "downloaded"}); !says(miner.Log(), l) {
			t.Errorf("no %s says %q", l.says, l.want)
		}
	})
}
