// Package doctor looks at everything that a neuron needs before its first round,
// and says what is missing, why, and what to do about it.
//
// It changes nothing: nothing is sent to the chain or to the hub, no file is made,
// no password is asked for. The neuron may be running.
//
// [Run] runs the checks that do not wait for one another at once, each with a
// deadline of its own, and returns the findings in a fixed order. The checks of
// every protocol are in this package, a file for each topic; a protocol adds its
// own: see [subnet.Check].
package doctor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"adit/internal/subnet"
)

// patience is how long one check may take.
const patience = 10 * time.Second

// A Check is one thing that should be in order.
type Check struct {
	Topic string
	Name  string
	// Needs names the checks that have to go well for this one to make sense.
	// They come before it.
	Needs []string
	Run   func(context.Context) subnet.Finding
}

// A Result is what a check found.
type Result struct {
	Topic string `json:"topic"`
	Name  string `json:"name"`
	subnet.Finding
}

// run carries out checks and returns what they found, in their order.
func run(ctx context.Context, checks []Check) []Result {
	results := make([]Result, len(checks))
	ended := make(map[string]chan struct{}, len(checks))
	of := make(map[string]int, len(checks))
	for i, c := range checks {
		ended[c.Name], of[c.Name] = make(chan struct{}), i
	}
	var all sync.WaitGroup
	for i, c := range checks {
		all.Go(func() {
			defer close(ended[c.Name])
			results[i] = Result{Topic: c.Topic, Name: c.Name, Finding: subnet.Skip("")}
			for _, need := range c.Needs {
				done, ok := ended[need]
				if !ok || of[need] >= i {
					panic(fmt.Sprintf("check %q needs %q, which does not come before it", c.Name, need))
				}
				<-done
				if s := results[of[need]].State; s == subnet.Bad || s == subnet.Skipped {
					results[i].Finding = subnet.Skip("not looked at: see %s", need)
					return
				}
			}
			results[i].Finding = within(ctx, c)
		})
	}
	all.Wait()
	return results
}

// within runs a check with its deadline.
func within(ctx context.Context, c Check) subnet.Finding {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errPatience)
	defer cancel()
	f := c.Run(ctx)
	if f.State == subnet.Bad && errors.Is(context.Cause(ctx), errPatience) {
		f.Text = fmt.Sprintf("no answer within %v: %s", patience, f.Text)
	}
	return f
}

var errPatience = errors.New("the check took too long")

// fault is a finding about an error, with the error's own advice if it has any.
func fault(err error, cure string) subnet.Finding {
	if h := subnet.Hint(err); h != "" {
		cure = h
	}
	return subnet.Fault(cure, "%v", err)
}

// doubt is fault for what need not cost a round.
func doubt(err error, cure string) subnet.Finding {
	f := fault(err, cure)
	f.State = subnet.Dubious
	return f
}

// A Report is all that was found, in a fixed order.
type Report struct {
	Results  []Result `json:"checks"`
	Good     int      `json:"ok"`
	Warnings int      `json:"warnings"`
	Failures int      `json:"failures"`
	Skipped  int      `json:"skipped"`
}

func summed(results []Result) Report {
	r := Report{Results: results}
	for _, x := range results {
		switch x.State {
		case subnet.Good:
			r.Good++
		case subnet.Dubious:
			r.Warnings++
		case subnet.Bad:
			r.Failures++
		default:
			r.Skipped++
		}
	}
	return r
}
