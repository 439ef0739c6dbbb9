package s3

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"

	"adit/internal/exchange/transfer"
	"adit/internal/subnet"
)

// A refusal is a store's answer that it will not do something, or one that makes
// no sense.
type refusal struct {
	status int
	code   string // S3's: NoSuchKey, SlowDown, SignatureDoesNotMatch, …
	text   string
	wait   time.Duration // what the store asked us to wait
	kind   error         // one of the errors of package subnet, or nil
}

func (e *refusal) Error() string {
	text := "the store answers"
	if e.status != 0 {
		text += fmt.Sprintf(" %d", e.status)
	}
	if e.code != "" {
		text += " " + e.code
	}
	if e.text != "" {
		text += ": " + e.text
	}
	return text
}

func (e *refusal) Unwrap() error { return e.kind }

// RetryAfter implements [transfer.Asked].
func (e *refusal) RetryAfter() time.Duration { return e.wait }

// codeOf returns S3's code of an error, or "".
func codeOf(err error) string {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r.code
	}
	return ""
}

// judge says what the error of a call means.
func (b *Bucket) judge(c *call, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*refusal](err); ok || errors.Is(err, subnet.ErrChanged) {
		return err
	}
	resp, ok := errors.AsType[minio.ErrorResponse](err)
	if !ok {
		return c.watch.Broken(err)
	}
	e := &refusal{status: resp.StatusCode, code: transfer.Clip(resp.Code), text: transfer.Clip(resp.Message), wait: transfer.RetryAfter(c.header)}
	if hint := b.classify(e, resp, c.header); hint != "" {
		return subnet.WithHint(e, hint)
	}
	return e
}

// classify sets what kind of error e is, and returns what a person can do.
func (b *Bucket) classify(e *refusal, resp minio.ErrorResponse, h http.Header) (hint string) {
	switch e.code {
	case "NoSuchBucket":
		e.kind = subnet.ErrNotFound
		return "check the name of the bucket, and whether the endpoint is the one of its account"
	case "NoSuchKey", "NoSuchUpload", "NoSuchVersion":
		e.kind = subnet.ErrNotFound
		return ""
	case "InvalidAccessKeyId", "XAdminUserNotFound": // the second is versitygw's
		e.kind = subnet.ErrDenied
		return "the store does not know the access key: is it of this endpoint, and not deleted?"
	case "SignatureDoesNotMatch":
		e.kind = subnet.ErrDenied
		return "the secret key does not belong to the access key: was it copied whole?"
	case "RequestTimeTooSkewed":
		if skew, ok := skewOf(h); ok {
			return fmt.Sprintf("this computer's clock is %s the store's: set it, for example with NTP", skew)
		}
		return "this computer's clock is wrong: set it, for example with NTP"
	case "AuthorizationHeaderMalformed", "InvalidRegion", "PermanentRedirect", "TemporaryRedirect", "IllegalLocationConstraintException":
		if resp.Region != "" {
			return "the bucket is in the region " + transfer.Clip(resp.Region) + ": set that one"
		}
		return "the region is not the bucket's: R2 wants auto, AWS the one that its console shows"
	case "PreconditionFailed":
		e.kind = subnet.ErrChanged
		return ""
	case "ConditionalRequestConflict", "OperationAborted", "SlowDown", "SlowDownRead", "SlowDownWrite", "InternalError", "RequestTimeout",
		"Throttling", "ThrottlingException", "RequestLimitExceeded", "RequestThrottled", "ServiceUnavailable", "TooManyRequests",
		"IncompleteBody", "BadDigest", "XAmzContentSHA256Mismatch":
		// The last three say that what arrived is not what was sent.
		e.kind = subnet.ErrTemporary
		return ""
	}
	switch {
	case e.status == http.StatusNotFound, e.status == http.StatusGone:
		e.kind = subnet.ErrNotFound
	case e.status == http.StatusUnauthorized, e.status == http.StatusForbidden, e.code == "AccessDenied":
		e.kind = subnet.ErrDenied
		if b.addr.AccessKey == "" {
			return "the bucket is not open to strangers: give an access key"
		}
		return "the key may not do this: a reading key cannot write, and a key of one bucket not use another"
	case e.status == http.StatusPreconditionFailed, e.status == http.StatusRequestedRangeNotSatisfiable:
		e.kind = subnet.ErrChanged
	case e.status == http.StatusInsufficientStorage:
		return "the store has no room left; whoever runs it must make some"
	case e.status == http.StatusRequestTimeout, e.status == http.StatusTooManyRequests,
		e.status >= 500 && e.status != http.StatusNotImplemented:
		e.kind = subnet.ErrTemporary
	case e.status >= 300 && e.status < 400:
		return "the endpoint leads elsewhere: is it the one of this bucket's region?"
	}
	return ""
}

// skewOf says how far this computer's clock is from that of an answer.
func skewOf(h http.Header) (string, bool) {
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return "", false
	}
	skew := time.Since(date).Round(time.Second)
	if skew < 0 {
		return fmt.Sprintf("%v behind", -skew), true
	}
	return fmt.Sprintf("%v ahead of", skew), true
}
