package connito

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/crypto/blake2b"

	"adit/internal/checkpoint"
	"adit/internal/subnet"
	"adit/internal/tensor"
)

// shardOf makes a shard of so many experts' tensors of size values each.
func shardOf(experts, size int) tensor.Dict {
	rng := rand.New(rand.NewPCG(1, 2))
	d := make(tensor.Dict)
	for i := range experts {
		for _, part := range []string{"down_proj", "gate_up_proj"} {
			data := make([]byte, 2*size)
			for j := 0; j < len(data); j += 2 {
				data[j], data[j+1] = byte(rng.Uint32()), byte(rng.Uint32())&0x3f // halves up to 1
			}
			d[fmt.Sprintf("model.layers.1.mlp.experts.%d.%s", i, part)] = tensor.Tensor{DType: tensor.F16, Shape: []int{size}, Data: data}
		}
	}
	return d
}

// TestDigest finds the same in tensors whether they are in memory, in a file of
// either format, or come in pieces of any size.
func TestDigest(t *testing.T) {
	spoiled := shardOf(3, 40)
	key := spoiled.Keys()[2]
	nan := tensor.FromFloats(tensor.F16, []int{1}, []float32{float32(math.NaN())})
	copy(spoiled[key].Data[2*33:], nan.Data)
	for name, d := range map[string]tensor.Dict{"good": shardOf(3, 40), "not finite": spoiled, "none": {}} {
		want := contentsOf(d, d.Keys())
		if (want.NotFinite == key) != (name == "not finite") {
			t.Errorf("%s: not finite: %q", name, want.NotFinite)
		}
		for _, format := range []subnet.Format{subnet.Safetensors, subnet.Torch} {
			var b bytes.Buffer
			if err := checkpoint.Write(&b, format, d); err != nil {
				t.Fatal(err)
			}
			x, err := checkpoint.Open(bytesFile{bytes.NewReader(b.Bytes())}, int64(b.Len()))
			if err != nil {
				t.Fatal(err)
			}
			got, err := G3.digest(x, nil)
			if err != nil || got.Hash != want.Hash || got.NotFinite != want.NotFinite || !slices.Equal(got.Names, want.Names) {
				t.Errorf("%s %s: %+v, %v, want %+v", name, format, got, err, want)
			}
			if format == subnet.Torch {
				continue
			}
			for _, step := range []int{1, 3, 64} {
				seen := newDigester()
				s := checkpoint.NewStream(seen)
				for p := range slices.Chunk(b.Bytes(), step) {
					s.Write(p)
				}
				got := seen.contents()
				if whole, err := s.Done(); !whole || err != nil || got.Hash != want.Hash || got.NotFinite != want.NotFinite {
					t.Errorf("%s by %d: %+v, %v, %v, want %+v", name, step, got, whole, err, want)
				}
			}
		}
	}
}

// BenchmarkDigest compares looking at a shard in a file, or as it comes, with
// nothing but its hash on one core.
func BenchmarkDigest(b *testing.B) {
	d := shardOf(8, 1408*2048)
	var file bytes.Buffer
	if err := checkpoint.Write(&file, subnet.Safetensors, d); err != nil {
		b.Fatal(err)
	}
	size := int64(file.Len())
	disk := tempFile(b, file.Bytes())
	b.Run("hash", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			h, _ := blake2b.New(hashSize, nil)
			for p := range slices.Chunk(file.Bytes(), 256<<10) {
				h.Write(p)
			}
			h.Sum(nil)
		}
	})
	b.Run("file", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			x, err := checkpoint.Open(disk, size)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := G3.digest(x, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("stream", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			s := checkpoint.NewStream(newDigester())
			for p := range slices.Chunk(file.Bytes(), 128<<10) {
				s.Write(p)
			}
			if whole, err := s.Done(); !whole || err != nil {
				b.Fatal(whole, err)
			}
		}
	})
}
