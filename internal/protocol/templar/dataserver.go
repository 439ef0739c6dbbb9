package templar

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"unicode/utf8"
)

// What the data set's server answers is read up to these limits.
const (
	MaxSizes   = 16 << 20 // bytes of the answer to /size
	MaxRows    = 64 << 20 // bytes of the answer to /rows
	maxConfigs = 10_000
	maxSetRows = 1 << 40
	maxName    = 200
)

// DataServer is where upstream asks for pages. It wants no token, and gives a
// hundred rows at a time.
const DataServer = "https://datasets-server.huggingface.co"

// A DataConfig is one part of the data set, such as one crawl of the web.
type DataConfig struct {
	Name  string
	Rows  int64
	Split string
}

// SizeQuery returns the path and query that ask for the parts of a data set.
func SizeQuery(set string) string {
	return "/size?" + url.Values{"dataset": {set}}.Encode()
}

// RowsQuery returns the path and query that ask for a page.
//
// Unlike upstream, which says "limit", a word that the server does not know, the
// number of rows is given under its own name; it is the server's default anyhow.
func RowsQuery(set string, p Page) string {
	return "/rows?" + url.Values{
		"dataset": {set}, "config": {p.Config}, "split": {p.Split},
		"offset": {strconv.FormatInt(p.Row, 10)}, "length": {strconv.Itoa(pageRows)},
	}.Encode()
}

// ParseSizes reads the answer to [SizeQuery]: the parts in their order, but for the
// one that is called default. Of a part with more than one split the last one
// counts, in the place of the first.
func ParseSizes(data []byte) ([]DataConfig, error) {
	if len(data) > MaxSizes {
		return nil, fmt.Errorf("sizes: %d bytes, want at most %d", len(data), MaxSizes)
	}
	var answer struct {
		Size struct {
			Splits []struct {
				Config string `json:"config"`
				Split  string `json:"split"`
				Rows   int64  `json:"num_rows"`
			} `json:"splits"`
		} `json:"size"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return nil, fmt.Errorf("sizes: %w", err)
	}
	var list []DataConfig
	place := make(map[string]int)
	for _, s := range answer.Size.Splits {
		if s.Config == "default" {
			continue
		}
		if s.Config == "" || len(s.Config) > maxName || len(s.Split) > maxName || s.Rows < 0 || s.Rows > maxSetRows {
			return nil, fmt.Errorf("sizes: config %.80q has %d rows in split %.80q", s.Config, s.Rows, s.Split)
		}
		c := DataConfig{s.Config, s.Rows, s.Split}
		if i, again := place[c.Name]; again {
			list[i] = c
			continue
		}
		if len(list) == maxConfigs {
			return nil, fmt.Errorf("sizes: more than %d configs", maxConfigs)
		}
		place[c.Name] = len(list)
		list = append(list, c)
	}
	if len(list) == 0 {
		return nil, errors.New("sizes: the data set has no configs")
	}
	return list, nil
}

// ParseRows reads the answer to [RowsQuery]: the texts of the rows.
func ParseRows(data []byte) ([]string, error) {
	if len(data) > MaxRows {
		return nil, fmt.Errorf("rows: %d bytes, want at most %d", len(data), MaxRows)
	}
	var answer struct {
		Rows []struct {
			Row struct {
				Text *string `json:"text"`
			} `json:"row"`
		} `json:"rows"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return nil, fmt.Errorf("rows: %w", err)
	}
	if n := len(answer.Rows); n == 0 || n > pageRows {
		return nil, fmt.Errorf("rows: %d rows, want 1 to %d", n, pageRows)
	}
	texts := make([]string, len(answer.Rows))
	for i, row := range answer.Rows {
		if row.Row.Text == nil || !utf8.ValidString(*row.Row.Text) {
			return nil, fmt.Errorf("rows: row %d has no text", i)
		}
		texts[i] = *row.Row.Text
	}
	return texts, nil
}
