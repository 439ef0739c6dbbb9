package transfer

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func FuzzRangeStart(f *testing.F) {
	for _, s := range []string{"bytes 10-99/100", "bytes 0-0/*", "bytes */100", "bytes -1-2/3", "items 1-2/3", "bytes 99999999999999999999-1/2", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at, err := RangeStart(s)
		if err == nil && (at < 0 || !strings.HasPrefix(s, "bytes ")) {
			t.Errorf("RangeStart(%q) = %d", s, at)
		}
		if err != nil && strings.ContainsAny(err.Error(), "\n\x00\x1b") {
			t.Errorf("RangeStart(%q): %q", s, err)
		}
	})
}

func FuzzCheckPath(f *testing.F) {
	for _, s := range []string{"a", "a/b", "../a", "/a", "a//b", "a\\b", "C:/a", "a\x00", "größe", "."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if CheckPath(s) != nil {
			return
		}
		for _, part := range strings.Split(s, "/") {
			if part == "" || part == "." || part == ".." || strings.ContainsAny(part, "\\:\n\x00") {
				t.Errorf("CheckPath(%q) is nil", s)
			}
		}
	})
}

func TestRetryAfter(t *testing.T) {
	for said, want := range map[string]time.Duration{"": 0, "3": 3 * time.Second, "-1": 0, "0": 0, "9999": 2 * time.Minute, "soon": 0, "99999999999999999999": 0} {
		if got := RetryAfter(http.Header{"Retry-After": {said}}); got != want {
			t.Errorf("Retry-After %q = %v, want %v", said, got, want)
		}
	}
}
