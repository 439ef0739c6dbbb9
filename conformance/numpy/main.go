// Command numpy draws what Templar's neurons draw with numpy: it reads questions
// from standard input, one as JSON on each line, and writes a line for each.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"adit/internal/protocol/templar"
	"adit/internal/subnet"
)

// A question is of one kind, and has the fields that its kind wants.
type question struct {
	Kind   string
	Window templar.Window
	// slices
	Shapes      [][]int
	Compression int
	// pages
	Seed    uint32
	N       int
	Configs []templar.DataConfig
	// pool, eval
	UID         subnet.UID
	Size        int
	Nanoseconds uint64
	Pool        []uint32
	// digest
	Tokens [][]uint32
}

func (q question) answer() (any, error) {
	switch q.Kind {
	case "slices":
		params := make([]subnet.Param, len(q.Shapes))
		for i, shape := range q.Shapes {
			params[i] = subnet.Param{Name: fmt.Sprint(i), Shape: shape}
		}
		drawn, err := templar.DrawIndices(q.Window, params, q.Compression)
		at := make([][]uint32, len(drawn))
		for i, p := range drawn {
			at[i] = p.At
		}
		return at, err
	case "pages":
		return templar.Pages(q.Seed, q.Window, q.N, q.Configs)
	case "pool":
		return templar.Pool(q.UID, q.Window, q.N, q.Size)
	case "eval":
		return templar.EvalDraw(q.UID, q.Window, q.Nanoseconds, q.Pool, q.Size), nil
	case "digest":
		ids := make([]uint64, len(q.Tokens))
		for i, t := range q.Tokens {
			ids[i] = templar.SampleID(t)
		}
		return templar.SampleDigest(ids), nil
	}
	return nil, fmt.Errorf("no kind %q", q.Kind)
}

func main() {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var q question
		if err := in.Decode(&q); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			log.Fatal(err)
		}
		answer, err := q.answer()
		if err != nil {
			log.Fatal(err)
		}
		if err := out.Encode(answer); err != nil {
			log.Fatal(err)
		}
	}
}
