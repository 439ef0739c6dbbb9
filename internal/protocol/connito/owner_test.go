package connito

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"adit/internal/keys"
	"adit/internal/protocol/actor"
	"adit/internal/subnet"
)

// A heightChain is a chain that knows its height alone.
type heightChain struct {
	subnet.Chain
	head func() (subnet.Block, error)
}

func (c heightChain) Head(context.Context) (subnet.Block, error) { return c.head() }

// listedHotkeys are addresses for a whitelist.
func listedHotkeys(n byte) (list []subnet.Hotkey) {
	for i := range n {
		list = append(list, subnet.Hotkey(keys.Address([32]byte{i + 1})))
	}
	return list
}

// serveOwner starts an owner's service over a chain of a height.
func serveOwner(t *testing.T, cfg *OwnerConfig, head func() (subnet.Block, error)) (url string) {
	t.Helper()
	s := httptest.NewServer(&ownerService{subnet.Env{Chain: heightChain{head: head}, Emit: func(subnet.Event) {}}, cfg})
	t.Cleanup(s.Close)
	return s.URL
}

func askOwner(t *testing.T, method, url string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.Header.Get("Content-Type") != "application/json" || !json.Valid(body) {
		t.Errorf("%s: %v, %s, %q", url, err, resp.Header.Get("Content-Type"), body)
	}
	return resp.StatusCode, string(body)
}

// TestOwnerAnswers checks each endpoint's status and JSON, the vector of the phases
// among them.
func TestOwnerAnswers(t *testing.T) {
	t.Parallel()
	list := listedHotkeys(2)
	bundle, err := SealTask("exp_x", []byte(`{"group_id":4,"lr":1e-05}`), []byte(`{"1":[[0,22]]}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	head := subnet.Block(8081340)
	var headErr, listErr error
	full := &OwnerConfig{
		Rules:     G3,
		Whitelist: func() ([]subnet.Hotkey, error) { return list, listErr },
		PeerIDs:   func() ([]string, error) { return []string{"/ip4/1.2.3.4/tcp/7002/p2p/Qm"}, nil },
		Task:      func() ([]byte, error) { return bundle, nil },
	}
	url := serveOwner(t, full, func() (subnet.Block, error) { return head, headErr })
	bare := serveOwner(t, &OwnerConfig{Rules: G0}, func() (subnet.Block, error) { return 60, nil })
	const vector = `{"block":8081340,"cycle_length":500,"cycle_index":16162,"cycle_block_index":340,"phase_name":"Submission","phase_index":4,` +
		`"phase_start_block":8081340,"phase_end_block":8081419,"blocks_into_phase":0,"blocks_remaining_in_phase":79}`
	task, _, err := parseBundle(bundle)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		method, url string
		status      int
		body        string
	}{
		{"GET", url + "/get_phase", 200, vector},
		{"GET", url + "/get_phase?block=8081340", 200, vector},
		{"GET", bare + "/get_phase?block=8081340", 200, actor.JSON(G0.phaseInfo(8081340))},
		{"GET", url + "/blocks_until_next_phase", 200, actor.JSON(G3.blocksUntilNext(head))},
		{"GET", url + "/previous_phase_blocks", 200, actor.JSON(G3.previousPhases(head))},
		{"GET", url + "/previous_phase_blocks?block=8081341", 200, actor.JSON(G3.previousPhases(head + 1))},
		{"GET", bare + "/blocks_until_next_phase", 200, `{"Distribute":30,"Train":32,"Commit":42,"Submission":0,"Validate":10,"Merge":20}`},
		{"GET", url, 200, actor.JSON(G3.serviceRoot())},
		{"GET", url + "/get_init_peer_id", 200, `["/ip4/1.2.3.4/tcp/7002/p2p/Qm"]`},
		{"GET", url + "/get_validator_whitelist", 200, actor.JSON(list)},
		{"GET", url + "/active_task", 200, `{"name":"exp_x","group_id":4,"bundle_sha256":"` + task.Sum + `"}`},
		{"GET", url + "/active_task_bundle", 200, string(bundle)},
		{"GET", bare + "/get_init_peer_id", 200, `[]`},
		{"GET", bare + "/get_validator_whitelist", 200, `[]`},
		{"GET", bare + "/active_task", 404, `{"detail":"No active task"}`},
		{"GET", bare + "/active_task_bundle", 404, `{"detail":"No active task"}`},
		{"GET", url + "/get_phase?block=-1", 400, `{"detail":"block must be a number from 0 to 10000000000, not \"-1\""}`},
		{"GET", url + "/get_phase?block=99999999999", 400, `{"detail":"block must be a number from 0 to 10000000000, not \"99999999999\""}`},
		{"GET", url + "/get_phases", 404, `{"detail":"Not Found"}`},
		{"POST", url + "/get_phase", 405, `{"detail":"Method Not Allowed"}`},
	} {
		status, body := askOwner(t, tt.method, tt.url)
		if diff := cmp.Diff(tt.body, body); status != tt.status || diff != "" {
			t.Errorf("%s %s: status %d, want %d (-want +got)\n%s", tt.method, tt.url, status, tt.status, diff)
		}
	}
	headErr, listErr = errors.New("no node"), errors.New("not to be read")
	for path, want := range map[string]string{
		"/get_phase":               `503 {"detail":"the chain does not answer: no node"}`,
		"/get_validator_whitelist": `500 {"detail":"not to be read"}`,
		"/get_phase?block=0":       "200 " + actor.JSON(G3.phaseInfo(0)),
	} {
		if status, body := askOwner(t, "GET", url+path); actor.JSON(status)+" "+body != want {
			t.Errorf("%s: %d %s, want %s", path, status, body, want)
		}
	}
	listErr = subnet.ErrNotFound
	if status, body := askOwner(t, "GET", url+"/get_validator_whitelist"); status != 200 || body != "[]" {
		t.Errorf("a list that is gone: %d %s", status, body)
	}
}

// TestOwnerRole runs the role itself: it serves where it is told, until the end.
func TestOwnerRole(t *testing.T) {
	t.Parallel()
	at := netip.MustParseAddrPort("127.0.0.1:8080")
	var said []string
	var got string
	env := subnet.Env{
		Config: &OwnerConfig{Endpoints: []string{"ws://x"}, Rules: G4, At: at},
		Chain:  heightChain{head: func() (subnet.Block, error) { return 524, nil }},
		Emit:   func(e subnet.Event) { said = append(said, e.Text) },
		Serve: func(_ context.Context, where netip.AddrPort, h http.Handler) error {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("GET", "/get_phase", nil))
			got = w.Body.String()
			if where != at {
				t.Errorf("served at %v", where)
			}
			return nil
		},
	}
	role, ok := Protocol.Role("owner")
	if !ok {
		t.Fatal("no role")
	}
	if err := role.Run(t.Context(), env); err != nil || got != actor.JSON(G4.phaseInfo(524)) || len(said) != 1 {
		t.Errorf("%v, %s, %q", err, got, said)
	}
	for name, bad := range map[string]subnet.Config{
		"settings": &Config{}, "address": &OwnerConfig{Endpoints: []string{"ws://x"}, Rules: G4},
		"endpoints": &OwnerConfig{Rules: G4, At: at}, "phases": &OwnerConfig{Endpoints: []string{"ws://x"}, At: at},
	} {
		env.Config = bad
		if err := role.Run(t.Context(), env); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOwnerWaits has a chain that cannot be reached: the client hears of it before it
// gives up.
func TestOwnerWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &ownerService{subnet.Env{Chain: silentChain{}, Emit: func(subnet.Event) {}}, &OwnerConfig{Rules: G3}}
		w, began := httptest.NewRecorder(), time.Now()
		s.ServeHTTP(w, httptest.NewRequest("GET", "/get_phase", nil))
		if took := time.Since(began); w.Code != http.StatusServiceUnavailable || took != headWait {
			t.Errorf("status %d after %v", w.Code, took)
		}
	})
}

// A silentChain is reconnecting for ever.
type silentChain struct{ subnet.Chain }

func (silentChain) Head(ctx context.Context) (subnet.Block, error) {
	<-ctx.Done()
	return 0, ctx.Err()
}

func TestWithLengths(t *testing.T) {
	for _, tt := range []struct {
		rules  Rules
		blocks []uint64
		want   subnet.Block // length of a cycle; 0 for an error
	}{
		{G3, []uint64{5, 60, 4, 4, 10, 5, 5, 4, 4}, 101},
		{G0, []uint64{2, 10, 3, 10, 10, 10}, 45},
		{G0, []uint64{2, 10, 3, 0, 10, 10, 10, 0, 0}, 45},
		{G1, []uint64{5, 30, 5, 6}, 46},
		{G0, []uint64{2, 10, 3, 1, 10, 10, 10, 0, 0}, 0},
		{G3, []uint64{5, 60, 4, 0, 10, 5, 5, 4, 4}, 0},
		{G3, []uint64{5, 60}, 0},
		{G3, []uint64{5, 60, 4, 4, 10, 5, 5, 4, 1 << 40}, 0},
		{G3, nil, 0},
	} {
		r, err := tt.rules.WithLengths(tt.blocks)
		if (err == nil) != (tt.want > 0) || err == nil && r.Schedule.Cycle() != tt.want {
			t.Errorf("%s %v: %v, %v", tt.rules.Name, tt.blocks, r.Schedule, err)
		}
	}
	if r, err := GenerationByName("g2-472"); err != nil || r.Schedule.Cycle() != 472 {
		t.Errorf("%v, %v", r.Name, err)
	}
	if _, err := GenerationByName("g9"); err == nil {
		t.Error("g9 is one")
	}
}

func TestParseWhitelist(t *testing.T) {
	two := listedHotkeys(2)
	a, b := string(two[0]), string(two[1])
	for text, want := range map[string][]subnet.Hotkey{
		"":                               {},
		"[]":                             {},
		actor.JSON(two):                  two,
		" " + actor.JSON(two) + "\n":     two,
		a + "," + b:                      two,
		"# ours\n" + a + " # me\n\n" + b: two,
		a + "\r\n" + a:                   two[:1],
	} {
		if got, err := ParseWhitelist([]byte(text)); err != nil || !cmp.Equal(got, want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, bad := range []string{"x", `["x"]`, `[1]`, `[`, `{"a":1}`, a + "x", "null", "[" + strings.Repeat(`"`+a+`",`, maxListed) + `"` + a + `"]`, strings.Repeat(" ", maxService+1)} {
		if got, err := ParseWhitelist([]byte(bad)); err == nil {
			t.Errorf("%.40q: %v", bad, got)
		}
	}
}

func FuzzParseWhitelist(f *testing.F) {
	f.Add([]byte(actor.JSON(listedHotkeys(3))))
	f.Add([]byte("a,b # c\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := ParseWhitelist(data)
		if err != nil {
			return
		}
		if back, err := ParseWhitelist([]byte(actor.JSON(list))); err != nil || !cmp.Equal(back, list) {
			t.Errorf("%v, then %v, %v", list, back, err)
		}
	})
}

func TestSealTask(t *testing.T) {
	for name, bad := range map[string][4]string{
		"no group":   {"x", `{}`, `{"1":[[0,22]]}`, ""},
		"no config":  {"x", `nope`, `{"1":[[0,22]]}`, ""},
		"experts":    {"x", `{"group_id":1}`, `{"1":[[0,22],[0,23]]}`, ""},
		"name":       {"..", `{"group_id":1}`, `{"1":[[0,22]]}`, ""},
		"bad policy": {"x", `{"group_id":1}`, `{"1":[[0,22]]}`, "{"},
		"negative":   {"x", `{"group_id":-1}`, `{"1":[[0,22]]}`, ""},
	} {
		if data, err := SealTask(bad[0], []byte(bad[1]), []byte(bad[2]), []byte(bad[3])); err == nil {
			t.Errorf("%s: %s", name, data)
		}
	}
}
