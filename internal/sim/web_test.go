package sim

import (
	"context"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestWeb asks a server without a network: what it says, that its body comes as it
// is written, and that nobody answers where nobody serves.
func TestWeb(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w web
		at := netip.MustParseAddrPort("10.0.0.1:8000")
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- w.serve(ctx, at, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				w.Header().Set("X-Asked", r.RequestURI+" "+string(body))
				w.WriteHeader(http.StatusAccepted)
				w.Header().Set("X-Late", "too late")
				io.WriteString(w, "one")
				time.Sleep(time.Minute)
				io.WriteString(w, "two")
			}))
		}()
		synctest.Wait()
		if err := w.serve(ctx, at, nil); err == nil {
			t.Error("two servers at one address")
		}
		client := &http.Client{Transport: &w}
		began := time.Now()
		answer, err := client.Post("http://10.0.0.1:8000/path?q=1", "text/plain", strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode != http.StatusAccepted || answer.Header.Get("X-Asked") != "/path?q=1 body" || answer.Header.Get("X-Late") != "" {
			t.Errorf("answered %s, %v", answer.Status, answer.Header)
		}
		first := make([]byte, 3)
		if _, err := io.ReadFull(answer.Body, first); err != nil || string(first) != "one" || time.Since(began) != 0 {
			t.Errorf("first %q after %v, %v", first, time.Since(began), err)
		}
		rest, err := io.ReadAll(answer.Body)
		if err != nil || string(rest) != "two" || time.Since(began) != time.Minute {
			t.Errorf("then %q after %v, %v", rest, time.Since(began), err)
		}

		// A client that does not wait, for the head or for the rest.
		impatient, give := context.WithTimeout(ctx, time.Second)
		defer give()
		r, err := http.NewRequestWithContext(impatient, http.MethodGet, "http://10.0.0.1:8000/", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err = client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(answer.Body); err == nil || string(got) != "one" || time.Since(began) > 2*time.Minute {
			t.Errorf("an impatient client got %q, %v", got, err)
		}
		answer.Body.Close()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if answer, err := client.Get("http://10.0.0.1:8000/"); err == nil {
			t.Errorf("answered %s after the server was gone", answer.Status)
		}
		time.Sleep(time.Minute) // the handler that nobody listens to any more
	})
}
