// Package pages serves a person's own text as Hugging Face's data set server does
// those of the Hub: the parts of a set and how many rows each has, and any hundred
// rows of a part. It is where the miners and validators of a local network find the
// pages that their windows choose.
//
//	GET /size?dataset=NAME
//	GET /rows?dataset=NAME&config=PART&split=train&offset=N&length=N
//
// The answers have every field of the real ones, and its errors their codes: 401 for
// a set that there is not, 404 for a part, 422 for a parameter that is missing or no
// number. A page beyond the end is empty; a parameter "limit", which upstream sends,
// is not one of the service's and changes nothing.
package pages

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"adit/internal/data"
)

// Options is how text is served. The zero value is fit for models with long sequences.
type Options struct {
	// Sets are the names under which the text is served; any name, if there are none.
	Sets []string
	// RowBytes is how long a row is at most, in bytes; 0 for 8 KiB. Of a row a model
	// sees what fits into one of its sequences, so that for short sequences rows
	// should be short. They are made shorter still where the text would give less
	// than two hundred.
	RowBytes int
	// MaxBytes is how much text of each source is served, in bytes, and held in
	// memory; 0 for 256 MiB. A source with more of it is sampled.
	MaxBytes int64
}

// Server is a data set server. It is an [http.Handler], and never changes.
type Server struct {
	sets  []string
	parts []part
	mux   http.ServeMux
}

var _ http.Handler = (*Server)(nil)

// New reads the sources and returns a server of their text. Each source becomes one
// part of the set or more, by its size. The same text gives the same parts and rows
// on every machine.
func New(ctx context.Context, sources []data.Source, opts Options) (*Server, error) {
	if opts.RowBytes <= 0 {
		opts.RowBytes = 8 << 10
	}
	opts.RowBytes = max(opts.RowBytes, leastRowBytes)
	if opts.MaxBytes <= 0 {
		opts.MaxBytes = 256 << 20
	}
	s := &Server{sets: slices.Clone(opts.Sets)}
	for _, source := range sources {
		parts, err := newParts(ctx, source, opts)
		if err != nil {
			return nil, err
		}
		for _, p := range parts {
			if slices.ContainsFunc(s.parts, func(other part) bool { return other.name == p.name }) {
				return nil, fmt.Errorf("serve two sources under the name %q", p.name)
			}
			s.parts = append(s.parts, p)
		}
	}
	if len(s.parts) == 0 {
		return nil, errNoText
	}
	s.mux.HandleFunc("GET /size", s.size)
	s.mux.HandleFunc("GET /rows", s.rows)
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotFound, "", "there is no "+r.Method+" "+r.URL.Path)
	})
	return s, nil
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// split is the only one of each part.
const split = "train"

// sizes is what the service says of the size of a set, a config or a split.
type sizes struct {
	Dataset  string `json:"dataset"`
	Config   string `json:"config,omitempty"`
	Split    string `json:"split,omitempty"`
	Original *int64 `json:"num_bytes_original_files,omitempty"` // splits have none
	Parquet  int64  `json:"num_bytes_parquet_files"`
	Memory   int64  `json:"num_bytes_memory"`
	Rows     int64  `json:"num_rows"`
	Columns  int    `json:"num_columns,omitempty"` // a set has none
	Estimate *int64 `json:"estimated_num_rows"`    // null: all rows are counted
}

func (s *Server) size(w http.ResponseWriter, r *http.Request) {
	set, ok := s.set(w, r)
	if !ok {
		return
	}
	total := sizes{Dataset: set}
	var configs, splits []sizes
	for _, p := range s.parts {
		one := sizes{Dataset: set, Config: p.name, Split: split, Parquet: p.size, Memory: p.size, Rows: int64(len(p.rows)), Columns: 1}
		splits = append(splits, one)
		one.Split, one.Original = "", &p.size
		configs = append(configs, one)
		total.Rows += one.Rows
		total.Memory += p.size
	}
	total.Parquet, total.Original = total.Memory, &total.Memory
	answer(w, http.StatusOK, map[string]any{
		"size":    map[string]any{"dataset": total, "configs": configs, "splits": splits},
		"pending": []string{}, "failed": []string{}, "partial": false,
	})
}

// A row is one of an answer to /rows.
type row struct {
	Index     int               `json:"row_idx"`
	Row       map[string]string `json:"row"`
	Truncated []string          `json:"truncated_cells"`
}

func (s *Server) rows(w http.ResponseWriter, r *http.Request) {
	set, ok := s.set(w, r)
	if !ok {
		return
	}
	query := r.URL.Query()
	for _, name := range []string{"config", "split"} {
		if strings.TrimSpace(query.Get(name)) == "" {
			refuse(w, http.StatusUnprocessableEntity, "MissingRequiredParameter", "Parameter '"+name+"' is required")
			return
		}
	}
	offset, problem := number(query.Get("offset"), "offset", 0)
	length, other := number(query.Get("length"), "length", pageRows)
	if problem == "" {
		problem = other
	}
	if problem == "" && length > pageRows {
		problem = fmt.Sprintf("Parameter 'length' must not be greater than %d", pageRows)
	}
	if problem != "" {
		refuse(w, http.StatusUnprocessableEntity, "InvalidParameter", problem)
		return
	}
	at := slices.IndexFunc(s.parts, func(p part) bool { return p.name == query.Get("config") })
	if at < 0 || query.Get("split") != split {
		refuse(w, http.StatusNotFound, "ResponseNotFound",
			fmt.Sprintf("%s has no split %q of a config %q", set, query.Get("split"), query.Get("config")))
		return
	}
	all := s.parts[at].rows
	offset = min(offset, len(all))
	rows := make([]row, min(length, len(all)-offset))
	for i := range rows {
		rows[i] = row{offset + i, map[string]string{"text": all[offset+i]}, []string{}}
	}
	answer(w, http.StatusOK, map[string]any{
		"features": []map[string]any{{
			"feature_idx": 0, "name": "text", "type": map[string]string{"dtype": "string", "_type": "Value"},
		}},
		"rows":           rows,
		"num_rows_total": len(all), "num_rows_per_page": pageRows, "partial": false,
	})
}

// set returns the name of the set that is asked for, if it is one that is served.
func (s *Server) set(w http.ResponseWriter, r *http.Request) (string, bool) {
	set := r.URL.Query().Get("dataset")
	if strings.TrimSpace(set) == "" {
		refuse(w, http.StatusUnprocessableEntity, "MissingRequiredParameter", "Parameter 'dataset' is required")
		return "", false
	}
	if len(s.sets) > 0 && !slices.Contains(s.sets, set) {
		// The service does not tell a private set from none.
		refuse(w, http.StatusUnauthorized, "ExternalUnauthenticatedError",
			fmt.Sprintf("there is no set %q here, which has %s", set, strings.Join(s.sets, ", ")))
		return "", false
	}
	return set, true
}

// number reads a parameter, and says what is wrong with it in the service's words.
func number(text, name string, absent int) (int, string) {
	if text == "" {
		return absent, ""
	}
	n, err := strconv.Atoi(text)
	switch {
	case err != nil:
		return 0, "Parameter '" + name + "' must be integer"
	case n < 0:
		return 0, "Parameter '" + name + "' must be positive"
	}
	return n, ""
}

func refuse(w http.ResponseWriter, status int, code, text string) {
	if code != "" {
		w.Header().Set("X-Error-Code", code)
	}
	answer(w, status, map[string]string{"error": text})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	// An error here is the client's hanging up.
	_ = e.Encode(v)
}
