package connito

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// Hashes and commitments are made of JSON text as Python writes it, to the byte:
// objects in a given order or sorted, numbers as repr shows them, everything
// outside ASCII escaped. encoding/json differs in all three.

// A field is one member of an object in order.
type field struct {
	Key   string
	Value any
}

// fields is an object in order.
type fields []field

// A jsonStyle is how an object is laid out: ", " and ": " if spaced; with null
// for what is absent.
type jsonStyle struct{ Spaced, Nulls bool }

// appendJSON appends v, which is nil, a bool, a string, a number, a [json.Number],
// []any, map[string]any (sorted by key) or [fields].
func appendJSON(b []byte, v any, style jsonStyle) []byte {
	comma, colon := ",", ":"
	if style.Spaced {
		comma, colon = ", ", ": "
	}
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, v)
	case string:
		return appendString(b, v)
	case json.Number:
		if f, err := v.Float64(); err == nil && strings.ContainsAny(string(v), ".eE") {
			return append(b, pythonFloat(f)...)
		}
		return append(b, v...) // an integer, of any size
	case float64:
		return append(b, pythonFloat(v)...)
	case []any:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, comma...)
			}
			b = appendJSON(b, e, style)
		}
		return append(b, ']')
	case map[string]any:
		var sorted fields
		for _, key := range slices.Sorted(maps.Keys(v)) {
			sorted = append(sorted, field{key, v[key]})
		}
		return appendJSON(b, sorted, jsonStyle{style.Spaced, true})
	case fields:
		b = append(b, '{')
		first := true
		for _, f := range v {
			if f.Value == nil && !style.Nulls {
				continue
			}
			if !first {
				b = append(b, comma...)
			}
			first = false
			b = append(appendString(b, f.Key), colon...)
			b = appendJSON(b, f.Value, style)
		}
		return append(b, '}')
	}
	return fmt.Append(b, v) // integers
}

// appendString appends a string with everything outside ASCII escaped.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r == '\f':
			b = append(b, `\f`...)
		case r == '\b':
			b = append(b, `\b`...)
		case r >= ' ' && r <= '~':
			b = append(b, byte(r))
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			b = fmt.Appendf(b, `\u%04x\u%04x`, high, low)
		default:
			b = fmt.Appendf(b, `\u%04x`, r)
		}
	}
	return append(b, '"')
}

// pythonFloat writes a number as Python's repr does: the shortest digits that
// say it, with an exponent below 1e-4 and from 1e16 on.
func pythonFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	if abs := math.Abs(f); abs != 0 && (abs < 1e-4 || abs >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if f == math.Trunc(f) {
		s += ".0"
	}
	return s
}
