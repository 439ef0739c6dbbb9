// Command safetensors is our half of a race against the safetensors package:
// from the opening of a model to a checksum over every byte of every tensor.
// See run.sh.
//
//	safetensors make DIR          writes a model of 2 GiB
//	safetensors load DIR THREADS  sums it up and prints seconds and checksum
package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"adit/internal/engine/pretrained"
	"adit/internal/tensor"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "safetensors:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "make":
		return makeModel(args[1])
	case len(args) == 3 && args[0] == "load":
		threads, err := strconv.Atoi(args[2])
		if err != nil || threads < 1 {
			return fmt.Errorf("threads %q are no number above 0", args[2])
		}
		return load(args[1], threads)
	}
	return errors.New("usage: safetensors make DIR | load DIR THREADS")
}

// total is the size of the model's tensors, in bytes.
const total = 2 << 30

// makeModel writes a model with the shapes of a Llama of half a billion
// parameters in float32: large tensors and small, filled up to the size.
func makeModel(dir string) error {
	c := pretrained.Contents{Config: []byte("{}\n")}
	left := total / 4 // elements
	add := func(name string, shape ...int) {
		n := tensor.Tensor{Shape: shape}.Numel()
		left -= n
		seed := uint64(len(c.Tensors))
		c.Tensors = append(c.Tensors, pretrained.Source{Name: name, DType: tensor.F32, Shape: shape,
			Data: func(use func(tensor.Tensor) error) error {
				return use(tensor.Tensor{DType: tensor.F32, Shape: shape, Data: noise(seed, n)})
			}})
	}
	add("model.embed_tokens.weight", 32000, 2048)
	for i := 0; left >= 5*2048*5632; i++ {
		layer := fmt.Sprintf("model.layers.%d.", i)
		for _, name := range []string{"input_layernorm", "post_attention_layernorm"} {
			add(layer+name+".weight", 2048)
		}
		for _, name := range []string{"q_proj", "o_proj"} {
			add(layer+"self_attn."+name+".weight", 2048, 2048)
		}
		for _, name := range []string{"k_proj", "v_proj"} {
			add(layer+"self_attn."+name+".weight", 256, 2048)
		}
		for _, name := range []string{"gate_proj", "up_proj"} {
			add(layer+"mlp."+name+".weight", 5632, 2048)
		}
		add(layer+"mlp.down_proj.weight", 2048, 5632)
	}
	add("model.norm.weight", 2048)
	add("lm_head.weight", left/2048, 2048)
	return pretrained.Write(dir, c)
}

// noise is n float32s between 1 and 2: no page is like another.
func noise(seed uint64, n int) []byte {
	b := make([]byte, 4*n)
	x := seed*0x9e3779b97f4a7c15 + 1
	for i := 0; i < len(b); i += 8 {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		binary.LittleEndian.PutUint64(b[i:], x&0x007fffff_007fffff|0x3f800000_3f800000)
	}
	return b
}

// piece is how many bytes a thread sums up before it takes the next ones.
const piece = 8 << 20

// load opens the model and sums up its tensors.
func load(dir string, threads int) error {
	start := time.Now()
	d, err := pretrained.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	// The pieces of all tensors, for the threads to take one after the other.
	type job struct {
		tensor int
		data   []byte
	}
	var jobs []job
	var bytes int64
	names := d.Names()
	for i, name := range names {
		t, err := d.Tensor(name)
		if err != nil {
			return err
		}
		bytes += int64(len(t.Data))
		for data := t.Data; len(data) > 0; {
			n := min(piece, len(data))
			jobs = append(jobs, job{i, data[:n]})
			data = data[n:]
		}
	}
	sums := make([]atomic.Uint64, len(names))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range threads {
		wg.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(jobs); i = next.Add(1) - 1 {
				sums[jobs[i].tensor].Add(sum(jobs[i].data))
			}
		})
	}
	wg.Wait()
	// The order of the tensors counts: 31*… is what Python does too.
	var check uint64
	for i := range sums {
		check = 31*check + sums[i].Load()
	}
	fmt.Printf("%.6f %016x %d\n", time.Since(start).Seconds(), check, bytes)
	return nil
}

// sum adds up the 64-bit words; tensors here are whole words.
func sum(b []byte) uint64 {
	var s0, s1, s2, s3 uint64
	for len(b) >= 32 {
		s0 += binary.LittleEndian.Uint64(b)
		s1 += binary.LittleEndian.Uint64(b[8:])
		s2 += binary.LittleEndian.Uint64(b[16:])
		s3 += binary.LittleEndian.Uint64(b[24:])
		b = b[32:]
	}
	for ; len(b) >= 8; b = b[8:] {
		s0 += binary.LittleEndian.Uint64(b)
	}
	return s0 + s1 + s2 + s3
}
