package sim

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"adit/internal/protocol/connito"
)

// BenchmarkCycle64 plays whole cycles of the live generation with 64 miners and 4
// validators, after a first one without miners. A bubble of synctest is for tests, so
// each run is one.
func BenchmarkCycle64(b *testing.B) {
	const cycles = 4
	var spent time.Duration
	for b.Loop() {
		began := time.Now()
		ok := testing.RunTests(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: "cycle64", F: func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, err := New(Options{Rules: connito.G4, Groups: 1, Miners: 64, Validators: 4, BlockTime: 12 * time.Second})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error)
				go func() { done <- n.Run(ctx) }()
				time.Sleep(time.Duration(cycles+1) * time.Duration(connito.G4.Schedule.Cycle()) * 12 * time.Second)
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
				for _, v := range n.Neurons[:4] {
					if got := v.Count("score"); got < 64*(cycles-1) {
						t.Errorf("%s scored %d submissions, want %d", v.Name, got, 64*(cycles-1))
					}
				}
				for _, v := range n.Neurons[4:] {
					if got := v.Count("commit2"); got != cycles {
						t.Errorf("%s committed %d times, want %d", v.Name, got, cycles)
					}
				}
			})
		}}})
		if !ok {
			b.Fatal("the network did not do what it should")
		}
		spent += time.Since(began)
	}
	b.ReportMetric(spent.Seconds()/float64(b.N*cycles), "s/cycle")
}
