package chainnode

import (
	"fmt"
	"testing"
)

// BenchmarkThroughput is how long a signed extrinsic takes from the request that
// brings it to the block that holds it, on one core: see "extrinsics/s".
func BenchmarkThroughput(b *testing.B) {
	n := open(b, Options{})
	from := key(b, "//Alice")
	const batch = 5000 // in a block
	var requests [][]byte
	for i := range b.N {
		requests = append(requests, fmt.Appendf(nil, `{"jsonrpc":"2.0","id":1,"method":"author_submitExtrinsic","params":["0x%x"]}`,
			remark{from: from, nonce: uint32(i), size: 32}.sign(b, n)))
	}
	b.ResetTimer()
	for i, r := range requests {
		n.answerAll(nil, r)
		if (i+1)%batch == 0 {
			produce(b, n)
		}
	}
	produce(b, n)
	b.StopTimer()
	if next := n.ledger.Nonce(from.Public()); next != uint32(b.N) {
		b.Fatalf("%d of %d are in a block", next, b.N)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "extrinsics/s")
}
