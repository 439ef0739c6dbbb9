package connito

import (
	"slices"
	"testing"
)

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
