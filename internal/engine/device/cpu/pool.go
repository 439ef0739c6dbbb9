package cpu

import (
	"sync"
	"sync/atomic"
)

// A pool spreads numbered pieces of work over goroutines that live as long as
// one call. Go keeps ended goroutines for reuse, so that starting one costs no
// more than waking one that waits; and none ever spins, for the cores are often
// shared with other processes.
type pool struct {
	threads int
	*job
}

// job is the work at hand. Workers take the next piece when they are done with
// one, so that a core that is busy elsewhere holds nobody up.
type job struct {
	do     func(worker, piece int)
	pieces int
	next   atomic.Int64
	wg     sync.WaitGroup
	broken atomic.Pointer[any] // what a worker panicked with
	start  []func()            // by worker; made once, so that a call allocates nothing
}

func newPool(threads int) pool {
	j := &job{start: make([]func(), threads)}
	for w := range j.start {
		j.start[w] = func() {
			defer j.wg.Done()
			j.work(w)
		}
	}
	return pool{threads, j}
}

// worthSharing is about the number of additions, of elements in vectors, that
// are done in the time that it takes two threads to wake, meet and sleep.
const worthSharing = 1 << 18

// run calls do for every piece below pieces, some at the same time, and returns
// when all are done. The caller works too, as worker 0; alone if all the work,
// counted in additions of elements, is not worth sharing.
func (p pool) run(pieces, work int, do func(worker, piece int)) {
	n := min(p.threads, pieces)
	if n <= 1 || work < worthSharing {
		for i := range pieces {
			do(0, i)
		}
		return
	}
	p.do, p.pieces = do, pieces
	p.next.Store(0)
	p.wg.Add(n - 1)
	for w := 1; w < n; w++ {
		go p.start[w]()
	}
	p.work(0)
	p.wg.Wait()
	p.do = nil
	if v := p.broken.Swap(nil); v != nil {
		panic(*v)
	}
}

// work takes pieces until there are none. A panic ends the whole job and is
// passed on to the caller of run.
func (j *job) work(worker int) {
	defer func() {
		if v := recover(); v != nil {
			j.broken.Store(&v)
			j.next.Store(int64(j.pieces))
		}
	}()
	for {
		i := int(j.next.Add(1)) - 1
		if i >= j.pieces {
			return
		}
		j.do(worker, i)
	}
}

// pieceLen is about how many additions one piece of the work on vectors has.
const pieceLen = 1 << 13

// elements calls do for parts of the n elements of a vector.
func (p pool) elements(n int, do func(lo, hi int)) {
	p.run(pieces(n, pieceLen), n, func(_, i int) { do(i*pieceLen, min(n, (i+1)*pieceLen)) })
}

// rows calls do for parts of n rows, each of about width additions.
func (p pool) rows(n, width int, do func(worker, lo, hi int)) {
	step := max(1, pieceLen/max(width, 1))
	p.run(pieces(n, step), n*width, func(w, i int) { do(w, i*step, min(n, (i+1)*step)) })
}

// pieces is how many parts of at most size n falls into.
func pieces(n, size int) int { return (n + size - 1) / size }
