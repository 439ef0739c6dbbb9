package hub

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"adit/internal/exchange"
	"adit/internal/exchange/storetest"
)

// serveUntilKilled is a hub in a process of its own.
func serveUntilKilled(dir string) {
	h, err := Open(dir, Options{Tokens: tokens, PartSize: 40000, Keep: 3, Grace: time.Hour})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println("http://" + l.Addr().String())
	http.Serve(l, h)
}

// A hub that is killed at any moment still has all that it ever said was
// published, and goes on.
func TestKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	published := make(map[string]byte) // revision → seed of its noise
	seed := byte(0)
	for round := range 8 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "HUB_TEST_SERVE="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		url, err := bufio.NewReader(out).ReadString('\n')
		if err != nil || !strings.HasPrefix(url, "http://") {
			t.Fatalf("round %d: the hub does not start after a kill: %s %v", round, url, err)
		}
		// At another moment each time, some milliseconds into the work.
		kill := time.AfterFunc(time.Duration(20+37*round)*time.Millisecond, func() { cmd.Process.Kill() })
		for {
			store, err := exchange.Open("hf://alice/m", exchange.Options{HubEndpoint: strings.TrimSpace(url), Token: "token-a",
				Client: &http.Client{Transport: transport}, Attempts: 1})
			if err != nil {
				t.Fatal(err)
			}
			seed++
			if err = store.Stage(t.Context(), "m.pt", storetest.NewFile("m.pt", storetest.Noise(seed, 100000))); err != nil {
				break
			}
			revision, err := store.Publish(context.Background(), "m")
			if err != nil {
				break
			}
			published[revision] = seed
		}
		kill.Stop()
		cmd.Process.Kill()
		cmd.Wait()
	}
	if len(published) == 0 {
		t.Fatal("nothing was published before any kill")
	}
	s := newSite(t, dir, Options{})
	for revision, seed := range published {
		got, err := fetch(t, s.open(t, "alice/m", ""), revision, "m.pt")
		if err != nil || !bytes.Equal(got, storetest.Noise(seed, 100000)) {
			t.Errorf("revision %s: %d bytes, %v", revision, len(got), err)
		}
	}
	if left, err := os.ReadDir(dir + "/tmp"); err != nil || len(left) > 0 {
		t.Errorf("remains of uploads: %v %v", left, err)
	}
	publish(t, s.open(t, "alice/m", "token-a"), "m.pt", []byte("goes on"))
}

// A kill between any two writes leaves the old state or the new one. The writes
// that a publish makes are counted first, then the hub is cut off at each.
func TestCutOff(t *testing.T) {
	t.Parallel()
	work := func(s *site) {
		store := s.open(t, "alice/m", "token-a")
		for _, data := range [][]byte{storetest.Noise(1, 50000), storetest.Noise(2, 50000)} {
			for _, path := range []string{"m.pt", "a.txt"} {
				content := data
				if path == "a.txt" {
					content = fmt.Appendf(nil, "%x", data[:20])
				}
				if store.Stage(t.Context(), path, storetest.NewFile(path, content)) != nil {
					return
				}
			}
			if _, err := store.Publish(t.Context(), "both"); err != nil {
				return
			}
		}
	}
	var mu sync.Mutex
	var writes, last int
	attach := func(s *site) {
		s.testOnlyWrite = func(f *os.File, p []byte) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			if writes++; last > 0 && writes >= last {
				f.Write(p[:len(p)/2])
				panic(http.ErrAbortHandler)
			}
			return f.Write(p)
		}
	}
	s := newSite(t, t.TempDir(), Options{PartSize: 40000})
	attach(s)
	work(s)
	all := writes
	if all < 10 {
		t.Fatalf("two publishes made %d writes", all)
	}
	for cut := range all {
		dir := t.TempDir()
		s := newSite(t, dir, Options{PartSize: 40000})
		writes, last, s.attempts = 0, cut+1, 1
		attach(s)
		work(s)
		// As it is on disk, but for what the killed process cannot do any more.
		again := newSite(t, dir, Options{PartSize: 40000})
		if p := again.repos["alice/m"]; p != nil {
			for _, f := range p.history[len(p.history)-1].Files {
				got, err := fetch(t, again.open(t, "alice/m", ""), "", f.Path)
				if err != nil || sumOf(got) != f.SHA256 {
					t.Errorf("cut off at write %d of %d: %s: %d bytes, %v", cut+1, all, f.Path, len(got), err)
				}
			}
			if n := len(p.history[len(p.history)-1].Files); n != 1 && n != 3 {
				t.Errorf("cut off at write %d of %d: %d files", cut+1, all, n)
			}
		}
		work(again)
		if got, err := fetch(t, again.open(t, "alice/m", ""), "", "m.pt"); err != nil || !bytes.Equal(got, storetest.Noise(2, 50000)) {
			t.Errorf("cut off at write %d of %d, then again: %d bytes, %v", cut+1, all, len(got), err)
		}
	}
}

func sumOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func FuzzReadChange(f *testing.F) {
	f.Add(`{"key":"header","value":{"summary":"s","parentCommit":"abcdef0"}}` + "\n" +
		`{"key":"file","value":{"path":"a/b","content":"YQ==","encoding":"base64"}}` + "\n" +
		`{"key":"lfsFile","value":{"path":"m.pt","algo":"sha256","oid":"` + strings.Repeat("ab", 32) + `","size":3}}` + "\n" +
		`{"key":"deletedFile","value":{"path":"c"}}` + "\n" + `{"key":"deletedFolder","value":{"path":"d/"}}`)
	f.Add(`{"key":"header","value":{"summary":""}}`)
	f.Add(`{"key":"file","value":null}`)
	f.Add(``)
	f.Fuzz(func(t *testing.T, body string) {
		ch, err := readChange(strings.NewReader(body))
		if err != nil {
			return
		}
		if ch.summary == "" {
			t.Error("a commit without a summary")
		}
		for _, o := range ch.ops {
			if !validPath(o.path) || o.kind == "lfsFile" && !validOID(o.oid) {
				t.Errorf("accepted %+v", o)
			}
		}
		tree, err := edit([]file{{Path: "x/y"}}, ch.ops, make([]file, len(ch.ops)))
		if err == nil && len(tree) > len(ch.ops)+1 {
			t.Errorf("%d operations made %d files", len(ch.ops), len(tree))
		}
	})
}
