package pages

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"adit/internal/data"
	"adit/internal/subnet"
)

const (
	// pageRows is how many rows an answer has at most, and by default.
	pageRows = 100
	// leastRows is what a part of the set must have: a page begins at any row
	// but the last 102, and there should be some to choose from.
	leastRows = 2 * pageRows
	// partRows is how many rows a part has at least if there are more parts.
	partRows = 5 * pageRows
	// maxParts is about as many parts as the sets have that upstream trains on.
	maxParts = 95
	// leastRowBytes is the shortest to which rows are cut to have enough of them.
	leastRowBytes = 64
)

// A part is a config of the set, with its only split.
type part struct {
	name string
	rows []string
	size int64 // of the rows, in bytes
}

// newParts makes parts of a source's text: rows cut from its documents, in the
// order in which they come, which is the same on every machine.
func newParts(ctx context.Context, source data.Source, opts Options) ([]part, error) {
	var documents []string
	size := int64(0)
	for d, err := range source.Documents() {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, fmt.Errorf("serve %s: %w", source.Name(), err)
		}
		documents = append(documents, d.Text)
		if size += int64(len(d.Text)); size >= opts.MaxBytes {
			break
		}
	}
	var rows []string
	for rowBytes := opts.RowBytes; ; rowBytes /= 2 {
		if rowBytes < leastRowBytes {
			return nil, subnet.WithHint(
				fmt.Errorf("serve %s: %d bytes of text are not enough for %d rows", source.Name(), size, leastRows),
				"name more text")
		}
		rows = rows[:0]
		for _, d := range documents {
			rows = cut(rows, d, rowBytes)
		}
		if len(rows) >= leastRows {
			break
		}
	}

	parts := make([]part, min(max(1, len(rows)/partRows), maxParts))
	for i := range parts {
		p := &parts[i]
		p.name = fmt.Sprintf("%s-%02d", slug(source.Name()), i)
		p.rows = rows[i*len(rows)/len(parts) : (i+1)*len(rows)/len(parts)]
		for _, r := range p.rows {
			p.size += int64(len(r))
		}
	}
	return parts, nil
}

// cut appends a document in rows of at most that many bytes: each ends with a line
// if it can, or else with a word. Together they are the document; rows without a
// word are left out.
func cut(rows []string, text string, rowBytes int) []string {
	for len(text) > 0 {
		end := len(text)
		if end > rowBytes {
			end = rowBytes
			for end > rowBytes-utf8.UTFMax && !utf8.RuneStart(text[end]) {
				end--
			}
			// Not before the middle, or long lines would leave scraps.
			for _, mark := range []string{"\n", " "} {
				if i := strings.LastIndex(text[end/2:end], mark); i >= 0 {
					end = end/2 + i + 1
					break
				}
			}
		}
		if strings.TrimSpace(text[:end]) != "" {
			rows = append(rows, text[:end])
		}
		text = text[end:]
	}
	return rows
}

// slug makes a name fit for a config: letters, digits and what joins them.
func slug(name string) string {
	name = strings.Trim(strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || r == '.' || r == '_' {
			return r
		}
		return '-'
	}, name), "-")
	if runes := []rune(name); len(runes) > 60 {
		name = string(runes[:60])
	}
	if name == "" {
		return "text"
	}
	return name
}

var errNoText = errors.New("serve a data set of no text")
