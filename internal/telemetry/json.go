package telemetry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"adit/internal/subnet"
)

// A JSONWriter writes each event as one JSON object on a line of its own:
//
//	{"time":"2026-11-21T09:28:08.25Z","level":"info","kind":"step","text":"batch loss","block":7000,"loss":8.234}
//
// The first five members are always there, in this order; the attributes
// follow, those in groups as "group.name". [ParseJSONLine] reads the line back.
type JSONWriter struct{ w io.Writer }

// NewJSONWriter returns a writer to w.
func NewJSONWriter(w io.Writer) *JSONWriter { return &JSONWriter{w} }

// maxLine bounds a line, in bytes, and maxAttrs the attributes of an event: it
// is read by another process. An attribute for which there is no room is left
// out.
const (
	maxLine  = 64 << 10
	maxAttrs = 200
)

// The members that every line has.
const (
	timeKey  = "time"
	levelKey = "level"
	kindKey  = "kind"
	textKey  = "text"
	blockKey = "block"
)

// Write writes one event, in one call to the writer below. What cannot be
// written is lost, as in a [LogWriter].
func (j *JSONWriter) Write(at time.Time, e subnet.Event) { j.w.Write(jsonLine(at, e)) }

func jsonLine(at time.Time, e subnet.Event) []byte {
	b := fmt.Appendf(nil, `{"%s":"%s","%s":"%s","%s":%s,"%s":%s,"%s":%d`,
		timeKey, at.UTC().Format(time.RFC3339Nano), levelKey, levelName(e.Level),
		kindKey, jsonString(cut(e.Kind)), textKey, jsonString(cut(e.Text)), blockKey, uint64(e.Block))
	n := 0
	for _, a := range flatten(nil, "", e.Attrs) {
		member := "," + jsonString(memberName(a.Key)) + ":" + jsonValue(a.Value)
		if n < maxAttrs && len(b)+len(member)+len("}\n") <= maxLine {
			b = append(b, member...)
			n++
		}
	}
	return append(b, "}\n"...)
}

// memberName keeps an attribute apart from the five members of every line: one
// called "block" is written "_block", and "_block" is "__block".
func memberName(key string) string {
	if reserved(key) {
		return "_" + key
	}
	return key
}

func attrName(member string) string {
	if strings.HasPrefix(member, "_") && reserved(member) {
		return member[1:]
	}
	return member
}

func reserved(name string) bool {
	switch strings.TrimLeft(name, "_") {
	case timeKey, levelKey, kindKey, textKey, blockKey:
		return true
	}
	return false
}

// jsonString leaves "<" as it is: lines begin with "<distribute>" and are
// searched for it.
func jsonString(s string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil { // unreachable: any string can be written
		return `""`
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func jsonValue(v slog.Value) string {
	switch v.Kind() {
	case slog.KindInt64:
		return strconv.FormatInt(v.Int64(), 10)
	case slog.KindUint64:
		return strconv.FormatUint(v.Uint64(), 10)
	case slog.KindFloat64:
		if x := v.Float64(); !math.IsNaN(x) && !math.IsInf(x, 0) {
			return float(x, 64)
		}
		return jsonString(float(v.Float64(), 64))
	case slog.KindBool:
		return strconv.FormatBool(v.Bool())
	case slog.KindString:
		return jsonString(cut(v.String()))
	case slog.KindDuration:
		return jsonString(v.Duration().String())
	case slog.KindTime:
		return jsonString(v.Time().UTC().Format(time.RFC3339Nano))
	}
	x := v.Any()
	if p := reflect.ValueOf(x); p.Kind() == reflect.Pointer && p.IsNil() {
		return "null"
	}
	switch x := x.(type) {
	case nil:
		return "null"
	case error:
		return jsonString(cut(x.Error()))
	case fmt.Stringer:
		return jsonString(cut(x.String()))
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(x); err != nil {
		return jsonString(cut(fmt.Sprint(x)))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// ParseJSONLine reads a line that a [JSONWriter] wrote, perhaps that of another
// process, with or without its line feed. Whole numbers come back as such,
// objects as map[string]any; a duration or a time is the string it was written
// as.
func ParseJSONLine(line []byte) (at time.Time, e subnet.Event, err error) {
	if at, e, err = parseLine(line); err != nil {
		return time.Time{}, subnet.Event{}, fmt.Errorf("parse event: %w", err)
	}
	return at, e, nil
}

func parseLine(line []byte) (at time.Time, e subnet.Event, err error) {
	if len(line) > maxLine {
		return at, e, fmt.Errorf("a line of %d bytes is longer than %d", len(line), maxLine)
	}
	d := json.NewDecoder(bytes.NewReader(line))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return at, e, errors.New("not an event")
	}
	var seen [3]bool // the members that tell an event from other objects
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return at, e, err
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return at, e, err
		}
		name, _ := t.(string) // it is one: the decoder refuses other names
		switch name {
		case timeKey:
			err = json.Unmarshal(raw, &at)
			if at = at.UTC(); err == nil && (at.Year() < 1 || at.Year() > 9999) {
				err = errors.New("out of range")
			}
			seen[0] = true
		case levelKey:
			var level string
			err = json.Unmarshal(raw, &level)
			if l, ok := parseLevel(level); ok {
				e.Level = l
			} else if err == nil {
				err = fmt.Errorf("unknown level %.20q", level)
			}
			seen[1] = true
		case kindKey:
			err = json.Unmarshal(raw, &e.Kind)
		case textKey:
			err = json.Unmarshal(raw, &e.Text)
			seen[2] = true
		case blockKey:
			err = json.Unmarshal(raw, &e.Block)
		default:
			if len(e.Attrs) == maxAttrs {
				return at, e, fmt.Errorf("more than %d attributes", maxAttrs)
			}
			var v slog.Value
			v, err = parseValue(raw)
			e.Attrs = append(e.Attrs, slog.Attr{Key: attrName(name), Value: v})
		}
		if err != nil {
			return at, e, fmt.Errorf("%.40q: %w", name, err)
		}
	}
	if _, err := d.Token(); err != nil {
		return at, e, err
	}
	if _, err := d.Token(); err != io.EOF {
		return at, e, errors.New("something follows the event")
	}
	if seen != [3]bool{true, true, true} {
		return at, e, errors.New("not an event")
	}
	return at, e, nil
}

func parseValue(raw json.RawMessage) (slog.Value, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var x any
	if err := d.Decode(&x); err != nil {
		return slog.Value{}, err
	}
	x, err := numbers(x)
	return slog.AnyValue(x), err
}

// numbers replaces the numbers in x by int64, uint64 or float64, the first of
// them that holds it.
func numbers(x any) (_ any, err error) {
	switch x := x.(type) {
	case json.Number:
		if n, err := strconv.ParseInt(x.String(), 10, 64); err == nil && x != "-0" {
			return n, nil
		}
		if n, err := strconv.ParseUint(x.String(), 10, 64); err == nil {
			return n, nil
		}
		return x.Float64()
	case []any:
		for i := range x {
			if x[i], err = numbers(x[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for key := range x {
			if x[key], err = numbers(x[key]); err != nil {
				return nil, err
			}
		}
	}
	return x, nil
}
