package torchfile

// A word is a value of the machine: its kind in the upper four bits, and what
// the kind needs in the others. Nothing is allocated for a value until it is
// known to be part of the result.
type word uint64

const (
	kindBits = 4
	restBits = 64 - kindBits
	restMask = 1<<restBits - 1
)

// The kinds of words, and what the rest of one is.
const (
	kindNone    = iota
	kindBool    // 0 or 1
	kindInt     // the number, if 60 bits hold it
	kindWide    // where its eight bytes begin in the pickle, low byte first
	kindFloat   // where its eight bytes begin in the pickle, high byte first
	kindString  // where it begins in the pickle, and lenBits of its length
	kindTuple   // a ref: the number of elements and the elements
	kindList    // a ref to a container
	kindDict    // a ref to a container of keys and values by turns
	kindOrdered // the same, of an OrderedDict
	kindName    // one of the names that the pickle may use
	kindStorage // the ref of the tuple that is its persistent id
	kindTensor  // a ref: the tensor's number, and the tuple with its arguments
)

func newWord(kind int, rest uint64) word { return word(kind)<<restBits | word(rest&restMask) }

func (w word) kind() int    { return int(w >> restBits) }
func (w word) rest() uint64 { return uint64(w & restMask) }

// lenBits are those of a string's length within the rest of a word.
const lenBits = 24

// integer returns the number of a kindInt.
func (w word) integer() int64 { return int64(w<<kindBits) >> kindBits }

// describe names the kind in Python's words.
func (w word) describe() string {
	return [1 << kindBits]string{"None", "a bool", "an int", "an int", "a float", "a string", "a tuple", "a list", "a dict",
		"an OrderedDict", "a class or function", "a storage", "a tensor"}[w.kind()]
}

// An arena holds runs of words. They are never given back before the pickle is
// done, as it may remember any of them.
type arena struct {
	budget *budget
	pages  [][]word
}

// A ref is where a run begins: the page in its upper bits.
type ref uint64

const (
	pageBits  = 32
	firstPage = 128  // words
	fullPage  = 1024 // words of all but the first page; larger runs have one of their own
)

// alloc returns a run of n words that are nought.
func (a *arena) alloc(n int) (ref, []word, error) {
	last := len(a.pages) - 1
	if last < 0 || cap(a.pages[last])-len(a.pages[last]) < n {
		size := max(n, fullPage)
		if last < 0 {
			size = max(n, firstPage)
		}
		var err error
		if a.pages, err = grow(a.budget, a.pages, 24); err != nil {
			return 0, nil, err
		}
		if err = a.budget.spend(8 * int64(size)); err != nil {
			return 0, nil, err
		}
		a.pages = append(a.pages, make([]word, 0, size))
		last++
	}
	p := &a.pages[last]
	at := len(*p)
	*p = (*p)[:at+n]
	return ref(last)<<pageBits | ref(at), (*p)[at : at+n], nil
}

// at returns the page's words from the run's first on.
func (a *arena) at(r ref) []word { return a.pages[r>>pageBits][r&(1<<pageBits-1):] }

// tuple makes a tuple of these words.
func (a *arena) tuple(ws []word) (word, error) {
	r, run, err := a.alloc(1 + len(ws))
	if err != nil {
		return 0, err
	}
	run[0] = word(len(ws))
	copy(run[1:], ws)
	return newWord(kindTuple, uint64(r)), nil
}

// elements returns those of a tuple, or false if w is none.
func (a *arena) elements(w word) ([]word, bool) {
	if w.kind() != kindTuple {
		return nil, false
	}
	run := a.at(ref(w.rest()))
	return run[1 : 1+int(run[0])], true
}

// A container is a list or dict: how many words it has, and the first and the
// last of its chunks. A chunk is the next one's ref plus one, its number of
// words, and these. A pickle fills containers a thousand values at a time.
const (
	contCount = iota
	contFirst
	contLast
	contLen
)

// container makes an empty one.
func (a *arena) container(kind int) (word, error) {
	r, _, err := a.alloc(contLen)
	return newWord(kind, uint64(r)), err
}

// add puts words at the end of a container.
func (a *arena) add(w word, ws []word) error {
	if len(ws) == 0 {
		return nil
	}
	r, run, err := a.alloc(2 + len(ws))
	if err != nil {
		return err
	}
	run[1] = word(len(ws))
	copy(run[2:], ws)
	c := a.at(ref(w.rest()))
	if c[contCount] == 0 {
		c[contFirst] = word(r) + 1
	} else {
		a.at(ref(c[contLast] - 1))[0] = word(r) + 1
	}
	c[contCount] += word(len(ws))
	c[contLast] = word(r) + 1
	return nil
}

// count returns how many words a container has.
func (a *arena) count(w word) int { return int(a.at(ref(w.rest()))[contCount]) }

// all yields a container's words by their positions.
func (a *arena) all(w word) func(yield func(int, word) bool) {
	return func(yield func(int, word) bool) {
		i := 0
		for next := a.at(ref(w.rest()))[contFirst]; next != 0; {
			chunk := a.at(ref(next - 1))
			for _, e := range chunk[2 : 2+int(chunk[1])] {
				if !yield(i, e) {
					return
				}
				i++
			}
			next = chunk[0]
		}
	}
}
