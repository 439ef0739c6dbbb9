package chainnode

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"adit/internal/drand"
)

func TestRelay(t *testing.T) {
	t.Parallel()
	beacon := drand.NewBeacon([32]byte{1})
	var latest atomic.Uint64
	latest.Store(100)
	var down atomic.Bool
	asked := make(chan struct{}, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			http.Error(w, "", http.StatusBadGateway)
			return
		}
		round, err := strconv.ParseUint(strings.TrimPrefix(r.URL.Path, "/public/"), 10, 64)
		if err != nil {
			round = latest.Load()
			select {
			case asked <- struct{}{}:
			default:
			}
		}
		fmt.Fprintf(w, `{"round":%d,"randomness":"","signature":"%x"}`, round, beacon.Pulse(round).Signature)
	}))
	t.Cleanup(server.Close)
	g := devGenesis()
	g.Beacon = beacon.Chain(1, 3)
	n := open(t, Options{Genesis: g})
	reach := func(want uint64) {
		t.Helper()
		if err := n.fetchPulses(t.Context(), server.URL); err != nil {
			t.Fatal(err)
		}
		produce(t, n)
		if got := n.ledger.LastRound(); got != want {
			t.Fatalf("round %d, want %d", got, want)
		}
	}
	reach(100)
	latest.Store(103) // the two between are fetched as well
	reach(103)
	reach(103)
	down.Store(true)
	if err := n.fetchPulses(t.Context(), server.URL); err == nil {
		t.Error("a relay that is down gives pulses")
	}
	down.Store(false)
	latest.Store(104)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- n.relay(ctx, server.URL, time.Millisecond) }()
	for len(asked) > 0 {
		<-asked
	}
	<-asked
	<-asked // by now it has taken in what it got first
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	produce(t, n)
	if got := n.ledger.LastRound(); got != 104 {
		t.Errorf("round %d, want 104", got)
	}
	http.DefaultClient.CloseIdleConnections()
}

func FuzzPulse(f *testing.F) {
	f.Add([]byte(`{"round":1000,"randomness":"fe","signature":"b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39"}`))
	f.Add([]byte(`{"round":0,"signature":""}`))
	f.Add([]byte(`{"round":-1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := readPulse(b); err == nil && p.Round == 0 {
			t.Error("round 0")
		}
	})
}
