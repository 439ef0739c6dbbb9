package s3

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"adit/internal/exchange/transfer"
)

// A call is one attempt at one thing, and what was learnt of it. minio-go gives
// back neither the time of an answer nor how long it asks us to wait.
type call struct {
	watch *transfer.Watchdog
	// limit is how long an answer may be, in bytes; 0 for any length, of
	// downloads, which are bounded elsewhere.
	limit  int64
	status int
	header http.Header
}

type callKey struct{}

// maxAnswer bounds answers that are no objects. The largest lists 1000 keys of
// 1024 bytes, each perhaps three times as long in its encoded form.
const maxAnswer = 6 << 20

// once runs op as one attempt, which is cut when it stands still.
func (b *Bucket) once(ctx context.Context, op func(context.Context, *call) error) error {
	wctx, w := transfer.Watch(ctx, b.opts.Stall)
	defer w.Stop()
	c := &call{watch: w, limit: maxAnswer}
	return b.judge(c, op(context.WithValue(wctx, callKey{}, c), c))
}

// try runs op as often as it takes.
func (b *Bucket) try(ctx context.Context, op func(context.Context, *call) error) error {
	return b.opts.Retry(ctx, func(ctx context.Context) (bool, error) { return false, b.once(ctx, op) })
}

// wire sends requests and notes in their call what comes back.
type wire struct{ base http.RoundTripper }

func (t wire) RoundTrip(req *http.Request) (*http.Response, error) {
	// Compressed on the way, the length would say nothing. It is not signed, so
	// that it can be added now.
	req = req.Clone(req.Context())
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := t.base.RoundTrip(req)
	c, ok := req.Context().Value(callKey{}).(*call)
	if err != nil || !ok {
		return resp, err
	}
	c.status, c.header = resp.StatusCode, resp.Header
	c.watch.Feed()
	limit := c.limit
	if resp.StatusCode >= 300 {
		limit = maxAnswer
	}
	if limit > 0 {
		resp.Body = &answerBody{resp.Body, c.watch, limit}
	}
	return resp, nil
}

// answerBody is the body of an answer of limited length.
type answerBody struct {
	io.ReadCloser
	w    *transfer.Watchdog
	left int64
}

func (b *answerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.w.Feed()
	}
	if b.left -= int64(n); b.left < 0 {
		return 0, fmt.Errorf("the answer is larger than %d bytes", maxAnswer)
	}
	return n, err
}
