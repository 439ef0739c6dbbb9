// Package ranks lets processes of one machine take each training step together:
// they are the ranks, counted from 0, of [train.Ranks]. The first one leads. It
// gathers the gradients of the others over TCP, adds them to its own in the order of
// the ranks, and sends all of them the sum: so each has the same parameters to the
// bit, which are those of one process that adds up the same rows in the same order.
//
// [Gather] is the first process's side. It listens, has the others started, and takes
// in whoever shows the secret that they were started with; then it listens no
// more. A [Member] is the side of one of the others: it says that it is ready, is
// told its job, the parameters and, in the middle of a training, the trainer's
// state, and then calls Sum once a step.
//
// # When a rank is lost
//
// No rank goes on without the others. A rank that dies is noticed by its connection,
// which ends; one that has stopped, by its silence: a rank at work gives a sign of
// life every few seconds. In either case the step fails for the first process, whose
// parameters are then still those from before it, and the [Crew] is of no more use. The
// other ranks hold nothing that the first one does not have: they are ended, and the
// engine gathers new ones, shows them the parameters and the state, and takes the
// step again, once. So a lost rank costs time, and no bit is another one. If it fails
// again, the step's error names the rank, and it is up to the protocol to go on with
// its next round; errors of ranks wrap [subnet.ErrTemporary].
//
// If the first process dies, however, the others see the connection end, and their
// standard input, and end.
package ranks

import (
	"errors"
	"fmt"
	"time"

	"adit/internal/subnet"
)

// wire is the version of the frames: a program may be replaced on disk by another
// one while it runs.
const wire = 1

// An Order is what a rank is started with. Its Token is a secret.
type Order struct {
	At    string `json:"at"` // where the first one listens
	Token string `json:"token"`
	Rank  int    `json:"rank"`
	World int    `json:"world"`
}

// A Hand is a rank that was started.
type Hand interface {
	// Done is closed when it has ended.
	Done() <-chan struct{}
	// End ends it at once, waits until it has, and returns its last words, if it had
	// any.
	End() string
}

// Limits say how long is waited for what. The zero value is what a machine under
// load needs.
type Limits struct {
	Join    time.Duration // for all ranks to connect
	Greet   time.Duration // for whoever connected to say who it is
	Silence time.Duration // for a sign of life
	Sign    time.Duration // between two of them
}

func (l Limits) orDefault() Limits {
	if l == (Limits{}) {
		return Limits{Join: 30 * time.Second, Greet: 5 * time.Second, Silence: time.Minute, Sign: 5 * time.Second}
	}
	return l
}

// An Error is what went wrong with a rank. It wraps [subnet.ErrTemporary].
type Error struct {
	Rank, World int
	Err         error
	Words       string // its last ones
}

// Error names the rank.
func (e *Error) Error() string {
	text := fmt.Sprintf("rank %d of %d: %v", e.Rank, e.World, e.Err)
	if e.Words != "" {
		text += "; its last words: " + e.Words
	}
	return text
}

// Unwrap returns what went wrong, and that it may go right another time.
func (e *Error) Unwrap() []error { return []error{e.Err, subnet.ErrTemporary} }

// errEnded is why nothing comes from a rank any more.
var errEnded = errors.New("it ended")

type greeting struct {
	Wire  int    `json:"wire"`
	Token string `json:"token"`
	Rank  int    `json:"rank"`
	World int    `json:"world"`
}
