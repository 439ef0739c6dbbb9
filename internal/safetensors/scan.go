package safetensors

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// A scanner reads JSON from bytes that it may write to: a string with escapes
// is unescaped where it stands, as it never gets longer. So it allocates
// nothing but errors, however many names there are, and everything it returns
// is a place in the text.
type scanner struct {
	b []byte
	i int // of the next byte
}

// A span is a piece of a scanner's text. Texts are far shorter than 4 GiB.
type span struct{ from, to uint32 }

func (s *scanner) at(p span) []byte { return s.b[p.from:p.to] }

// name quotes a piece of the text for an error.
func (s *scanner) name(p span) string { return quote(s.at(p)) }

// quote quotes a name for an error. Names come from strangers and may be as
// long as the file.
func quote[T string | []byte](name T) string {
	const most = 200
	if len(name) > most {
		return fmt.Sprintf("%q…", string(name[:most]))
	}
	return fmt.Sprintf("%q", string(name))
}

// peek returns the next byte that is no space, 0 at the end.
func (s *scanner) peek() byte {
	for ; s.i < len(s.b); s.i++ {
		switch c := s.b[s.i]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// instead is the error for something else where want should be.
func (s *scanner) instead(want string) error {
	if s.peek(); s.i == len(s.b) {
		return io.ErrUnexpectedEOF
	}
	return fmt.Errorf("%s where %s should be", quote(s.b[s.i:min(s.i+12, len(s.b))]), want)
}

func (s *scanner) expect(c byte) error {
	if s.peek() != c || s.i == len(s.b) {
		return s.instead(string(c))
	}
	s.i++
	return nil
}

// end returns an error unless only spaces are left.
func (s *scanner) end() error {
	if s.peek(); s.i < len(s.b) {
		return errors.New("something follows the closing }")
	}
	return nil
}

// object calls value for each key, with the scanner before the key's value.
func (s *scanner) object(value func(key span) error) error {
	if err := s.expect('{'); err != nil {
		return err
	}
	if s.peek() == '}' {
		s.i++
		return nil
	}
	for {
		key, err := s.str()
		if err != nil {
			return err
		}
		if err := s.expect(':'); err != nil {
			return err
		}
		if err := value(key); err != nil {
			return err
		}
		if s.peek() == '}' {
			s.i++
			return nil
		}
		if err := s.expect(','); err != nil {
			return err
		}
	}
}

// str reads a string. The text is known to be UTF-8.
func (s *scanner) str() (span, error) {
	if s.peek() != '"' {
		return span{}, s.instead("a string")
	}
	s.i++
	from, to := s.i, s.i
	for s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return span{uint32(from), uint32(to)}, nil
		case c < ' ':
			return span{}, fmt.Errorf("control character %#02x in a string", c)
		case c == '\\':
			r, err := s.escape()
			if err != nil {
				return span{}, err
			}
			to += utf8.EncodeRune(s.b[to:], r)
		default:
			s.b[to] = c
			s.i++
			to++
		}
	}
	return span{}, io.ErrUnexpectedEOF
}

// escape reads what a backslash begins: at least two bytes for one of UTF-8,
// and six for three.
func (s *scanner) escape() (rune, error) {
	if s.i+1 >= len(s.b) {
		return 0, io.ErrUnexpectedEOF
	}
	c := s.b[s.i+1]
	if c == 'u' {
		r, err := s.unicode()
		if err != nil || !utf16.IsSurrogate(r) {
			return r, err
		}
		low, err := s.unicode()
		if err != nil {
			return 0, err
		}
		// Half a pair stands for no character. One reader would replace it,
		// another refuse it.
		if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
			return 0, errors.New("half a surrogate pair in a string")
		}
		return r, nil
	}
	s.i += 2
	switch c {
	case '"', '\\', '/':
		return rune(c), nil
	case 'b':
		return '\b', nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	}
	return 0, fmt.Errorf("escape %q is not JSON", []byte{'\\', c})
}

// unicode reads \uXXXX.
func (s *scanner) unicode() (rune, error) {
	bad := errors.New(`\u without four digits in a string`)
	if len(s.b)-s.i < 6 || s.b[s.i] != '\\' || s.b[s.i+1] != 'u' {
		return 0, bad
	}
	var r rune
	for _, c := range s.b[s.i+2 : s.i+6] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, bad
		}
		r = r<<4 | rune(c)
	}
	s.i += 6
	return r, nil
}

// size reads a whole number that is not negative.
func (s *scanner) size() (int64, error) {
	c := s.peek()
	from := s.i
	var n int64
	for s.i < len(s.b) && isDigit(s.b[s.i]) {
		d := int64(s.b[s.i] - '0')
		if n > (math.MaxInt64-d)/10 {
			return 0, fmt.Errorf("%s is no size", s.number(from))
		}
		n = 10*n + d
		s.i++
	}
	switch {
	case s.i == from && c != '-':
		return 0, s.instead("a number")
	case s.i == from, s.i-from > 1 && c == '0', s.i < len(s.b) && strings.IndexByte("+-.eE", s.b[s.i]) >= 0:
		return 0, fmt.Errorf("%s is no size", s.number(from))
	}
	return n, nil
}

// number returns what looks like a number at from.
func (s *scanner) number(from int) string {
	to := from
	for to < len(s.b) && to-from < 40 && (isDigit(s.b[to]) || strings.IndexByte("+-.eE", s.b[to]) >= 0) {
		to++
	}
	return string(s.b[from:to])
}

// sizes reads an array of numbers into dst and returns how many there were.
func (s *scanner) sizes(dst []int) (int, error) {
	if err := s.expect('['); err != nil {
		return 0, err
	}
	if s.peek() == ']' {
		s.i++
		return 0, nil
	}
	for n := 0; ; {
		v, err := s.size()
		if err != nil {
			return 0, err
		}
		if v > math.MaxInt {
			return 0, fmt.Errorf("%d is no size", v)
		}
		if n == len(dst) {
			return 0, fmt.Errorf("more than %d numbers in a list", len(dst))
		}
		dst[n] = int(v)
		n++
		if s.peek() == ']' {
			s.i++
			return n, nil
		}
		if err := s.expect(','); err != nil {
			return 0, err
		}
	}
}

// skip passes over one value of any kind, depth levels deep at most.
func (s *scanner) skip(depth int) error {
	if depth == 0 {
		return errors.New("too many values within one another")
	}
	switch c := s.peek(); {
	case c == '{':
		return s.object(func(span) error { return s.skip(depth - 1) })
	case c == '[':
		s.i++
		if s.peek() == ']' {
			s.i++
			return nil
		}
		for {
			if err := s.skip(depth - 1); err != nil {
				return err
			}
			if s.peek() == ']' {
				s.i++
				return nil
			}
			if err := s.expect(','); err != nil {
				return err
			}
		}
	case c == '"':
		_, err := s.str()
		return err
	}
	// Which numbers and words these are does not matter: nobody reads them.
	from := s.i
	for s.i < len(s.b) && (isDigit(s.b[s.i]) || isLetter(s.b[s.i]) || strings.IndexByte("+-.", s.b[s.i]) >= 0) {
		s.i++
	}
	if s.i == from {
		return s.instead("a value")
	}
	return nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
