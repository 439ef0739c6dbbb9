package subtensor

import (
	"testing"

	"adit/internal/ledger"
)

func TestParseTimestamp(t *testing.T) {
	raw := ledger.TimestampExtrinsic(1_790_000_123_456)
	if ms, err := parseTimestamp(raw); err != nil || ms != 1_790_000_123_456 {
		t.Errorf("%d, %v", ms, err)
	}
	for i := range raw {
		if _, err := parseTimestamp(raw[:i]); err == nil {
			t.Errorf("%d bytes of it are taken", i)
		}
	}
	for _, ms := range []uint64{0, 63, 64, 1 << 14, 1 << 30, 1 << 54} {
		if got, err := parseTimestamp(ledger.TimestampExtrinsic(ms)); err == nil {
			t.Errorf("%d is taken for the time %d", ms, got)
		}
	}
}

func FuzzParseTimestamp(f *testing.F) {
	f.Add(ledger.TimestampExtrinsic(1_790_000_123_456))
	f.Fuzz(func(t *testing.T, data []byte) {
		if ms, err := parseTimestamp(data); err == nil && ms < 1_500_000_000_000 {
			t.Error(ms)
		}
	})
}
