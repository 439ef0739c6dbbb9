package safetensors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"path"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
	"unsafe"
)

// MaxIndex bounds an index file, in bytes. That of a model of 671 billion
// parameters has nine million.
const MaxIndex = 100_000_000

const (
	maxShards = 4096 // files of one model
	maxFile   = 255  // bytes of a file's name, as in the usual file systems
	maxDepth  = 32   // values within one another in what is passed over

	// minPlace is the length of the shortest entry of a weight map, but for the
	// few thousand names of one and two bytes.
	minPlace = len(`"abc":"d.bin",`)
)

// An Index tells in which of several files each tensor of a model lies. The
// Hub calls the file model.safetensors.index.json; torch's files have one of
// the same form.
type Index struct {
	text   string
	places []place // in the names' order
	files  []string
}

// A place says which file a tensor is in.
type place struct {
	name span
	file uint32
}

// ParseIndex reads an index file. It keeps b and writes to it.
//
// Only the weight map is looked at. Each file in it is a slash-separated path
// that stays in the directory and ends in .safetensors or .bin; no name comes
// twice.
func ParseIndex(b []byte) (*Index, error) {
	x, err := parseIndex(b)
	if err != nil {
		return nil, fmt.Errorf("index of shards: %w", err)
	}
	return x, nil
}

func parseIndex(b []byte) (*Index, error) {
	if len(b) > MaxIndex {
		return nil, fmt.Errorf("%d bytes are more than the %d allowed", len(b), MaxIndex)
	}
	if !utf8.Valid(b) {
		return nil, errors.New("not UTF-8")
	}
	x := &Index{}
	s := scanner{b: b}
	mapped := false
	err := s.object(func(key span) error {
		if string(s.at(key)) != "weight_map" {
			return s.skip(maxDepth)
		}
		if mapped {
			return errors.New("weight_map comes twice")
		}
		mapped = true
		return x.readMap(&s)
	})
	if err == nil {
		err = s.end()
	}
	if err == nil && len(x.places) == 0 {
		err = errors.New("weight_map is missing or empty")
	}
	if err != nil {
		return nil, err
	}
	// As in a header: nobody writes to b any more.
	x.text = unsafe.String(unsafe.SliceData(b), len(b))
	slices.SortFunc(x.places, func(a, b place) int { return strings.Compare(x.name(a), x.name(b)) })
	for i := 1; i < len(x.places); i++ {
		if name := x.name(x.places[i]); name == x.name(x.places[i-1]) {
			return nil, fmt.Errorf("tensor %s comes twice in weight_map", quote(name))
		}
	}
	return x, nil
}

// readMap reads the object from each tensor's name to its file's.
func (x *Index) readMap(s *scanner) error {
	// Every place has a colon of its own, and is shorter than its text.
	rest := s.b[s.i:]
	x.places = make([]place, 0, min(bytes.Count(rest, []byte(":")), len(rest)/minPlace+maxShards))
	numbers := make(map[string]uint32)
	return s.object(func(key span) error {
		value, err := s.str()
		if err != nil {
			return fmt.Errorf("weight_map: tensor %s: %w", s.name(key), err)
		}
		// A map's lookup by string(bytes) copies nothing.
		n, known := numbers[string(s.at(value))]
		if !known {
			file := s.at(value)
			if err := checkFile(file); err != nil {
				return fmt.Errorf("weight_map: tensor %s: %w", s.name(key), err)
			}
			if len(x.files) == maxShards {
				return fmt.Errorf("weight_map: more than %d files", maxShards)
			}
			n = uint32(len(x.files))
			x.files = append(x.files, string(file))
			numbers[x.files[n]] = n
		}
		if len(x.places) == cap(x.places) { // short names again and again
			return errors.New("weight_map: too many tensors, or one comes twice")
		}
		x.places = append(x.places, place{key, n})
		return nil
	})
}

// checkFile returns an error unless name is a path that stays in its directory
// on every system.
func checkFile(name []byte) error {
	p := string(name[:min(len(name), maxFile+1)])
	switch {
	case len(p) > maxFile:
		return fmt.Errorf("%s is no file's name", quote(name))
	case path.IsAbs(p) || p == ".." || strings.HasPrefix(p, "../") || strings.ContainsAny(p, `\:`):
		return fmt.Errorf("file %q is outside the directory", p)
	case p == "" || path.Clean(p) != p || p == "." || strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("%q is no file's name", p)
	case !strings.HasSuffix(p, ".safetensors") && !strings.HasSuffix(p, ".bin"):
		return fmt.Errorf("file %q is neither .safetensors nor .bin", p)
	}
	return nil
}

func (x *Index) name(p place) string { return x.text[p.name.from:p.name.to] }

// Len returns how many tensors there are.
func (x *Index) Len() int { return len(x.places) }

// Files returns the files in the order in which the index first names them.
func (x *Index) Files() []string { return x.files }

// File returns the file of the tensor of that name, or false.
func (x *Index) File(name string) (string, bool) {
	i := sort.Search(len(x.places), func(i int) bool { return x.name(x.places[i]) >= name })
	if i == len(x.places) || x.name(x.places[i]) != name {
		return "", false
	}
	return x.files[x.places[i].file], true
}

// All yields the tensors' names in byte order, each with its file.
func (x *Index) All() iter.Seq2[string, string] {
	return func(yield func(name, file string) bool) {
		for _, p := range x.places {
			if !yield(x.name(p), x.files[p.file]) {
				return
			}
		}
	}
}

// EncodeIndex returns an index file as transformers writes it: total is the
// size of all tensors in bytes, files has each tensor's file.
func EncodeIndex(total int64, files map[string]string) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(struct {
		Metadata  map[string]int64  `json:"metadata"`
		WeightMap map[string]string `json:"weight_map"`
	}{map[string]int64{"total_size": total}, files})
	if err != nil {
		return nil, fmt.Errorf("write index of shards: %w", err)
	}
	return b.Bytes(), nil
}
