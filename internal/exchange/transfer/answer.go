package transfer

import (
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
