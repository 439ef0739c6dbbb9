package data

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The patterns that most models split words with. Their splitters are written by
// hand, as they are where the time goes.
const (
	gpt2Pattern   = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	llama3Pattern = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	qwen2Pattern  = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// maxPatternBytes bounds a pattern; the longest in use, DeepSeek's, has 500.
const maxPatternBytes = 8 << 10

// patternSplitter returns the splitter of a Split by a regular expression, as the
// tokenizers library reads it: in the syntax of Oniguruma.
func patternSplitter(pattern string, b behaviour, invert bool) (splitter, error) {
	// These match every character, so there is nothing to remove.
	if b == isolated && !invert || b == removed && invert {
		switch pattern {
		case gpt2Pattern:
			return words(nextWord), nil
		case llama3Pattern:
			return words(func(s string) int { return nextWordOrLine(s, 3) }), nil
		case qwen2Pattern:
			return words(func(s string) int { return nextWordOrLine(s, 1) }), nil
		}
	}
	next, err := compilePattern(pattern)
	if err != nil {
		return nil, err
	}
	return matcher{next, b, invert}, nil
}

// spaceTail is how patterns end that leave the last of several spaces to the word
// after them. It is the one thing in them that Go's regular expressions lack.
const spaceTail = `|\s+(?!\S)|\s+`

// compilePattern returns the matcher of a pattern, of those that mean the same to
// Go's regular expressions once they are written for them.
func compilePattern(pattern string) (func(s string, from int) (int, int), error) {
	if len(pattern) > maxPatternBytes {
		return nil, fmt.Errorf("a pattern of %d bytes, more than %d", len(pattern), maxPatternBytes)
	}
	body, tail := strings.CutSuffix(pattern, spaceTail)
	tr := patternTranslator{in: body}
	if err := tr.run(); err != nil {
		return nil, fmt.Errorf("pattern %q: %w", pattern, err)
	}
	expr := "(?:" + tr.out.String() + ")"
	if tail {
		expr += "|([" + spaceClass + "]+)"
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", pattern, err)
	}
	if re.MatchString("") {
		return nil, fmt.Errorf("pattern %q: it matches nothing at all", pattern)
	}
	return func(s string, from int) (int, int) {
		m := re.FindStringSubmatchIndex(s[from:])
		if m == nil || m[0] == m[1] {
			return -1, -1
		}
		start, end := from+m[0], from+m[1]
		if tail && m[2] >= 0 && end < len(s) {
			if _, last := utf8.DecodeLastRuneInString(s[start:end]); end-last > start {
				end -= last
			}
		}
		return start, end
	}, nil
}

// spaceClass is \s, which is ASCII's alone in Go: Unicode's white space.
const spaceClass = `\t-\r \x{85}\p{Z}`

// A patternTranslator writes an Oniguruma pattern for Go. It knows the parts that
// mean the same in both and refuses the rest.
type patternTranslator struct {
	in    string
	at    int
	depth int
	out   strings.Builder
}

func (t *patternTranslator) run() error {
	operand := false // whether something can be repeated here
	for t.at < len(t.in) {
		c := t.in[t.at]
		repeatable := true
		switch c {
		case '\\':
			if err := t.escape(false); err != nil {
				return err
			}
		case '[':
			if err := t.class(); err != nil {
				return err
			}
		case '(':
			if err := t.group(); err != nil {
				return err
			}
			repeatable = false
		case ')':
			if t.depth--; t.depth < 0 {
				return fmt.Errorf("a parenthesis too many")
			}
			t.pass(1)
		case '|':
			t.pass(1)
			repeatable = false
		case '$': // the end of a line
			t.out.WriteString("(?m:$)")
			t.at++
			repeatable = false
		case '.':
			t.pass(1)
		case '?', '*', '+', '{':
			if !operand {
				return fmt.Errorf("%q repeats what cannot be, or lazily or possessively", c)
			}
			if err := t.repeat(); err != nil {
				return err
			}
			repeatable = false
		case '^', ']', '}':
			return fmt.Errorf("%q is not supported here", c)
		default:
			_, size := utf8.DecodeRuneInString(t.in[t.at:])
			t.pass(size)
		}
		operand = repeatable
	}
	if t.depth != 0 {
		return fmt.Errorf("a parenthesis too few")
	}
	return nil
}

// pass copies n bytes.
func (t *patternTranslator) pass(n int) {
	t.out.WriteString(t.in[t.at : t.at+n])
	t.at += n
}

func (t *patternTranslator) group() error {
	for _, begin := range []string{"(?:", "(?i:"} {
		if strings.HasPrefix(t.in[t.at:], begin) {
			t.depth++
			t.pass(len(begin))
			return nil
		}
	}
	if strings.HasPrefix(t.in[t.at:], "(?") {
		return fmt.Errorf("%.4q is not supported", t.in[t.at:])
	}
	t.depth++
	t.out.WriteString("(?:")
	t.at++
	return nil
}

func (t *patternTranslator) repeat() error {
	if t.in[t.at] != '{' {
		t.pass(1)
		return nil
	}
	inside, _, ok := strings.Cut(t.in[t.at+1:], "}")
	least, most, ranged := strings.Cut(inside, ",")
	a, err := strconv.Atoi(least)
	b := a
	if err == nil && ranged && most != "" {
		b, err = strconv.Atoi(most)
	}
	if !ok || err != nil || a < 0 || b < a || b > 100 {
		return fmt.Errorf("{%s} is not supported", inside)
	}
	t.pass(len(inside) + 2)
	return nil
}

// escape writes a backslash and what it escapes.
func (t *patternTranslator) escape(inClass bool) error {
	rest := t.in[t.at+1:]
	if rest == "" {
		return fmt.Errorf("it ends in a backslash")
	}
	switch c := rest[0]; {
	case c == 's' && inClass:
		t.out.WriteString(spaceClass)
	case c == 's':
		t.out.WriteString("[" + spaceClass + "]")
	case c == 'S' && !inClass:
		t.out.WriteString("[^" + spaceClass + "]")
	case c == 'd':
		t.out.WriteString(`\p{Nd}`)
	case c == 'p' || c == 'P':
		name, _, ok := strings.Cut(rest[1:], "}")
		if !ok || !strings.HasPrefix(name, "{") || strings.ContainsAny(name, "^\\ ") {
			return fmt.Errorf(`\%c without a class in braces`, c)
		}
		t.pass(len(name) + 3)
		return nil
	case c == 'r' || c == 'n' || c == 't':
		t.out.WriteString(`\` + rest[:1])
	case c < utf8.RuneSelf && strings.ContainsRune(`!"#$%&'()*+,-./:;<=>?@[\]^_{|}~ `+"`", rune(c)):
		// Go escapes a hyphen in classes, and QuoteMeta does not.
		t.out.WriteString(fmt.Sprintf(`\x{%x}`, c))
	default:
		return fmt.Errorf(`\%c is not supported`, c)
	}
	t.at += 2
	return nil
}

// class writes a class of characters in brackets.
func (t *patternTranslator) class() error {
	t.pass(1)
	if strings.HasPrefix(t.in[t.at:], "^") {
		t.pass(1)
	}
	for first := true; t.at < len(t.in); first = false {
		switch c := t.in[t.at]; {
		case c == ']' && first:
			return fmt.Errorf("an empty class of characters")
		case c == ']':
			t.pass(1)
			return nil
		case c == '[' || strings.HasPrefix(t.in[t.at:], "&&"):
			return fmt.Errorf("classes of characters within one another are not supported")
		case c == '\\':
			if err := t.escape(true); err != nil {
				return err
			}
		default:
			_, size := utf8.DecodeRuneInString(t.in[t.at:])
			t.pass(size)
		}
	}
	return fmt.Errorf("a class of characters does not end")
}
