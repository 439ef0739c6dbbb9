package chainnode

import (
	"context"
	"testing"
	"time"
)

// A block that comes late does not put the chain's clock ahead of the world's.
func TestClockAfterLateBlocks(t *testing.T) {
	t.Parallel()
	n := open(t, Options{BlockTime: 40 * time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	await := func(number uint32) {
		for deadline := time.Now().Add(20 * time.Second); ; {
			n.mu.Lock()
			head := n.head()
			ahead := time.Until(time.UnixMilli(int64(head.millis)))
			n.mu.Unlock()
			if ahead > 0 {
				t.Fatalf("block %d is of %v from now", head.header.number(), ahead)
			}
			if uint32(head.header.number()) >= number {
				return
			}
			if time.Now().After(deadline) {
				t.Fatal("no blocks are made")
			}
			<-time.After(time.Millisecond)
		}
	}
	await(1)
	for i := range uint32(5) { // each a good half of a block late
		n.mu.Lock()
		late := time.UnixMilli(int64(n.head().millis)).Add(65 * time.Millisecond)
		number := uint32(n.head().header.number())
		<-time.After(time.Until(late))
		n.mu.Unlock()
		await(number + 2 + i%2)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
