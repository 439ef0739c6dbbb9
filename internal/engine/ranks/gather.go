package ranks

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sync/errgroup"

	"adit/internal/subnet"
)

// Options say how ranks are gathered.
type Options struct {
	World int            // how many there are, the first one included
	At    netip.AddrPort // where the first one listens; port 0 is any that is free
	// Start starts a rank.
	Start func(Order) (Hand, error)
	// Warn is told of what went wrong and is survived, such as who connected and
	// was refused.
	Warn   func(text string, err error)
	Limits Limits
}

// maxStrangers may be greeted at once; who comes then is turned away unheard.
const maxStrangers = 16

// Gather starts the ranks behind the first and returns when all are ready.
func Gather(ctx context.Context, o Options) (_ *Crew, err error) {
	o.Limits = o.Limits.orDefault()
	l, err := listen(ctx, o)
	if err != nil {
		return nil, err
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // it does not fail
	token := hex.EncodeToString(secret)
	c := &Crew{world: o.World, conns: make([]*conn, o.World), hands: make([]Hand, o.World)}
	defer func() {
		if err != nil {
			err = c.lost(err)
			c.Close()
		}
	}()
	door := newDoor(ctx, l, o, token)
	defer door.close()
	failed := make(chan error, o.World)
	for rank := 1; rank < o.World; rank++ {
		h, err := o.Start(Order{At: dialable(l.Addr()), Token: token, Rank: rank, World: o.World})
		if err != nil {
			return nil, fmt.Errorf("start rank %d of %d: %w", rank, o.World, err)
		}
		c.hands[rank] = h
		go func() { <-h.Done(); failed <- &Error{Rank: rank, World: o.World, Err: errEnded} }() // Close ends the hand, and so this
	}
	if err := c.admit(ctx, door, failed, o.Limits.Join); err != nil {
		return nil, err
	}
	door.close()
	return c, c.ready(ctx)
}

// listen listens where it should or, if another program does, at any port that is
// free: nobody but the ranks, who are told it, needs to know.
func listen(ctx context.Context, o Options) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.At.String())
	if err != nil && o.At.Port() != 0 {
		at := o.At
		o.At = netip.AddrPortFrom(at.Addr(), 0)
		if l, anyErr := listen(ctx, o); anyErr == nil {
			o.warn(fmt.Sprintf("ranks meet at %s, since another program has %s", l.Addr(), at), err)
			return l, nil
		}
	}
	if err != nil {
		return nil, subnet.WithHint(fmt.Errorf("listen for %d ranks at %s: %w", o.World-1, o.At, err), "the address must be one of this machine")
	}
	return l, nil
}

func (o Options) warn(text string, err error) {
	if o.Warn != nil {
		o.Warn(text, err)
	}
}

// dialable is the address of a listener from this machine.
func dialable(a net.Addr) string {
	at, err := netip.ParseAddrPort(a.String())
	if err != nil || !at.Addr().IsUnspecified() {
		return a.String()
	}
	if at.Addr().Is4() {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), at.Port()).String()
	}
	return netip.AddrPortFrom(netip.IPv6Loopback(), at.Port()).String()
}

// admit waits until every rank has come.
func (c *Crew) admit(ctx context.Context, d *door, failed <-chan error, limit time.Duration) error {
	late := time.NewTimer(limit)
	defer late.Stop()
	for missing := c.world - 1; missing > 0; missing-- {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-failed:
			return err
		case <-late.C:
			return &Error{Rank: c.firstMissing(), World: c.world, Err: fmt.Errorf("it has not connected in %v", limit)}
		case e := <-d.entered:
			if c.conns[e.rank] != nil {
				e.conn.Close()
				return &Error{Rank: e.rank, World: c.world, Err: errors.New("it connected twice")}
			}
			c.conns[e.rank] = e.conn
		}
	}
	return nil
}

func (c *Crew) firstMissing() int {
	for rank := 1; rank < c.world; rank++ {
		if c.conns[rank] == nil {
			return rank
		}
	}
	return 0 // unreachable: one is missing
}

// ready waits until every rank says that it is.
func (c *Crew) ready(ctx context.Context) error {
	return c.do(ctx, func() error {
		return c.each(func(rank int) error {
			_, err := next(c.conns[rank].r, kindReady, 0, 0)
			return err
		})
	})
}

// A door lets in who shows the token.
type door struct {
	l       net.Listener
	o       Options
	token   string
	entered chan entry
	ctx     context.Context // of those who are being greeted
	cancel  context.CancelFunc
	tasks   errgroup.Group
}

type entry struct {
	rank int
	conn *conn
}

func newDoor(ctx context.Context, l net.Listener, o Options, token string) *door {
	d := &door{l: l, o: o, token: token, entered: make(chan entry)}
	d.ctx, d.cancel = context.WithCancel(ctx)
	d.tasks.SetLimit(1 + maxStrangers)
	d.tasks.Go(d.accept)
	return d
}

func (d *door) accept() error {
	for {
		c, err := d.l.Accept()
		if err != nil {
			return nil // closed; or it shows by nobody coming
		}
		if !d.tasks.TryGo(func() error { d.greet(c); return nil }) {
			d.refuse(c, errors.New("too many at once"))
		}
	}
}

func (d *door) refuse(c net.Conn, err error) {
	c.Close()
	d.o.warn("refused a stranger where ranks meet", fmt.Errorf("%s: %w", c.RemoteAddr(), err))
}

// greet hands on who is a rank, and refuses everybody else.
func (d *door) greet(c net.Conn) {
	stop := context.AfterFunc(d.ctx, func() { c.Close() })
	hear := newConn(c, 0)
	err := c.SetDeadline(time.Now().Add(d.o.Limits.Greet))
	var data []byte
	if err == nil {
		data, err = small(hear.r, kindHello, maxHello)
	}
	if !stop() { // nobody is to blame
		c.Close()
		return
	}
	var g greeting
	if err == nil {
		err = json.Unmarshal(data, &g)
	}
	switch {
	case err != nil:
	case subtle.ConstantTimeCompare([]byte(g.Token), []byte(d.token)) != 1:
		err = errors.New("it does not know the secret of this training")
	case g.Wire != wire:
		err = fmt.Errorf("it speaks version %d, and this program %d", g.Wire, wire)
	case g.World != d.o.World || g.Rank < 1 || g.Rank >= d.o.World:
		err = fmt.Errorf("it is rank %d of %d, and there are %d", g.Rank, g.World, d.o.World)
	}
	if err == nil {
		err = c.SetDeadline(time.Time{})
	}
	if err != nil {
		d.refuse(c, err)
		return
	}
	hear.patience = d.o.Limits.Silence
	select {
	case d.entered <- entry{g.Rank, hear}:
	case <-d.ctx.Done():
		c.Close()
	}
}

// close lets nobody in any more, and waits for those within.
func (d *door) close() {
	d.cancel()
	d.l.Close()
	_ = d.tasks.Wait() // they return none
}
