package torchfile

import (
	"errors"
	"fmt"
	"strings"

	"adit/internal/tensor"
)

// A machine follows the instructions of one pickle. Values on its stack are
// those of Decode, but that containers are pointers, since later instructions
// fill them; and there are names, persistent references and tensors to be
// read, which only other instructions consume.
type machine struct {
	in      []byte
	at      int // the instruction's offset, for errors
	next    int
	stack   []any
	marks   []int // heights of the stack
	memo    map[uint32]any
	steps   int
	tensors int
}

type list struct{ items []any }

// A name is a global that the pickle may use, such as "torch HalfStorage".
type name string

// A storage is a persistent reference to bytes of the file.
type storage struct {
	key   string
	dtype tensor.DType
	numel int64
}

// A view is a tensor that has not been read: elements of a storage.
type view struct {
	storage
	offset int64 // in elements, as are strides
	shape  []int
	stride []int64
}

// The names that mean something here; torch's storage classes besides.
const (
	orderedDict      name = "collections OrderedDict"
	rebuildTensor    name = "torch._utils _rebuild_tensor_v2"
	rebuildParameter name = "torch._utils _rebuild_parameter"
)

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
func (m *machine) run() (any, error) {
	m.memo = make(map[uint32]any)
	for {
		m.at = m.next
		op, err := m.take(1)
		if err != nil {
			return nil, err
		}
		if m.steps++; m.steps > maxSteps {
			return nil, fmt.Errorf("more than %d instructions", maxSteps)
		}
		if op[0] == opStop {
			if len(m.stack) != 1 || len(m.marks) != 0 {
				return nil, errors.New("the pickle does not leave one value")
			}
			return m.stack[0], nil
		}
		if err := m.step(op[0]); err != nil {
			return nil, err
		}
		if len(m.stack)+len(m.marks) > maxStack {
			return nil, fmt.Errorf("more than %d values on the stack", maxStack)
		}
	}
}

func (m *machine) step(op byte) error {
	switch op {
	case opProto:
		v, err := m.take(1)
		if err == nil && v[0] != 2 {
			err = fmt.Errorf("pickle protocol %d, not 2", v[0])
		}
		return err
	case opMark:
		m.marks = append(m.marks, len(m.stack))
	case opNone:
		m.push(nil)
	case opNewTrue:
		m.push(true)
	case opNewFalse:
		m.push(false)
	case opBinInt, opBinInt1, opBinInt2, opLong1, opBinFloat, opBinUnicode:
		v, err := m.literal(op)
		if err != nil {
			return err
		}
		m.push(v)
	case opEmptyDict:
		m.push(new(Dict))
	case opEmptyList:
		m.push(new(list))
	case opEmptyTuple:
		m.push(Tuple{})
	case opTuple1, opTuple2, opTuple3:
		vs, err := m.pop(int(op) - opTuple1 + 1)
		if err != nil {
			return err
		}
		m.push(Tuple(append([]any{}, vs...)))
	case opTuple:
		vs, err := m.popMark()
		if err != nil {
			return err
		}
		m.push(Tuple(append([]any{}, vs...)))
	case opAppend, opAppends, opSetItem, opSetItems:
		return m.fill(op)
	case opBinPut, opLongBinPut, opBinGet, opLongBinGet:
		return m.remember(op)
	case opGlobal:
		return m.global()
	case opBinPersID:
		vs, err := m.pop(1)
		if err != nil {
			return err
		}
		s, err := newStorage(vs[0])
		if err != nil {
			return err
		}
		m.push(s)
	case opReduce:
		vs, err := m.pop(2)
		if err != nil {
			return err
		}
		v, err := m.reduce(vs[0], vs[1])
		if err != nil {
			return err
		}
		m.push(v)
	case opBuild:
		// The attributes of a model's OrderedDict, its _metadata, say nothing
		// about tensors.
		vs, err := m.pop(1)
		if err != nil {
			return err
		}
		d, ok := m.top().(*Dict)
		if _, attributes := vs[0].(*Dict); !ok || !d.Ordered || !attributes {
			return errors.New("BUILD of something other than an OrderedDict's attributes is not read")
		}
	default:
		return fmt.Errorf("pickle instruction %q is not one that torch.save uses for tensors", op)
	}
	return nil
}

// take returns the next n bytes of the pickle.
func (m *machine) take(n int) ([]byte, error) {
	if n > len(m.in)-m.next {
		return nil, errEnds
	}
	b := m.in[m.next : m.next+n]
	m.next += n
	return b, nil
}

// line returns the bytes up to the next newline, at most 256.
func (m *machine) line() (string, error) {
	rest := m.in[m.next:]
	s, _, ok := strings.Cut(string(rest[:min(len(rest), 256)]), "\n")
	if !ok {
		return "", errEnds
	}
	m.next += len(s) + 1
	return s, nil
}

func (m *machine) push(v any) { m.stack = append(m.stack, v) }

// floor is the height below which a mark keeps the stack.
func (m *machine) floor() int {
	if len(m.marks) == 0 {
		return 0
	}
	return m.marks[len(m.marks)-1]
}

// top returns the value on top of the stack, nil if there is none.
func (m *machine) top() any {
	if len(m.stack) <= m.floor() {
		return nil
	}
	return m.stack[len(m.stack)-1]
}

// pop takes n values off the stack. The result is good until the next push.
func (m *machine) pop(n int) ([]any, error) {
	if len(m.stack)-m.floor() < n {
		return nil, errors.New("too few values on the stack")
	}
	h := len(m.stack) - n
	vs := m.stack[h:]
	m.stack = m.stack[:h]
	return vs, nil
}

// popMark takes all values above the last mark, and the mark.
func (m *machine) popMark() ([]any, error) {
	if len(m.marks) == 0 {
		return nil, errors.New("no mark on the stack")
	}
	vs, _ := m.pop(len(m.stack) - m.floor())
	m.marks = m.marks[:len(m.marks)-1]
	return vs, nil
}

// fill puts values into the dict or list below them.
func (m *machine) fill(op byte) error {
	var vs []any
	var err error
	switch op {
	case opAppend:
		vs, err = m.pop(1)
	case opSetItem:
		vs, err = m.pop(2)
	default:
		vs, err = m.popMark()
	}
	if err != nil {
		return err
	}
	switch c := m.top().(type) {
	case *list:
		if op == opAppend || op == opAppends {
			c.items = append(c.items, vs...)
			return nil
		}
	case *Dict:
		if (op == opSetItem || op == opSetItems) && len(vs)%2 == 0 {
			for i := 0; i < len(vs); i += 2 {
				c.Items = append(c.Items, Item{vs[i], vs[i+1]})
			}
			return nil
		}
	}
	return fmt.Errorf("pickle instruction %q has nothing to fill", op)
}

// remember copies between the top of the stack and the memo.
func (m *machine) remember(op byte) error {
	n := 1
	if op == opLongBinPut || op == opLongBinGet {
		n = 4
	}
	b, err := m.take(n)
	if err != nil {
		return err
	}
	key := uint32(b[0])
	if n == 4 {
		key = le.Uint32(b)
	}
	if op == opBinPut || op == opLongBinPut {
		if len(m.stack) <= m.floor() {
			return errors.New("nothing on the stack to remember")
		}
		if len(m.memo) == maxMemo {
			return fmt.Errorf("more than %d values to remember", maxMemo)
		}
		m.memo[key] = m.top()
		return nil
	}
	v, ok := m.memo[key]
	if !ok {
		return fmt.Errorf("memo %d is empty", key)
	}
	m.push(v)
	return nil
}

// global pushes a name, if it is one of the allowed.
func (m *machine) global() error {
	module, err := m.line()
	if err != nil {
		return err
	}
	class, err := m.line()
	if err != nil {
		return err
	}
	n := name(module + " " + class)
	_, isStorage := tensor.ParseStorage(class)
	switch {
	case n == orderedDict || n == rebuildTensor || n == rebuildParameter:
	case module == "torch" && isStorage:
	default:
		return fmt.Errorf("the file wants to use %s.%s: only tensors in dicts and lists are read, and nothing of a file is ever run", module, class)
	}
	m.push(n)
	return nil
}
