package s3

import (
	"net/http"
	"time"

	"github.com/rclone/gofakes3/signature"
)

// A right is what a key may do with a bucket.
type right int

const (
	nothing right = iota
	reading
	writing
)

// A grant is what the holder of a key may do.
type grant struct {
	secret  string
	buckets map[string]right
}

// grant gives a key a right, which may be more than it had. s.mu is held.
func (s *Store) grant(k Key, bucket string, r right) {
	if k.Access == "" {
		return
	}
	g, ok := s.keys[k.Access]
	if !ok {
		g = grant{secret: k.Secret, buckets: make(map[string]right)}
		s.keys[k.Access] = g
	}
	g.buckets[bucket] = max(g.buckets[bucket], r)
}

// maxSkew is how far a client's clock may be off, as at AWS.
const maxSkew = 15 * time.Minute

// authenticate returns what who signed the request may do, or why it is refused. A
// request without a signature is one of a stranger, who is granted nothing.
func (s *Store) authenticate(r *http.Request) (grant, *refusal) {
	query := r.URL.Query()
	if r.Header.Get("Authorization") == "" && query.Get("X-Amz-Signature") == "" {
		return grant{}, nil
	}
	if date, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date")); err == nil {
		if skew := s.opts.Now().Sub(date); skew > maxSkew || skew < -maxSkew {
			return grant{}, &refusal{http.StatusForbidden, "RequestTimeTooSkewed", "The difference between the request time and the server's time is too large."}
		}
	}
	var who grant
	result := signature.V4SignVerifyWithLookup(r, func(access string) (string, bool) {
		s.mu.RLock()
		defer s.mu.RUnlock()
		g, ok := s.keys[access]
		who = g
		return g.secret, ok
	})
	if result != signature.ErrNone {
		e := signature.GetAPIError(result)
		return grant{}, &refusal{e.HTTPStatusCode, e.Code, e.Description}
	}
	return who, nil
}

// may returns what who may do with a bucket.
func (s *Store) may(who grant, bucket string) right {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r := who.buckets[bucket]
	if b := s.buckets[bucket]; b != nil && b.public {
		r = max(r, reading)
	}
	return r
}
