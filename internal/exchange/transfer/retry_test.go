package transfer

import (
	"testing"
	"time"
)

func TestPause(t *testing.T) {
	p := Policy{Backoff: time.Second}
	for failed, most := range map[int]time.Duration{1: 1, 2: 2, 3: 4, 5: 16, 6: 30, 20: 30, 1000: 30} {
		for range 20 {
			if got := p.pause(failed); got > most*time.Second || got < most*time.Second/2 {
				t.Errorf("pause after %d failures = %v, want at most %d s", failed, got, most)
			}
		}
	}
}
