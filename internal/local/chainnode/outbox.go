package chainnode

import (
	"context"
	"sync"
)

// An outbox holds what waits to be written to one client.
type outbox struct {
	mu    sync.Mutex
	queue [][]byte
	size  int
	gone  bool // given up

	giveUp          func()        // ends the session
	filled, drained chan struct{} // a token when there is news for the one who waits
}

// maxWaiting is how many bytes may wait for a client. Answers wait until half of
// it is free, so a client that asks and does not read is asked to be patient;
// notices cannot wait, and one that does not read them is let go.
const maxWaiting = 32 << 20

func newOutbox(giveUp func()) *outbox {
	return &outbox{giveUp: giveUp, filled: make(chan struct{}, 1), drained: make(chan struct{}, 1)}
}

// offer adds a notice, or gives the client up. It never blocks.
func (o *outbox) offer(msg []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.gone {
		return
	}
	if o.size += len(msg); o.size > maxWaiting {
		o.gone, o.queue = true, nil
		o.giveUp()
		return
	}
	o.queue = append(o.queue, msg)
	nudge(o.filled)
}

// put adds an answer once there is room.
func (o *outbox) put(ctx context.Context, msg []byte) error {
	for {
		o.mu.Lock()
		if o.size == 0 || o.size+len(msg) <= maxWaiting/2 {
			o.size += len(msg)
			o.queue = append(o.queue, msg)
			o.mu.Unlock()
			nudge(o.filled)
			return nil
		}
		o.mu.Unlock()
		select {
		case <-o.drained:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// next takes the next message out, once there is one.
func (o *outbox) next(ctx context.Context) ([]byte, error) {
	for {
		o.mu.Lock()
		if len(o.queue) > 0 {
			msg := o.queue[0]
			o.queue = o.queue[1:]
			o.size -= len(msg)
			o.mu.Unlock()
			nudge(o.drained)
			return msg, nil
		}
		o.mu.Unlock()
		select {
		case <-o.filled:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
