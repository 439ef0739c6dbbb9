package ranks

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"adit/internal/engine/train"
	"adit/internal/subnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A thread is a rank in this process.
type thread struct {
	cancel context.CancelFunc
	done   chan struct{}
	words  string
}

func (h *thread) Done() <-chan struct{} { return h.done }
func (h *thread) End() string           { h.cancel(); <-h.done; return h.words }

// run starts a rank that does something.
func run(t *testing.T, do func(context.Context, Order) error) func(Order) (Hand, error) {
	return func(o Order) (Hand, error) {
		ctx, cancel := context.WithCancel(t.Context())
		h := &thread{cancel: cancel, done: make(chan struct{})}
		go func() {
			defer close(h.done)
			if err := do(ctx, o); err != nil && !errors.Is(err, ErrGone) && ctx.Err() == nil {
				h.words = err.Error()
			}
		}()
		return h, nil
	}
}

var loopback = netip.MustParseAddrPort("127.0.0.1:0")

// row is what a rank has learned in a step.
func row(rank, step, n int) ([]float32, float64) {
	r := rand.New(rand.NewPCG(uint64(rank), uint64(step)))
	grad := make([]float32, n)
	for i := range grad {
		grad[i] = float32(r.NormFloat64()) * float32(rank*rank+1)
	}
	return grad, r.Float64()
}

type order struct{ N, Steps int }

// learn is a rank that gives its rows to be summed.
func learn(ctx context.Context, o Order) error {
	m, err := Join(ctx, o, Limits{Join: time.Minute, Sign: 20 * time.Millisecond})
	if err != nil {
		return err
	}
	defer m.Close()
	var job order
	if err := errors.Join(m.Ready(), m.Job(&job)); err != nil {
		return err
	}
	var told bytes.Buffer
	shown := make([]float32, job.N)
	if err := errors.Join(m.Values(shown), m.Stream(&told, 3*chunkBytes)); err != nil {
		return err
	}
	if want, _ := row(9, 9, job.N); !slices.Equal(shown, want) || told.Len() != 2*chunkBytes+7 {
		return errors.New("other values than were sent")
	}
	for step := range job.Steps {
		grad, loss := row(o.Rank, step, job.N)
		total, spent, err := m.Sum(grad, loss)
		if err != nil {
			return err
		}
		want, wantLoss := sum(o.World, step, job.N)
		if !slices.Equal(grad, want) || total != wantLoss || spent != float64(step)/8 {
			m.Fail(fmt.Errorf("step %d gave another sum", step))
			return nil
		}
	}
	<-ctx.Done()
	return nil
}

// sum is what one process would add up.
func sum(world, step, n int) ([]float32, float64) {
	rows := make([][]float32, world)
	var total float64
	for rank := range world {
		var loss float64
		rows[rank], loss = row(rank, step, n)
		total += loss
	}
	out := make([]float32, n)
	train.AddInOrder(out, rows...)
	return out, total
}

// TestSum adds up over real connections, in more than one chunk, and compares every
// bit, in every rank, with the sum of the rows in one process.
func TestSum(t *testing.T) {
	t.Parallel()
	for _, world := range []int{2, 3, 5} {
		const steps, n = 4, chunkFloats + 77
		crew, err := Gather(t.Context(), Options{World: world, At: loopback, Start: run(t, learn)})
		if err != nil {
			t.Fatal(err)
		}
		shown, _ := row(9, 9, n)
		err = errors.Join(crew.Job(t.Context(), order{n, steps}), crew.Values(t.Context(), shown), crew.Stream(t.Context(), func(w io.Writer) error {
			_, err := w.Write(make([]byte, 2*chunkBytes+7))
			return err
		}))
		for step := range steps {
			grad, loss := row(0, step, n)
			total, spent, sumErr := crew.Sum(t.Context(), grad, loss, func() float64 { return float64(step) / 8 })
			if err = errors.Join(err, sumErr); err != nil {
				t.Fatal(err)
			}
			if want, wantLoss := sum(world, step, n); !slices.Equal(grad, want) || total != wantLoss || spent != float64(step)/8 {
				t.Errorf("step %d of %d ranks gave another sum", step, world)
			}
		}
		crew.Close()
	}
}

// TestStrangers connect, and are refused, each with why; the ranks are not kept from
// coming.
func TestStrangers(t *testing.T) {
	t.Parallel()
	huge := binary.LittleEndian.AppendUint64([]byte{byte(kindHello)}, 1<<62)
	for _, tt := range []struct {
		name, want string
		say        func(o Order) []byte
	}{
		{"another secret", "does not know the secret", func(o Order) []byte { return hello(wire, strings.Repeat("0", 64), o.Rank, o.World) }},
		{"no secret", "does not know the secret", func(o Order) []byte { return hello(wire, "", o.Rank, o.World) }},
		{"another version", "speaks version 7", func(o Order) []byte { return hello(7, o.Token, o.Rank, o.World) }},
		{"no such rank", "it is rank 9 of 2", func(o Order) []byte { return hello(wire, o.Token, 9, 2) }},
		{"the first rank", "it is rank 0 of 2", func(o Order) []byte { return hello(wire, o.Token, 0, 2) }},
		{"oversize", "a greeting of 4611686018427387904 bytes", func(Order) []byte { return huge }},
		{"no frame", "sent frame of kind 71, and not a greeting", func(Order) []byte { return []byte("GET / HTTP/1.1\r\n\r\n") }},
		{"no JSON", "invalid character", func(Order) []byte { return append(head(kindHello, 3), "???"...) }},
		{"silence", "timeout", func(Order) []byte { return nil }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			greet := time.Minute
			if tt.name == "silence" {
				greet = time.Second
			}
			refused := make(chan error, 1)
			start := run(t, func(ctx context.Context, o Order) error {
				c, err := net.Dial("tcp", o.At)
				if err != nil {
					return err
				}
				defer c.Close()
				if _, err := c.Write(tt.say(o)); err != nil {
					return err
				}
				if n, err := c.Read(make([]byte, 1)); n > 0 || err == nil {
					return errors.New("a stranger was answered")
				}
				return learn(ctx, o)
			})
			crew, err := Gather(t.Context(), Options{World: 2, At: loopback, Start: start, Warn: func(_ string, err error) { refused <- err },
				Limits: Limits{Join: time.Minute, Greet: greet, Silence: time.Minute, Sign: time.Second}})
			if err != nil {
				t.Fatal(err)
			}
			defer crew.Close()
			if err := <-refused; !strings.Contains(err.Error(), tt.want) {
				t.Errorf("refused for %q, want %q", err, tt.want)
			}
		})
	}
}

func hello(version int, token string, rank, world int) []byte {
	data := fmt.Appendf(nil, `{"wire":%d,"token":%q,"rank":%d,"world":%d}`, version, token, rank, world)
	return append(head(kindHello, len(data)), data...)
}

// joined is a rank that is ready and takes a job, and then does something.
func joined(do func(ctx context.Context, m *Member) error) func(context.Context, Order) error {
	return func(ctx context.Context, o Order) error {
		if o.Rank == 1 {
			return learn(ctx, o)
		}
		m, err := Join(ctx, o, Limits{Join: time.Minute, Sign: time.Minute})
		if err != nil {
			return err
		}
		defer m.Close()
		if err := errors.Join(m.Ready(), m.Job(new(order)), m.Values(make([]float32, 5)), m.Stream(io.Discard, 3*chunkBytes)); err != nil {
			return err
		}
		return do(ctx, m)
	}
}

// TestLost has a rank vanish, fall silent or talk nonsense in each place: the step
// fails for the first one, within a bounded time, by the rank's name, and no rank is
// left.
func TestLost(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, want string
		do         func(ctx context.Context, m *Member) error
	}{
		{"vanishes", "rank 2 of 3: it ended; its last words: gone for good", func(context.Context, *Member) error { return errors.New("gone for good") }},
		{"falls silent", "rank 2 of 3: ", func(ctx context.Context, _ *Member) error { <-ctx.Done(); return nil }},
		{"says why", `rank 2 of 3: it says: "out of memory"`, func(_ context.Context, m *Member) error { m.Fail(errors.New("out of memory")); return nil }},
		{"vanishes in the middle", "rank 2 of 3: it ended", func(_ context.Context, m *Member) error {
			_, err := m.c.Write(append(appendFloats(head(kindGradient, 8+4*5), 1), 1, 2, 3))
			return err
		}},
		{"another length", "rank 2 of 3: sent a gradient of 16 bytes, which has from 28 to 28", func(ctx context.Context, m *Member) error {
			_, _, _ = m.Sum(make([]float32, 2), 1)
			<-ctx.Done()
			return nil
		}},
		{"another frame", "rank 2 of 3: sent readiness, and not a gradient", func(ctx context.Context, m *Member) error { _ = m.Ready(); <-ctx.Done(); return nil }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			silence := time.Minute
			if tt.name == "falls silent" {
				silence = time.Second
			}
			crew, err := Gather(t.Context(), Options{World: 3, At: loopback, Start: run(t, joined(tt.do)),
				Limits: Limits{Join: time.Minute, Greet: time.Minute, Silence: silence, Sign: time.Minute}})
			if err != nil {
				t.Fatal(err)
			}
			shown, _ := row(9, 9, 5)
			err = errors.Join(crew.Job(t.Context(), order{5, 1}), crew.Values(t.Context(), shown), crew.Stream(t.Context(), func(w io.Writer) error {
				_, err := w.Write(make([]byte, 2*chunkBytes+7))
				return err
			}))
			if err == nil {
				grad, loss := row(0, 0, 5)
				_, _, err = crew.Sum(t.Context(), grad, loss, func() float64 { return 0 })
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if !errors.Is(err, subnet.ErrTemporary) {
				t.Error("it is no temporary failure")
			}
			for rank := 1; rank < 3; rank++ {
				select {
				case <-crew.hands[rank].Done():
				default:
					t.Errorf("rank %d is left", rank)
				}
			}
			crew.Close()
		})
	}
}

// TestNobodyComes says which rank it was that did not, and why if it said.
func TestNobodyComes(t *testing.T) {
	t.Parallel()
	limits := Limits{Join: 50 * time.Millisecond, Greet: time.Minute, Silence: time.Minute, Sign: time.Second}
	_, err := Gather(t.Context(), Options{World: 2, At: loopback, Limits: limits, Start: run(t, func(ctx context.Context, _ Order) error { <-ctx.Done(); return nil })})
	if err == nil || err.Error() != "rank 1 of 2: it has not connected in 50ms" {
		t.Error(err)
	}
	_, err = Gather(t.Context(), Options{World: 2, At: loopback, Start: run(t, func(context.Context, Order) error { return errors.New("no such model") })})
	if err == nil || err.Error() != "rank 1 of 2: it ended; its last words: no such model" {
		t.Error(err)
	}
	_, err = Gather(t.Context(), Options{World: 2, At: loopback, Start: func(Order) (Hand, error) { return nil, errors.New("no processes left") }})
	if err == nil || err.Error() != "start rank 1 of 2: no processes left" {
		t.Error(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = Gather(t.Context(), Options{World: 2, At: netip.MustParseAddrPort("192.0.2.1:29500")})
	if err == nil || !strings.Contains(subnet.Hint(err), "of this machine") {
		t.Errorf("an address of another machine: %v, hint %q", err, subnet.Hint(err))
	}
	var warned string
	crew, err := Gather(t.Context(), Options{World: 2, At: netip.MustParseAddrPort(l.Addr().String()), Start: run(t, learn), Warn: func(text string, _ error) { warned = text }})
	if err != nil || !strings.Contains(warned, "another program has "+l.Addr().String()) {
		t.Fatalf("a port that is taken: %v; warned of %q", err, warned)
	}
	crew.Close()
}

// TestTwice refuses a rank that comes twice, and a whole training that was told to
// end.
func TestTwice(t *testing.T) {
	t.Parallel()
	_, err := Gather(t.Context(), Options{World: 3, At: loopback, Start: run(t, func(ctx context.Context, o Order) error {
		o.Rank = 1
		return learn(ctx, o)
	})})
	if err == nil || !strings.Contains(err.Error(), "rank 1 of 3: it connected twice") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var started sync.WaitGroup
	started.Add(1)
	go func() { started.Wait(); cancel() }()
	_, err = Gather(ctx, Options{World: 2, At: loopback, Start: run(t, func(ctx context.Context, o Order) error {
		m, err := Join(ctx, o, Limits{})
		if err != nil {
			return err
		}
		defer m.Close()
		started.Done()
		<-ctx.Done() // never ready
		return nil
	})})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// FuzzFrame reads whatever may come.
func FuzzFrame(f *testing.F) {
	f.Add(hello(wire, "secret", 1, 2))
	f.Add(append(head(kindAlive, 0), head(kindGradient, 8)...))
	f.Add(append(head(kindFailed, 3), "why"...))
	f.Add(head(kindAlive, 1))
	f.Add(head(kindSum, -1))
	f.Add([]byte{byte(kindHello), 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		for k := range kindNames {
			r := bytes.NewReader(data)
			if size, err := next(r, k, 0, 64); err == nil && (size < 0 || size > 64) {
				t.Errorf("%v of %d bytes is taken", k, size)
			}
			got, err := small(bytes.NewReader(data), k, 64)
			if err == nil && len(got) > 64 {
				t.Errorf("%v of %d bytes is taken", k, len(got))
			}
			if err != nil && len(err.Error()) > 8*maxText {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		}
	})
}
