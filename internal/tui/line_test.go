package tui

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"adit/internal/local"
)

func TestNews(t *testing.T) {
	var tell teller
	s := preparingSnapshot()
	for _, step := range []struct {
		name   string
		change func()
		want   []string
	}{
		{"preparing", func() {}, []string{"genesis: the model to begin with"}},
		{"nothing new", func() { s.Progress.Fraction = 0.5 }, nil},
		{"running", func() { s = runningSnapshot(); s.Notices = s.Notices[:1] }, []string{
			"running: validators and miners",
			"Go code: held-out loss 4.258, -13.1% since genesis, 0.054 below the bigram model",
			"Go prose: held-out loss 5.058, -6.3% since genesis, 0.187 above the bigram model",
			"cycle 4 of 6: Train, block 15 of 40, about 13 s left",
			"WARN miner-0-1: upload did not go through, trying again: PUT \"http://127.0.0.1:39021/miner-0-1/co\": connect: connection refused",
		}},
		{"a block", func() { s.Block++ }, nil},
		{"a notice", func() { s.Notices = runningSnapshot().Notices }, []string{
			"ERROR miner-1-1: exited with status 2, starting it again",
		}},
		{"a notice, and the first ones forgotten", func() {
			s.Notices = append(s.Notices[1:], local.Notice{Time: began.Add(time.Hour), From: "hub", Level: "WARN", Text: "slow"})
		}, []string{"WARN hub: slow"}},
		{"a phase", func() { s.Phase, s.PhaseStart, s.PhaseEnd, s.Block = "MinerCommit1", 588, 591, 588 }, []string{
			"cycle 4 of 6: MinerCommit1, block 1 of 4, about 2 s left",
		}},
		{"ended", func() { s.Stage = "ended" }, []string{"ended"}},
	} {
		step.change()
		if diff := cmp.Diff(step.want, tell.news(&s)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
}
