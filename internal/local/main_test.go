package local

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"adit/internal/subnet"
	"adit/internal/telemetry"
)

// actAs in the environment makes the test binary a child that a test supervises.
const actAs = "ADIT_TEST_CHILD"

func TestMain(m *testing.M) {
	if as := os.Getenv(actAs); as != "" {
		child(as)
	}
	goleak.VerifyTestMain(m)
}

// child plays a child of one kind or another.
func child(as string) {
	report := telemetry.NewJSONWriter(os.Stdout)
	say := func(text string) {
		report.Write(time.Now(), subnet.Event{Kind: "said", Text: text, Attrs: []slog.Attr{slog.Int("pid", os.Getpid())}})
	}
	switch as {
	case "good": // ends when its input does, or when asked
		say("ready")
		ask := make(chan os.Signal, 1)
		signal.Notify(ask, syscall.SIGTERM)
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			close(ask)
		}()
		<-ask
		os.Exit(0)
	case "deaf": // has to be killed
		signal.Ignore(syscall.SIGTERM)
		say("ready")
		select {}
	case "broken": // dies with an error and advice
		fmt.Fprintln(os.Stderr, "adit: something before it\nhint: none of it")
		fmt.Fprintln(os.Stderr, "adit: write x: no space left on device\nhint: free some space")
		os.Exit(1)
	case "panics":
		panic("a bug of ours")
	case "garbage": // says things that are no reports, and then one that is
		fmt.Println("not a report")
		fmt.Println(strings.Repeat("long", maxLine))
		fmt.Println(`{"time":"yesterday"}`)
		say("a report")
		w := bufio.NewWriter(os.Stdout)
		fmt.Fprint(w, "cut off")
		w.Flush()
		fmt.Fprintln(os.Stderr, "on standard error")
		os.Exit(3)
	}
	os.Exit(0)
}
