package telemetry

import (
	"fmt"
	"log/slog"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// maxText bounds what of a string goes into a line, in bytes: texts of other
// neurons are among them.
const maxText = 2000

// python writes a value as Python prints it, but for strings: those stand bare
// unless a reader could not tell where they end.
func python(v slog.Value) string {
	switch v.Kind() {
	case slog.KindString:
		s := v.String()
		if s == "" || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || r == '\'' || r == '"' }) {
			return quoted(s)
		}
		return visible(s)
	case slog.KindInt64:
		return strconv.FormatInt(v.Int64(), 10)
	case slog.KindUint64:
		return strconv.FormatUint(v.Uint64(), 10)
	case slog.KindFloat64:
		return float(v.Float64(), 64)
	case slog.KindBool:
		return boolean(v.Bool())
	case slog.KindDuration:
		return v.Duration().String()
	case slog.KindTime:
		return v.Time().UTC().Format(time.RFC3339Nano)
	}
	return repr(v.Any(), 0)
}

// repr writes a value as it stands inside a Python list or dictionary.
func repr(x any, depth int) string {
	v := reflect.ValueOf(x)
	if v.Kind() == reflect.Pointer && v.IsNil() {
		return "None" // whose methods might not expect to be asked
	}
	// What knows how to print itself does so: errors, addresses, numbers of
	// our own.
	switch x := x.(type) {
	case nil:
		return "None"
	case error:
		return quoted(x.Error())
	case slog.LogValuer:
		return repr(x.LogValue().Resolve().Any(), depth+1)
	case fmt.Stringer:
		return quoted(x.String())
	}
	if depth > 4 {
		return "..."
	}
	switch v.Kind() {
	case reflect.String:
		return quoted(v.String())
	case reflect.Bool:
		return boolean(v.Bool())
	case reflect.Float32:
		return float(v.Float(), 32)
	case reflect.Float64:
		return float(v.Float(), 64)
	case reflect.Slice, reflect.Array:
		var items []string
		for i := range v.Len() {
			items = append(items, repr(v.Index(i).Interface(), depth+1))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case reflect.Map:
		var items []string
		for key, value := range v.Seq2() {
			items = append(items, repr(key.Interface(), depth+1)+": "+repr(value.Interface(), depth+1))
		}
		slices.Sort(items)
		return "{" + strings.Join(items, ", ") + "}"
	case reflect.Pointer:
		return repr(v.Elem().Interface(), depth+1)
	}
	return visible(fmt.Sprint(x))
}

func boolean(b bool) string {
	if b {
		return "True"
	}
	return "False"
}

// digits is how many digits of a number a person is shown. Programs read the JSON
// lines, which have them all.
const digits = 6

// float writes a number with an exponent where Python has one.
func float(x float64, bits int) string {
	if short, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', digits, bits), bits); err == nil {
		x = short
	}
	switch {
	case math.IsNaN(x):
		return "nan"
	case math.IsInf(x, 0):
		return strings.ToLower(strings.TrimPrefix(strconv.FormatFloat(x, 'g', -1, 64), "+"))
	case x != 0 && (math.Abs(x) < 1e-4 || math.Abs(x) >= 1e16):
		return strconv.FormatFloat(x, 'e', -1, bits)
	}
	s := strconv.FormatFloat(x, 'f', -1, bits)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

func quoted(s string) string {
	quote := "'"
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = `"`
	}
	s = strings.ReplaceAll(cut(s), `\`, `\\`)
	s = strings.ReplaceAll(s, quote, `\`+quote)
	return quote + visible(s) + quote
}

func cut(s string) string {
	if len(s) > maxText {
		return strings.ToValidUTF8(s[:maxText], "") + "…"
	}
	return s
}

// visible writes control characters out: a text that another neuron sent must
// neither move the cursor nor pass for a line of its own.
func visible(s string) string {
	s = cut(s)
	if !strings.ContainsFunc(s, invisible) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case !invisible(r):
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	return b.String()
}

func invisible(r rune) bool { return !unicode.IsPrint(r) && r != ' ' }
