package transfer

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// RetryAfter returns how long an answer asks us to wait, two minutes at most;
// 0 if it does not.
func RetryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || seconds <= 0 {
		return 0
	}
	return time.Duration(min(seconds, 120)) * time.Second
}

// RangeStart returns 10 of "bytes 10-99/100".
func RangeStart(contentRange string) (int64, error) {
	s, ok := strings.CutPrefix(contentRange, "bytes ")
	first, _, dash := strings.Cut(s, "-")
	at, err := strconv.ParseInt(first, 10, 64)
	if !ok || !dash || err != nil || at < 0 {
		return 0, fmt.Errorf("a part of the file comes, but not which: %q", Clip(contentRange))
	}
	return at, nil
}

// Clip makes foreign text fit for a line of a log.
func Clip(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	return s[:min(len(s), 300)]
}
