package torchfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"adit/internal/subnet"
)

var le = binary.LittleEndian

// A machine follows the instructions of one pickle.
type machine struct {
	in      string
	at      int // the instruction's offset, for errors
	next    int
	arena   arena
	stack   []word
	marks   []uint32 // heights of the stack
	memo    []*[memoPage]word
	tensors int
	view    view // the one being looked at
}

// Pickles number what they remember without gaps, so that the memo is a table,
// in pages. A word of the table is one more than what is remembered.
const memoPage = 256

// Instructions, named as in Python's pickletools.
const (
	opMark       = '('
	opStop       = '.'
	opBinFloat   = 'G'
	opBinInt     = 'J'
	opBinInt1    = 'K'
	opBinInt2    = 'M'
	opNone       = 'N'
	opBinPersID  = 'Q'
	opReduce     = 'R'
	opBinUnicode = 'X'
	opEmptyList  = ']'
	opAppend     = 'a'
	opBuild      = 'b'
	opGlobal     = 'c'
	opAppends    = 'e'
	opBinGet     = 'h'
	opLongBinGet = 'j'
	opBinPut     = 'q'
	opLongBinPut = 'r'
	opSetItem    = 's'
	opTuple      = 't'
	opSetItems   = 'u'
	opEmptyTuple = ')'
	opEmptyDict  = '}'
	opProto      = 0x80
	opTuple1     = 0x85
	opTuple2     = 0x86
	opTuple3     = 0x87
	opNewTrue    = 0x88
	opNewFalse   = 0x89
	opLong1      = 0x8a
)

var errEnds = errors.New("the pickle ends too early")

// run follows the pickle to its end and returns the value it leaves.
func (m *machine) run() (word, error) {
	for steps := 0; ; steps++ {
		m.at = m.next
		op, err := m.take(1)
		if err != nil {
			return 0, err
		}
		if steps == maxSteps {
			return 0, fmt.Errorf("more than %d instructions", maxSteps)
		}
		if op[0] == opStop {
			if len(m.stack) != 1 || len(m.marks) != 0 {
				return 0, errors.New("the pickle does not leave one value")
			}
			return m.stack[0], nil
		}
		// Every instruction pushes one value at most.
		if m.stack, err = grow(m.arena.budget, m.stack, 8); err != nil {
			return 0, err
		}
		if err := m.step(op[0]); err != nil {
			return 0, err
		}
	}
}

func (m *machine) step(op byte) error {
	switch op {
	case opProto:
		v, err := m.take(1)
		if err == nil && v[0] != 2 {
			err = subnet.WithHint(fmt.Errorf("pickle protocol %d, not 2", v[0]), hintProtocol)
		}
		return err
	case opMark:
		var err error
		if m.marks, err = grow(m.arena.budget, m.marks, 4); err != nil {
			return err
		}
		m.marks = append(m.marks, uint32(len(m.stack)))
		return nil
	case opAppend, opAppends, opSetItem, opSetItems:
		return m.fill(op)
	case opBinPut, opLongBinPut:
		return m.remember(op)
	case opBuild:
		// The attributes of a model's OrderedDict, its _metadata, say nothing
		// about tensors.
		ws, err := m.pop(1)
		if err != nil {
			return err
		}
		d, ok := m.top()
		if kind := ws[0].kind(); !ok || d.kind() != kindOrdered || kind != kindDict && kind != kindOrdered {
			return errors.New("BUILD of something other than an OrderedDict's attributes is not read")
		}
		return nil
	}
	w, err := m.value(op)
	if err != nil {
		return err
	}
	m.stack = append(m.stack, w)
	return nil
}

// value follows an instruction that pushes a value.
func (m *machine) value(op byte) (word, error) {
	switch op {
	case opNone:
		return newWord(kindNone, 0), nil
	case opNewTrue:
		return newWord(kindBool, 1), nil
	case opNewFalse:
		return newWord(kindBool, 0), nil
	case opBinInt, opBinInt1, opBinInt2, opLong1, opBinFloat, opBinUnicode:
		return m.literal(op)
	case opEmptyDict:
		return m.arena.container(kindDict)
	case opEmptyList:
		return m.arena.container(kindList)
	case opEmptyTuple:
		return m.arena.tuple(nil)
	case opTuple1, opTuple2, opTuple3:
		ws, err := m.pop(int(op) - opTuple1 + 1)
		if err != nil {
			return 0, err
		}
		return m.arena.tuple(ws)
	case opTuple:
		ws, err := m.popMark()
		if err != nil {
			return 0, err
		}
		return m.arena.tuple(ws)
	case opBinGet, opLongBinGet:
		return m.recall(op)
	case opGlobal:
		return m.global()
	case opBinPersID:
		ws, err := m.pop(1)
		if err != nil {
			return 0, err
		}
		return m.storage(ws[0])
	case opReduce:
		ws, err := m.pop(2)
		if err != nil {
			return 0, err
		}
		return m.reduce(ws[0], ws[1])
	}
	return 0, foreign(op)
}

// foreign says which instruction is not followed, and why.
func foreign(op byte) error {
	what, hint := "", hintState
	switch op {
	case 0x81, 0x92, 'i', 'o':
		what = " makes an object and"
	case 0x82, 0x83, 0x84, 'P':
		what = " names something outside the file and"
	case 0x8c, 0x8d, 0x8e, 0x8f, 0x90, 0x91, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 'B', 'C':
		what, hint = " belongs to a later pickle protocol and", hintProtocol
	case 'F', 'I', 'L', 'S', 'T', 'U', 'V', 'd', 'g', 'l', 'p':
		what, hint = " belongs to an earlier pickle protocol and", hintProtocol
	}
	return subnet.WithHint(fmt.Errorf("pickle instruction %q%s is not one that torch.save uses for tensors", op, what), hint)
}

// take returns the next n bytes of the pickle.
func (m *machine) take(n int) (string, error) {
	if n > len(m.in)-m.next {
		return "", errEnds
	}
	s := m.in[m.next : m.next+n]
	m.next += n
	return s, nil
}

// line returns the bytes up to the next newline, at most 256.
func (m *machine) line() (string, error) {
	rest := m.in[m.next:]
	s, _, ok := strings.Cut(rest[:min(len(rest), 256)], "\n")
	if !ok {
		return "", errEnds
	}
	m.next += len(s) + 1
	return s, nil
}

// floor is the height below which a mark keeps the stack.
func (m *machine) floor() int {
	if len(m.marks) == 0 {
		return 0
	}
	return int(m.marks[len(m.marks)-1])
}

// top returns the value on top of the stack, if there is one.
func (m *machine) top() (word, bool) {
	if len(m.stack) <= m.floor() {
		return 0, false
	}
	return m.stack[len(m.stack)-1], true
}

// pop takes n values off the stack. The result is good until the next push.
func (m *machine) pop(n int) ([]word, error) {
	if len(m.stack)-m.floor() < n {
		return nil, errors.New("too few values on the stack")
	}
	h := len(m.stack) - n
	ws := m.stack[h:]
	m.stack = m.stack[:h]
	return ws, nil
}

// popMark takes all values above the last mark, and the mark.
func (m *machine) popMark() ([]word, error) {
	if len(m.marks) == 0 {
		return nil, errors.New("no mark on the stack")
	}
	ws, _ := m.pop(len(m.stack) - m.floor())
	m.marks = m.marks[:len(m.marks)-1]
	return ws, nil
}

// fill puts values into the dict or list below them.
func (m *machine) fill(op byte) error {
	var ws []word
	var err error
	switch op {
	case opAppend:
		ws, err = m.pop(1)
	case opSetItem:
		ws, err = m.pop(2)
	default:
		ws, err = m.popMark()
	}
	if err != nil {
		return err
	}
	c, ok := m.top()
	if ok && c.kind() == kindList && (op == opAppend || op == opAppends) {
		return m.arena.add(c, ws)
	}
	if ok && (c.kind() == kindDict || c.kind() == kindOrdered) && (op == opSetItem || op == opSetItems) && len(ws)%2 == 0 {
		return m.arena.add(c, ws)
	}
	return fmt.Errorf("pickle instruction %q has nothing to fill", op)
}

// memoKey reads the number after an instruction for the memo.
func (m *machine) memoKey(op byte) (uint32, error) {
	if op == opBinPut || op == opBinGet {
		b, err := m.take(1)
		if err != nil {
			return 0, err
		}
		return uint32(b[0]), nil
	}
	b, err := m.take(4)
	if err != nil {
		return 0, err
	}
	return le.Uint32([]byte(b)), nil
}

// remember puts the top of the stack into the memo.
func (m *machine) remember(op byte) error {
	key, err := m.memoKey(op)
	if err != nil {
		return err
	}
	w, ok := m.top()
	if !ok {
		return errors.New("nothing on the stack to remember")
	}
	if key >= maxMemo {
		return fmt.Errorf("more than %d values to remember", maxMemo)
	}
	for int(key/memoPage) >= len(m.memo) {
		if m.memo, err = grow(m.arena.budget, m.memo, 8); err != nil {
			return err
		}
		m.memo = append(m.memo, nil)
	}
	page := &m.memo[key/memoPage]
	if *page == nil {
		if err := m.arena.budget.spend(8 * memoPage); err != nil {
			return err
		}
		*page = new([memoPage]word)
	}
	(*page)[key%memoPage] = w + 1
	return nil
}

// recall returns what the memo has under a number.
func (m *machine) recall(op byte) (word, error) {
	key, err := m.memoKey(op)
	if err != nil {
		return 0, err
	}
	if int(key/memoPage) < len(m.memo) && m.memo[key/memoPage] != nil {
		if w := m.memo[key/memoPage][key%memoPage]; w != 0 {
			return w - 1, nil
		}
	}
	return 0, fmt.Errorf("memo %d is empty", key)
}
