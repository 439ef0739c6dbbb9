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
