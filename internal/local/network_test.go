package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"adit/internal/node"
	"adit/internal/subnet"
)

// text makes a folder with a little text.
func text(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.txt"), []byte("some text\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func ignore(string, time.Time, subnet.Event) {}

// open opens a network for the duration of the test.
func open(t *testing.T, o Options) *Network {
	t.Helper()
	n, err := Open(o, ignore)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return n
}

func TestOpen(t *testing.T) {
	t.Parallel()
	o := options(filepath.Join(t.TempDir(), "net"))
	o.Data = []string{text(t), text(t)}
	n := open(t, o)
	s := n.Snapshot()
	if s.Dir != o.Dir || len(s.Neurons) != 5 || s.ChainURL == "" || s.HubURL == "" || s.ChainURL[4:] == s.HubURL[6:] {
		t.Errorf("snapshot %+v", s)
	}
	if _, err := Open(o, ignore); err == nil || !strings.Contains(err.Error(), "another process holds it") || subnet.Hint(err) == "" {
		t.Errorf("opened twice: %v", err)
	}
	n.Close()

	// It keeps its ports, and gives up one that somebody took.
	taken, err := net.Listen("tcp", strings.TrimPrefix(s.HubURL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	again := open(t, o)
	if now := again.Snapshot(); now.ChainURL != s.ChainURL || now.HubURL == s.HubURL {
		t.Errorf("chain at %s after %s, hub at %s after %s", now.ChainURL, s.ChainURL, now.HubURL, s.HubURL)
	}
	again.Close()

	// Other text may be given until something was made of it.
	other := o
	other.Data = []string{o.Data[0], text(t)}
	open(t, other).Close()
	genesis := again.plan.genesisDir(o.Dir)
	if err := errors.Join(os.MkdirAll(genesis, 0o755), os.WriteFile(filepath.Join(genesis, node.ModelFile), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	open(t, other).Close()
	if _, err := Open(o, ignore); err == nil || !strings.Contains(err.Error(), "other text") || subnet.Hint(err) == "" {
		t.Errorf("opened with other text: %v", err)
	}
	o.Data = nil
	open(t, o).Close()
	o.Groups = 1
	if _, err := Open(o, ignore); err == nil || !strings.Contains(err.Error(), "has --groups 2, not 1") || subnet.Hint(err) == "" {
		t.Errorf("opened with other groups: %v", err)
	}
}

// TestOpenBadText makes nothing where there is no text.
func TestOpenBadText(t *testing.T) {
	t.Parallel()
	places := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(places, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, tt := range []struct{ path, want string }{
		{filepath.Join(places, "missing"), "missing"},
		{write("empty.txt", ""), "is empty"},
		{write("binary", "\x7fELF\x00\x01\xff"), "not UTF-8 text"},
		{t.TempDir(), "no text in"},
	} {
		o := options(filepath.Join(t.TempDir(), "net"))
		o.Data = []string{text(t), tt.path}
		if _, err := Open(o, ignore); err == nil || !strings.Contains(err.Error(), tt.want) || subnet.Hint(err) == "" {
			t.Errorf("%s: Open error = %v, hint %q", tt.path, err, subnet.Hint(err))
		}
		if _, err := os.Stat(o.Dir); !os.IsNotExist(err) {
			t.Errorf("%s: a directory was made: %v", tt.path, err)
		}
	}
}

// control serves the control socket of a network, as Run does.
func serve(t *testing.T, n *Network) {
	t.Helper()
	c, err := n.listenControl()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- c.serve() }()
	t.Cleanup(func() {
		c.close()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

func TestControl(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, ask := range []func() error{
		func() error { _, err := Status(t.Context(), dir); return err },
		func() error { return Down(t.Context(), dir) },
		func() error { _, err := Status(t.Context(), filepath.Join(dir, "missing")); return err },
	} {
		if err := ask(); !errors.Is(err, ErrNotRunning) || subnet.Hint(err) == "" {
			t.Errorf("asked where nothing runs: %v", err)
		}
	}
	o := options(dir)
	o.Data = []string{text(t), text(t)}
	n := open(t, o)
	// The socket of a supervisor that was killed.
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, controlFile)})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	if _, err := Status(t.Context(), dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("asked the dead: %v", err)
	}

	serve(t, n)
	n.state.update(func(s *Snapshot) { s.Block = 42 })
	if s, err := Status(t.Context(), dir); err != nil || s.Block != 42 || len(s.Neurons) != 5 {
		t.Errorf("Status = %+v, %v", s, err)
	}
	if _, err := Open(o, ignore); err == nil || !strings.HasPrefix(err.Error(), "a network is running in ") || subnet.Hint(err) == "" {
		t.Errorf("opened while it runs: %v", err)
	}

	// Down returns when the directory is free, and not before.
	ctx, cancel := context.WithCancel(t.Context())
	n.end = cancel
	ended := make(chan error, 1)
	go func() { ended <- Down(t.Context(), dir) }()
	<-ctx.Done()
	select {
	case err := <-ended:
		t.Errorf("Down returned %v while the network held its directory", err)
	default:
	}
	n.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	open(t, o)
	short, stop := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer stop()
	if err := Down(short, dir); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Down of one that does not end: %v", err)
	}
}

func TestControlLongName(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 20), strings.Repeat("name", 20))
	o := options(dir)
	o.Data = []string{text(t), text(t)}
	if _, err := Open(o, ignore); err == nil || !strings.Contains(err.Error(), "too long") || subnet.Hint(err) == "" {
		t.Errorf("opened with a name of %d bytes: %v", len(dir), err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("a directory was made: %v", err)
	}
	// From nearby it has a short name.
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(parent)
	serve(t, open(t, o))
	if s, err := Status(t.Context(), dir); err != nil || s.Dir != dir {
		t.Errorf("Status = %+v, %v", s, err)
	}
}

// TestProgress tells a stage at once, and its progress now and then.
func TestProgress(t *testing.T) {
	t.Parallel()
	var told []string
	n := &Network{emit: func(name string, _ time.Time, e subnet.Event) { told = append(told, name+" "+e.Text) }}
	for i := range 100 {
		n.progress("text", "reading text", "", float64(i)/50)
	}
	for i := range 100 {
		n.progress("genesis", "step", fmt.Sprint(i), 0)
	}
	if got := strings.Join(told, ", "); got != "up text: reading text, up genesis: step 0" {
		t.Errorf("told %s", got)
	}
	if s := n.Snapshot(); s.Stage != "genesis" || s.Progress.Text != "step 99" {
		t.Errorf("the snapshot has %q, %v", s.Stage, s.Progress)
	}
	n.progress("text", "reading text", "", 7)
	if s := n.Snapshot(); s.Progress.Fraction != 1 {
		t.Errorf("a fraction of %v", s.Progress.Fraction)
	}
	// Nothing begins once it is ending.
	n.state.update(func(s *Snapshot) { s.Stage = stageEnding })
	n.progress("genesis", "step", "100", 0)
	if s := n.Snapshot(); s.Stage != stageEnding {
		t.Errorf("after the end began it is %q", s.Stage)
	}
}
