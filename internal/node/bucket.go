package node

import (
	"net/http"

	"adit/internal/exchange/s3"
	"adit/internal/subnet"
)

// peersPerStore is how many connections to one store are kept for the next
// round: all neurons may have their buckets in the same one.
const peersPerStore = 32

// Buckets returns what opens buckets, which share their connections.
func Buckets() func(subnet.BucketAddress) (subnet.Bucket, error) {
	transport := newClient().Transport.(*http.Transport)
	transport.MaxIdleConnsPerHost = peersPerStore
	// A store may have gigabytes to sync before it answers: the bucket itself
	// knows how long it waits.
	transport.ResponseHeaderTimeout = 0
	return func(at subnet.BucketAddress) (subnet.Bucket, error) {
		b, err := s3.Open(at, s3.Options{Transport: transport})
		if err != nil {
			return nil, err
		}
		return b, nil
	}
}
