package config

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/token"
)

// located turns an error of the YAML library into one that names the file, the
// line and the setting, and shows the place.
func located(name string, err error, t *tree) error {
	var e yaml.Error
	if !errors.As(err, &e) || e.GetToken() == nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	msg, tok := e.GetMessage(), e.GetToken()
	var wrongType *yaml.TypeError
	var tooLarge *yaml.OverflowError
	var wrongNode *yaml.UnexpectedNodeTypeError
	if errors.As(err, &wrongType) || errors.As(err, &tooLarge) || errors.As(err, &wrongNode) {
		// The library speaks of Go's types and fields; people know settings.
		s, ok := setting{}, false
		if t != nil && tok.Position != nil {
			s, ok = t.given[[2]int{tok.Position.Line, tok.Position.Column}]
		}
		switch {
		case ok && s.path == "":
			msg = "must be settings, each as name: value"
		case ok:
			msg = fmt.Sprintf("%s: must be %s", s.path, kindOf(s.typ))
		case wrongType != nil:
			msg = "must be " + kindOf(wrongType.DstType)
		}
	}
	return problem(name, msg, tok)
}

// problem shows where in the file something is wrong:
//
//	config.yaml:3:3: unknown setting "train.lrr": did you mean "lr"?
//	   2 | train:
//	>  3 |   lrr: 0.1
//	         ^
func problem(name, msg string, tok *token.Token) error {
	_, source, _ := strings.Cut(yaml.FormatErrorWithToken("", tok, false, true), "\n")
	at := name
	if p := tok.Position; p != nil {
		at = fmt.Sprintf("%s:%d:%d", name, p.Line, p.Column)
	}
	text := at + ": " + msg
	if source = strings.TrimRight(source, "\n "); source != "" {
		text += "\n" + source
	}
	return errors.New(text)
}

// kindOf says what a setting wants to be.
func kindOf(t reflect.Type) string {
	if t == reflect.TypeFor[time.Duration]() {
		return "a duration such as 90s or 1h30m"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a text"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number" + ifNarrow(t, -1<<(t.Bits()-1), 1<<(t.Bits()-1)-1)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if t.Bits() == 64 {
			return "a whole number from 0 up"
		}
		return "a whole number" + ifNarrow(t, 0, 1<<t.Bits()-1)
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "settings, each as name: value"
	}
	return "something else"
}

func ifNarrow(t reflect.Type, from, to int64) string {
	if t.Bits() == 64 {
		return ""
	}
	return fmt.Sprintf(" from %d to %d", from, to)
}

// didYouMean suggests the known name closest to what was typed, if it is close.
func didYouMean(typed string, known []string) string {
	best, at := "", len(typed)/3+2
	for _, name := range known {
		if d := distance(strings.ToLower(typed), strings.ToLower(name)); d < at {
			best, at = name, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(": did you mean %q?", best)
}

// distance is how many letters must be put in, left out, changed or swapped
// with their neighbour to turn a into b.
func distance(a, b string) int {
	if len(a) > 100 || len(b) > 100 {
		return 100
	}
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}
