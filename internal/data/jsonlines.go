package data

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"adit/internal/subnet"
)

// maxDocumentBytes bounds one line or row.
const maxDocumentBytes = 16 << 20

const jsonHint = `each line must be one JSON object with a string "text" or "content"`

// A jsonRow is what is read of a line; other members are not looked at.
type jsonRow struct {
	Text    json.RawMessage `json:"text"`
	Content json.RawMessage `json:"content"`
}

// parse returns the text of a line, from the field of that name if one is given.
func (r *jsonRow) parse(line []byte, field string) (string, error) {
	var raw json.RawMessage
	if field != "" {
		var all map[string]json.RawMessage
		if err := json.Unmarshal(line, &all); err != nil {
			return "", err
		}
		if raw = all[field]; raw == nil {
			return "", fmt.Errorf("it has no %q", field)
		}
	} else {
		*r = jsonRow{}
		if err := json.Unmarshal(line, r); err != nil {
			return "", err
		}
		if raw = r.Text; raw == nil {
			raw = r.Content
		}
		if raw == nil {
			return "", errors.New(`it has neither "text" nor "content"`)
		}
	}
	if raw[0] != '"' {
		return "", errors.New("its text is not a string")
	}
	var text string
	err := json.Unmarshal(raw, &text)
	return text, err
}

// isJSONLines reports whether the first line of a file is an object with text.
func isJSONLines(head []byte, field string) bool {
	line, _, _ := bytes.Cut(bytes.TrimLeft(head, "\ufeff \r\n\t"), []byte("\n"))
	var row jsonRow
	_, err := row.parse(line, field)
	return err == nil
}

// readJSONLines yields one document a line, named "name:line".
func readJSONLines(r io.Reader, name, field string, yield func(Document, error) bool) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), maxDocumentBytes)
	n := 0
	fail := func(err error) {
		hint := jsonHint
		if field != "" {
			hint = fmt.Sprintf("each line must be one JSON object with a string %q, or name another field", field)
		}
		yield(Document{}, subnet.WithHint(fmt.Errorf("%s line %d: %w", name, n, err), hint))
	}
	var row jsonRow
	for lines.Scan() {
		n++
		line := lines.Bytes()
		if n == 1 {
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if !utf8.Valid(line) {
			fail(errors.New("it is not UTF-8"))
			return
		}
		text, err := row.parse(line, field)
		if err != nil {
			fail(err)
			return
		}
		if text != "" && !yield(Document{fmt.Sprintf("%s:%d", name, n), text}, nil) {
			return
		}
	}
	if err := lines.Err(); err != nil {
		n++
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("it is longer than %d MiB", maxDocumentBytes>>20)
		}
		fail(err)
	}
}
