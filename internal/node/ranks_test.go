package node_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"adit/internal/node"
	"adit/internal/subnet"
)

// TestRankEnds has a rank end with its standard input, whatever it is doing: here it
// has told that it finds no model, and nobody hangs up.
func TestRankEnds(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	in, tell := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- node.Rank(t.Context(), in) }()
	fmt.Fprintf(tell, `{"Order": {"at": %q, "token": "secret", "rank": 1, "world": 2}, "Services": {"Model": %q}}`+"\n", l.Addr(), t.TempDir())
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	said := make([]byte, 0, 4096)
	for !strings.Contains(string(said), "config.json") {
		n, err := c.Read(said[len(said):cap(said)])
		if said = said[:len(said)+n]; err != nil {
			t.Fatalf("said %q, and then %v", said, err)
		}
	}
	if !strings.Contains(string(said), `"token":"secret"`) {
		t.Errorf("said %q", said)
	}
	tell.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestRankWithoutOrder(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"", "hello\n", "{}", strings.Repeat("x", 1<<20) + "\n"} {
		err := node.Rank(t.Context(), strings.NewReader(in))
		if err == nil || !strings.Contains(subnet.Hint(err), "world_size") {
			t.Errorf("%.10q: %v, hint %q", in, err, subnet.Hint(err))
		}
	}
}
