package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"unicode/utf8"
)

// The two kinds of record.
const (
	opIntend = "intend"
	opDone   = "done"
)

// A record is one line of the journal.
type record struct {
	Op    string `json:"op"`
	Key   string `json:"key"`
	Value string `json:"value"`
}

// maxRecord bounds a line, in bytes. A payload is a commitment, or a set of
// weights, which for 65536 neurons is some 2 MB.
const maxRecord = 16 << 20

// A line is a JSON object whose first member, of fixed length, is the CRC-32C
// of the bytes after it:
//
//	{"crc":"1badd00d","op":"intend","key":"cycle/12/commit1","value":"…"}
const (
	crcHead = `{"crc":"`
	crcTail = `",`
	crcLen  = len(crcHead) + 8 + len(crcTail)
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// check refuses what would not be read back as it was.
func (r record) check() error {
	// JSON has no way to write other strings, and would change them silently.
	if !utf8.ValidString(r.Key) || !utf8.ValidString(r.Value) {
		return errors.New("a record must be valid UTF-8")
	}
	// Escaped, a byte takes six at most.
	if n := 6 * (len(r.Key) + len(r.Value)); n > maxRecord-100 {
		return fmt.Errorf("a record of up to %d bytes is longer than %d", n, maxRecord)
	}
	return nil
}

// line returns r as it stands in the file, with its line feed.
func (r record) line() ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	body, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	body = append(body[1:], '\n')
	head := fmt.Sprintf("%s%08x%s", crcHead, crc32.Checksum(body[:len(body)-1], castagnoli), crcTail)
	return append([]byte(head), body...), nil
}

// parseRecord reads a line without its line feed.
func parseRecord(line []byte) (record, error) {
	if len(line) < crcLen || !bytes.HasPrefix(line, []byte(crcHead)) || string(line[crcLen-len(crcTail):crcLen]) != crcTail {
		return record{}, errors.New("not a record")
	}
	want, err := strconv.ParseUint(string(line[len(crcHead):len(crcHead)+8]), 16, 32)
	if err != nil {
		return record{}, errors.New("not a record")
	}
	body := line[crcLen:]
	if got := crc32.Checksum(body, castagnoli); got != uint32(want) {
		return record{}, fmt.Errorf("checksum is %08x, want %08x", got, want)
	}
	var r record
	if err := json.Unmarshal(append([]byte("{"), body...), &r); err != nil {
		return record{}, err
	}
	if r.Op != opIntend && r.Op != opDone {
		return record{}, fmt.Errorf("unknown record %q", r.Op)
	}
	return r, nil
}

// parse reads a whole journal. A last line that is no record was being written
// when the process died, and whoever wrote it was never told that it had been:
// good is the length of what stands before it. Anywhere else such a line is an
// error, and so is one in which a second record begins: its line feed was lost
// after it had been written. (Inside a record these quotes would be escaped.)
func parse(data []byte) (all entries, good int, err error) {
	all = entries{}
	for n := 1; good < len(data); n++ {
		line, rest, whole := bytes.Cut(data[good:], []byte("\n"))
		r, err := parseRecord(line)
		switch {
		case err == nil && whole:
			all.apply(r)
			good += len(line) + 1
		case len(rest) == 0 && bytes.LastIndex(line, []byte(crcHead)) <= 0:
			return all, good, nil
		default:
			return nil, 0, fmt.Errorf("line %d: %w", n, err)
		}
	}
	return all, good, nil
}
