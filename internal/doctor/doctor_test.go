package doctor

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"adit/internal/journal"
	"adit/internal/protocol/connito"
	"adit/internal/subnet"
)

// A sick case is one or more things made wrong on purpose, and what has to be found:
// by the name of a check, its state and a part of what it says, with " / " before a
// part of the cure.
type sick struct {
	name, role string
	change     func(*connito.Config)
	run        func(t *testing.T, w *world, dir string) // once the directory is there
	finds      map[string]string
}

func TestDoctor(t *testing.T) {
	w := newWorld(t)
	other := newChainOnly(t)
	for _, tt := range append(cases(w, other), casesOfFiles(w)...) {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			role := tt.role
			if role == "" {
				role = "miner"
			}
			dir := w.write(t, tt.name, role, tt.change)
			if tt.run != nil {
				tt.run(t, w, dir)
			}
			before := tree(t, dir)
			report, found := w.doctor(t, dir)
			if after := tree(t, dir); !slices.Equal(before, after) {
				t.Errorf("the directory held %v, and now %v", before, after)
			}
			for name, want := range tt.finds {
				state, text, _ := strings.Cut(want, ": ")
				text, cure, _ := strings.Cut(" "+text, " / ")
				text = strings.TrimSpace(text)
				got, ok := found[name]
				if !ok || string(got.State) != state || !strings.Contains(got.Text, text) || !strings.Contains(got.Cure, cure) {
					t.Errorf("%s: %s: %s / %s\nwant %s", name, got.State, got.Text, got.Cure, want)
				}
			}
			for _, x := range report.Results {
				expected := tt.finds[x.Name] != ""
				if x.State == subnet.Bad && !expected {
					t.Errorf("and %s: %s / %s", x.Name, x.Text, x.Cure)
				}
				if (x.State == subnet.Bad || x.State == subnet.Dubious) != (x.Cure != "") {
					t.Errorf("%s is %s and its cure %q", x.Name, x.State, x.Cure)
				}
				if x.State == "" || x.Text == "" {
					t.Errorf("%s says nothing: %+v", x.Name, x)
				}
			}
			if sum := report.Good + report.Warnings + report.Failures + report.Skipped; sum != len(report.Results) || sum < 50 {
				t.Errorf("%d checks, counted %d", len(report.Results), sum)
			}
		})
	}
}

// tree lists the files of a directory.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		all = append(all, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestRoleAndNeeds(t *testing.T) {
	t.Parallel()
	if _, err := Run(t.Context(), Options{Protocol: connito.Protocol, Role: "cook"}); err == nil || !strings.Contains(err.Error(), `no role "cook"`) {
		t.Errorf("an unknown role: %v", err)
	}
	// A run whose settings are not there has one fault, and all else waits for it.
	r, err := Run(t.Context(), Options{Protocol: connito.Protocol, Path: filepath.Join(t.TempDir(), "none")})
	if err != nil {
		t.Fatal(err)
	}
	if r.Failures != 1 || r.Skipped != len(r.Results)-1 || r.Results[0].State != subnet.Bad {
		t.Errorf("without settings: %+v", r)
	}
}

// A lock that is held is no fault: the neuron may be running.
func holdLock(t *testing.T, _ *world, dir string) {
	release, err := journal.Lock(dir, "train")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
}

// TestTime looks at clocks and heads that are off.
func TestTime(t *testing.T) {
	t.Parallel()
	now := time.Now()
	at := func(d time.Duration) *patient {
		return &patient{stamp: now.Add(d), seen: now, block: 12 * time.Second, services: subnet.Services{Endpoints: []string{"wss://chain.example:443"}}}
	}
	hubAt := func(asked, came, date time.Duration) *patient {
		return &patient{hub: hubAnswer{asked: now.Add(asked), came: now.Add(came), date: now.Add(date)}}
	}
	near := at(time.Minute)
	near.services.Endpoints = []string{"ws://localhost:9944"}
	for _, tt := range []struct {
		name  string
		check func(context.Context) subnet.Finding
		want  subnet.State
		text  string
	}{
		{"present", at(-time.Second).clockChain, subnet.Good, ""},
		{"future", at(time.Minute).clockChain, subnet.Bad, "1m0s behind"},
		{"future of a local chain", near.clockChain, subnet.Good, "1m0s ahead"},
		{"fresh", at(-30 * time.Second).fresh, subnet.Good, "30s old"},
		{"stale", at(-10 * time.Minute).fresh, subnet.Bad, "10m0s old"},
		{"hub", hubAt(0, time.Second, 500*time.Millisecond).clockHub, subnet.Good, ""},
		{"hub tells no time", (&patient{}).clockHub, subnet.Skipped, ""},
		{"behind the hub", hubAt(0, time.Second, 11*time.Second).clockHub, subnet.Dubious, "-10s off"},
		{"ahead of the hub", hubAt(0, time.Second, -10*time.Second).clockHub, subnet.Dubious, "10s off"},
		{"an hour off", hubAt(0, time.Second, time.Hour).clockHub, subnet.Bad, "-59m59s off"},
	} {
		got := tt.check(t.Context())
		if got.State != tt.want || !strings.Contains(got.Text, tt.text) {
			t.Errorf("%s: %+v, want %s %q", tt.name, got, tt.want, tt.text)
		}
	}
}

// TestPatience has a check that does not answer.
func TestPatience(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := func(ctx context.Context) subnet.Finding {
			<-ctx.Done()
			return fault(ctx.Err(), "wait")
		}
		good := func(context.Context) subnet.Finding { return subnet.Fine("well") }
		began := time.Now()
		got := run(t.Context(), []Check{{"t", "slow", nil, slow}, {"t", "good", nil, good}, {"t", "needs slow", []string{"slow"}, good}, {"t", "too", []string{"needs slow"}, good}})
		want := []Result{
			{"t", "slow", subnet.Fault("wait", "no answer within 10s: context deadline exceeded")}, {"t", "good", subnet.Fine("well")},
			{"t", "needs slow", subnet.Skip("not looked at: see slow")}, {"t", "too", subnet.Skip("not looked at: see needs slow")},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if took := time.Since(began); took != patience {
			t.Errorf("it took %v", took)
		}
	})
}

func TestBytes(t *testing.T) {
	t.Parallel()
	for n, want := range map[uint64]string{0: "0 B", 1023: "1023 B", 1 << 20: "1 MiB", 3 << 29: "1.5 GiB", 1 << 41: "2.0 TiB"} {
		if got := bytes(n); got != want {
			t.Errorf("bytes(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestLocal(t *testing.T) {
	t.Parallel()
	for endpoint, want := range map[string]bool{"local": true, "ws://127.0.0.1:9944": true, "ws://[::1]:1": true, "finney": false, "wss://chain.example": false, "?": false} {
		if got := local(endpoint); got != want {
			t.Errorf("local(%q) = %v", endpoint, got)
		}
	}
}
