package telemetry

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"adit/internal/subnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBus()
		var one, two []stamped
		b.Emit(subnet.Event{Text: "before anybody reads"})
		cancel := b.Subscribe(10, func(at time.Time, e subnet.Event) { one = append(one, stamped{at, e}) })
		b.Subscribe(10, func(at time.Time, e subnet.Event) { two = append(two, stamped{at, e}) })
		start := time.Now()
		b.Emit(subnet.Event{Text: "a"})
		time.Sleep(3 * time.Second)
		b.Emit(subnet.Event{Text: "b"})
		cancel()
		cancel() // once more does no harm
		b.Emit(subnet.Event{Text: "c"})
		if err := b.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.Emit(subnet.Event{Text: "after the end"})
		b.Subscribe(10, func(time.Time, subnet.Event) { t.Error("read after the end") })()
		cancel()
		if err := b.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}

		if got := texts(one); got != "[a b]" {
			t.Errorf("the first reader got %s", got)
		}
		if got := texts(two); got != "[a b c]" {
			t.Errorf("the second reader got %s", got)
		}
		if !two[0].at.Equal(start) || !two[1].at.Equal(start.Add(3*time.Second)) {
			t.Errorf("events are of %v and %v, want %v and 3 s later", two[0].at, two[1].at, start)
		}
	})
}

func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBus()
		var got []stamped
		b.Subscribe(4, func(at time.Time, e subnet.Event) {
			time.Sleep(time.Minute)
			got = append(got, stamped{at, e})
		})
		start := time.Now()
		b.Emit(subnet.Event{Text: "first"})
		synctest.Wait() // it is being read: the queue is empty
		for i := range 10 {
			b.Emit(subnet.Event{Text: fmt.Sprint(i)})
		}
		if waited := time.Since(start); waited != 0 {
			t.Errorf("emitting took %v", waited)
		}
		if err := b.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if want := "[first events came faster than they could be written 0 1 2 3]"; texts(got) != want {
			t.Errorf("got %s, want %s", texts(got), want)
		}
		if n := got[1].e.Attrs[0].Value.Uint64(); n != 6 || got[1].e.Kind != "dropped" {
			t.Errorf("the reader was told of %d dropped events, want 6", n)
		}
	})
}

func TestStopDoesNotHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBus()
		release := make(chan bool)
		b.Subscribe(4, func(time.Time, subnet.Event) { <-release })
		b.Emit(subnet.Event{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stop error = %v", err)
		}
		close(release)
	})
}

func TestManyEmitters(t *testing.T) {
	b := NewBus()
	n := 0
	b.Subscribe(1000, func(time.Time, subnet.Event) { n++ })
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			for range 100 {
				b.Emit(subnet.Event{})
			}
			b.Subscribe(1, func(time.Time, subnet.Event) {})()
		})
	}
	wg.Wait()
	if err := b.Stop(t.Context()); err != nil || n != 1000 {
		t.Errorf("%d events were read, %v, want 1000", n, err)
	}
}

func texts(events []stamped) string {
	var all []string
	for _, e := range events {
		all = append(all, e.e.Text)
	}
	return fmt.Sprint(all)
}
