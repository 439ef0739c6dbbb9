package connito

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"adit/internal/journal"
	"adit/internal/protocol/actor"
	"adit/internal/subnet"
)

// TestAcceptedAddress is a validator that is stopped after it said "accepted" and before
// it had the model: when it is back, it fetches it. What is too late, or here already,
// it forgets, and what it cannot keep it does not accept.
func TestAcceptedAddress(t *testing.T) {
	t.Parallel()
	s := G1.Schedule
	for _, tt := range []struct {
		name    string
		back    subnet.Block // after the Submission phase began
		here    bool         // the model came before
		full    bool         // the disk
		status  int
		fetched bool
	}{
		{"on", 2, false, false, 200, true},
		{"too late", s[Submission], false, false, 200, false},
		{"here already", 2, true, false, 200, false},
		{"a full disk", 2, false, true, 500, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sc := begin(t, G1).open(t)
			var asked atomic.Int32
			models := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				asked.Add(1)
				w.Write(sc.shard)
			}))
			t.Cleanup(models.Close)
			head := s.Start(sc.cycle, Submission) + 1
			sub := docsSubmit{Hotkey: sc.miner.Me, Group: &sc.group.ID, URL: models.URL + "/" + shardFile(0, G1.Formats[0]), Block: ptr(uint64(head))}
			sig, err := sc.miner.Signer.Sign(t.Context(), docsMessage(sub))
			if err != nil {
				t.Fatal(err)
			}
			sub.Signature = G1.Signatures.encode(sig)
			if tt.full {
				sc.validator.Dir.(*journal.Mem).Fault = func(string, string) error { return errors.New("no space left on device") }
			}
			sc.server.onAddress(func(docsSubmit, doorway) {}) // and is killed
			resp, err := http.Post("http://"+sc.at.String()+"/submit", "application/json", strings.NewReader(actor.JSON(sub)))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != tt.status {
				t.Fatalf("status %d, want %d", resp.StatusCode, tt.status)
			}
			if tt.here {
				put(t, sc.validator.Dir, submissionName(sc.miner.Me, head, G1.Formats[0]), sc.shard)
			}
			sc.jump(s.Start(sc.cycle, Submission) + tt.back)
			sc.near = 0 // time stands still
			again, err := newServer(sc.validator)
			if err != nil {
				t.Fatal(err)
			}
			again.goOn(t.Context(), func(sub docsSubmit, d doorway) {
				if err := again.fetchSubmitted(context.WithoutCancel(t.Context()), sub, d); err != nil {
					t.Error(err)
				}
			})
			if got := asked.Load() > 0; got != tt.fetched {
				t.Errorf("fetched %v, want %v", got, tt.fetched)
			}
			if _, ok := sc.validator.postedFile(sc.cycle, sc.miner.Me); ok != (tt.fetched || tt.here) {
				t.Errorf("the model is here: %v", ok)
			}
			if left, _ := sc.validator.Dir.List(addressDir); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}
