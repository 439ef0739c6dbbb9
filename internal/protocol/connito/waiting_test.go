package connito

import (
	"slices"
	"testing"

	"adit/internal/subnet"
)

func subnetBlock(n int) subnet.Block { return subnet.Block(n) }

func TestRemaining(t *testing.T) {
	for _, tt := range []struct {
		block  subnet.Block
		phase  Phase
		offset int
		want   int
	}{
		{0, Distribute, 0, 0},
		{0, MinerCommit1, 0, 320},
		{300, MinerCommit1, -15, 5},
		{305, MinerCommit1, -15, 0},
		{319, MinerCommit1, 0, 1},
		{320, MinerCommit1, 0, 0},
		{325, MinerCommit1, 0, 0}, // within it, it is time
		{325, MinerCommit1, -15, 0},
		{325, MinerCommit1, 8, 3},
		{330, MinerCommit1, 0, 490},
		{330, MinerCommit1, 2, 492},
	} {
		if got := G3.remaining(tt.block, tt.phase, tt.offset); got != tt.want {
			t.Errorf("remaining(%d, %v, %d) = %d, want %d", tt.block, tt.phase, tt.offset, got, tt.want)
		}
	}
}

func TestNap(t *testing.T) {
	for blocks, want := range map[int]float64{0: 0, 1: 12, 3: 36, 10: 108, 100: 900, 2: 24} {
		if got := G3.nap(blocks); got != want {
			t.Errorf("nap(%d) = %v s, want %v", blocks, got, want)
		}
	}
	if got := G0.nap(1000); got != 12000 {
		t.Errorf("G0 naps %v s, want 12000", got)
	}
}

func TestRetries(t *testing.T) {
	var got []float64
	for try := 1; try <= apiRetries; try++ {
		got = append(got, apiBackoff(2, try))
	}
	if want := []float64{2, 4, 8, 16, 32}; !slices.Equal(got, want) {
		t.Errorf("backoff %v, want %v", got, want)
	}
	if apiBackoff(10, 9) != 300 || apiBackoff(2, 0) != 2 {
		t.Error("backoff without bounds")
	}
	for status, want := range map[int]bool{200: false, 400: false, 401: false, 403: false, 404: false, 405: false, 408: true, 409: false, 422: false, 429: true, 500: true, 503: true} {
		if retryStatus(status) != want {
			t.Errorf("retryStatus(%d) = %v", status, !want)
		}
	}
	if apiTimeoutSeconds != 10 || uploadSeconds != 300 || submitRetries != 3 || submitBackoff != 60 || downloadSeconds != 30 || uploadsAtOnce != 2 || maxSubmission != 8<<30 {
		t.Error("the limits are not upstream's")
	}
}

func TestAfterDownload(t *testing.T) {
	for _, tt := range []struct {
		status int
		offset int64
		want   nextStep
	}{
		{200, 0, stepRead}, {206, 9, stepRead}, {200, 9, stepRestart}, {416, 9, stepComplete}, {416, 0, stepRetry},
		{401, 9, stepGiveUp}, {403, 0, stepGiveUp}, {503, 0, stepRetry}, {404, 0, stepRetry}, {500, 9, stepRestart},
	} {
		if got := afterDownload(tt.status, tt.offset); got != tt.want {
			t.Errorf("afterDownload(%d, %d) = %d, want %d", tt.status, tt.offset, got, tt.want)
		}
	}
}
