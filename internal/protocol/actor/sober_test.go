package actor

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"adit/internal/subnet"
)

// TestSoberPatience asks again where an answer did not come and one may, and only when
// there ever was one.
func TestSoberPatience(t *testing.T) {
	wrong := errors.New("wrong network")
	for _, tt := range []struct {
		name  string
		begun bool
		fails []error
		limit time.Duration // of who asks
		err   error
		asked int
		took  time.Duration
	}{
		{"the truth", false, nil, time.Hour, nil, 1, 0},
		{"never reached", false, []error{errDown}, time.Hour, errDown, 1, 0},
		{"down for a while", true, []error{errDown, errDown, errDown}, time.Hour, nil, 4, 3 * askAgain},
		{"an error that stays", true, []error{wrong}, time.Hour, wrong, 1, 0},
		{"down, and then an error that stays", true, []error{errDown, wrong}, time.Hour, wrong, 2, askAgain},
		{"down for longer than one waits", true, []error{errDown, errDown, errDown}, 3 * time.Second, errDown, 2, 3 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			questions := map[string]func(context.Context, subnet.Chain) error{
				"hash":        func(ctx context.Context, c subnet.Chain) error { _, err := c.Hash(ctx, 1); return err },
				"time":        func(ctx context.Context, c subnet.Chain) error { _, err := c.Time(ctx, 1); return err },
				"metagraph":   func(ctx context.Context, c subnet.Chain) error { _, err := c.Metagraph(ctx, 1); return err },
				"commitments": func(ctx context.Context, c subnet.Chain) error { _, err := c.Commitments(ctx, 0); return err },
				"head":        func(ctx context.Context, c subnet.Chain) error { _, err := c.Head(ctx); return err },
			}
			for name, ask := range questions {
				synctest.Test(t, func(t *testing.T) {
					fake, told := newFakeChain(), 0
					chain := Sober(fake, func(subnet.Event) { told++ })
					if tt.begun {
						if _, err := chain.Hash(t.Context(), 1); err != nil {
							t.Fatal(err)
						}
					}
					fake.fails, fake.asked = tt.fails, 0
					ctx, cancel := context.WithTimeout(t.Context(), tt.limit)
					defer cancel()
					began := time.Now()
					if err := ask(ctx, chain); !errors.Is(err, tt.err) {
						t.Errorf("%s: %v, want %v", name, err, tt.err)
					}
					if fake.asked != tt.asked || time.Since(began) != tt.took {
						t.Errorf("%s: asked %d times in %v, want %d in %v", name, fake.asked, time.Since(began), tt.asked, tt.took)
					}
					if want := min(1, int(tt.took/askAgain)); told != want {
						t.Errorf("%s: people were told %d times, want %d", name, told, want)
					}
				})
			}
		})
	}
}

// TestSoberHead believes a head that is near the last one, and of another only what has
// a state.
func TestSoberHead(t *testing.T) {
	for _, tt := range []struct {
		name   string
		ahead  subnet.Block // by which the endpoint lies, for three blocks
		want   subnet.Block
		asked  int          // questions until it is believed, if they count
		blocks subnet.Block // until then
	}{
		{"the truth", 0, 10, 1, 0},
		{"a little ahead, as on a bad day", plainSteps, 13, 1, 0},
		{"far ahead", 100, 13, 0, 3}, // it is asked again every two seconds
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := newFakeChain()
				chain := Sober(fake, func(subnet.Event) {})
				time.Sleep(10 * blockTime)
				if head, err := chain.Head(t.Context()); err != nil || head != 10 || fake.asked != 2 {
					t.Fatalf("the first head %d, %v, after %d questions: it counts when it has a state", head, err, fake.asked)
				}
				fake.asked = 0
				fake.ahead.Store(uint64(tt.ahead))
				began := fake.now()
				go func() {
					time.Sleep(3*blockTime - time.Second)
					fake.ahead.Store(0)
				}()
				head, err := chain.Head(t.Context())
				if err != nil || head != tt.want || fake.now()-began != tt.blocks || tt.asked > 0 && fake.asked != tt.asked {
					t.Errorf("head %d, %v, %d blocks later, after %d questions", head, err, fake.now()-began, fake.asked)
				}
				time.Sleep(time.Minute)
			})
		})
	}
}

// TestSoberWait does not believe an endpoint that tells of a block which is yet to come.
func TestSoberWait(t *testing.T) {
	for _, ahead := range []subnet.Block{0, 1000} {
		synctest.Test(t, func(t *testing.T) {
			fake := newFakeChain()
			chain := Sober(fake, func(subnet.Event) {})
			if _, err := chain.Head(t.Context()); err != nil {
				t.Fatal(err)
			}
			fake.ahead.Store(uint64(ahead))
			go func() {
				time.Sleep(5 * blockTime)
				fake.ahead.Store(0)
			}()
			if err := chain.Wait(t.Context(), 50); err != nil || fake.now() != 50 {
				t.Errorf("%d ahead: block %d, %v", ahead, fake.now(), err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := chain.Wait(ctx, 80); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("who waits no longer gets %v", err)
			}
		})
	}
}
