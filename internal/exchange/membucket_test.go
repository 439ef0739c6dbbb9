package exchange_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"adit/internal/exchange"
	"adit/internal/exchange/storetest"
	"adit/internal/subnet"
)

func TestMemBucket(t *testing.T) {
	storetest.RunBucket(t, storetest.BucketKind{Large: 1 << 20}, func(t *testing.T) func() subnet.Bucket {
		m := new(exchange.MemBuckets)
		return func() subnet.Bucket { return m.Open(subnet.BucketAddress{Name: "x"}) }
	})
}

func TestMemBucketClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(exchange.MemBuckets)
		b := m.Open(subnet.BucketAddress{Name: "x"})
		for range 3 {
			o, err := b.Put(t.Context(), "a", storetest.NewFile("a", []byte("a")), false)
			if err != nil || !o.Modified.Equal(time.Now().Truncate(time.Second)) {
				t.Errorf("Put at %v = %+v, %v", time.Now(), o, err)
			}
			time.Sleep(12 * time.Second)
		}
		late := exchange.MemBuckets{Now: func() time.Time { return time.Now().Add(-10 * time.Minute) }}
		if at, err := late.Open(subnet.BucketAddress{Name: "x"}).Clock(t.Context()); err != nil || time.Since(at) < 10*time.Minute {
			t.Errorf("a clock that is ten minutes late says %v, %v", at, err)
		}
	})
}

func TestMemBucketFaults(t *testing.T) {
	m := exchange.MemBuckets{
		Fault: func(op string, at subnet.BucketAddress, key string) error {
			if op == "put" && at.AccessKey != "writer" {
				return subnet.ErrDenied
			}
			return nil
		},
	}
	reader := m.Open(subnet.BucketAddress{Name: "x", AccessKey: "reader"})
	if _, err := reader.Put(t.Context(), "a", storetest.NewFile("a", []byte("a")), false); !errors.Is(err, subnet.ErrDenied) {
		t.Errorf("a reader's Put: %v, want ErrDenied", err)
	}
	writer := m.Open(subnet.BucketAddress{Name: "x", AccessKey: "writer"})
	o, err := writer.Put(t.Context(), "a", storetest.NewFile("a", []byte("abcdefgh")), false)
	if err != nil {
		t.Fatal(err)
	}
	m.Corrupt = func(_ subnet.BucketAddress, _ string, data []byte) []byte { return data[:5] }
	var d storetest.Draft
	if err := reader.Get(t.Context(), o, &d, 100); !errors.Is(err, subnet.ErrTemporary) || d.Size() != 5 {
		t.Errorf("a cut download: %v with %d bytes", err, d.Size())
	}
	m.Corrupt = nil
	if err := reader.Get(t.Context(), o, &d, 100); err != nil || string(d.Bytes()) != "abcdefgh" || d.Written() != 8 {
		t.Errorf("the rest of it: %v, %q", err, d.Bytes())
	}
	m.Corrupt = func(_ subnet.BucketAddress, _ string, data []byte) []byte { return []byte("abcdefgH") }
	var e storetest.Draft
	if err := reader.Get(t.Context(), o, &e, 100); err == nil || errors.Is(err, subnet.ErrTemporary) || e.Size() != 0 {
		t.Errorf("wrong bytes of the right length: %v with %d bytes", err, e.Size())
	}
}
