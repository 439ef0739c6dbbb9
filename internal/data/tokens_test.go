package data

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/subnet"
)

// npy returns a NumPy file of one dimension.
func npy(descr string, tokens any, n int) []byte {
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%d,), }", descr, n)
	header += strings.Repeat(" ", 63-(10+len(header))%64) + "\n"
	b := append([]byte(npyMagic+"\x01\x00"), byte(len(header)), byte(len(header)>>8))
	return append(append(b, header...), raw(tokens)...)
}

// raw returns numbers as they lie in memory.
func raw(tokens any) []byte {
	var b bytes.Buffer
	if err := binary.Write(&b, binary.LittleEndian, tokens); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func as[T uint16 | uint32 | int32 | int64](tokens []int32) []T {
	out := make([]T, len(tokens))
	for i, t := range tokens {
		out[i] = T(t)
	}
	return out
}

// write puts a file into a folder of its own.
func write(t testing.TB, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t testing.TB, opt TokenOptions, paths ...string) *Tokens {
	t.Helper()
	tokens, err := Open(opt, paths...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tokens.Close() })
	return tokens
}

// unmap makes tokens read their files instead.
func unmap(t testing.TB, tokens *Tokens) {
	t.Helper()
	for i := range tokens.files.parts {
		p := &tokens.files.parts[i]
		if p.mapped == nil {
			t.Fatalf("%s is not mapped", p.path)
		}
		if err := unmapFile(p.mapped); err != nil {
			t.Fatal(err)
		}
		p.mapped = nil
	}
}

// count returns n tokens that count upwards from first.
func count(first, n int) []int32 {
	out := make([]int32, n)
	for i := range out {
		out[i] = int32(first + i)
	}
	return out
}

func TestOpenFormats(t *testing.T) {
	want := count(1, 9000)
	llmc := func(magic, version uint32) []byte {
		head := make([]uint32, 256)
		head[0], head[1], head[2] = magic, version, uint32(len(want))
		return raw(head)
	}
	for _, tt := range []struct {
		name string
		opt  TokenOptions
		b    []byte
	}{
		{"a.bin", TokenOptions{Vocab: 50257}, raw(as[uint16](want))},
		{"a.bin", TokenOptions{Vocab: 10000, Type: Uint32}, raw(as[uint32](want))},
		{"a.bin", TokenOptions{Vocab: 128256}, raw(as[uint32](want))},
		{"a.bin", TokenOptions{}, raw(as[uint32](want))},
		{"a.npy", TokenOptions{Vocab: 10000}, npy("<u2", as[uint16](want), len(want))},
		{"a.npy", TokenOptions{Vocab: 10000}, npy("<u4", as[uint32](want), len(want))},
		{"a.npy", TokenOptions{Vocab: 10000}, npy("<i4", as[int32](want), len(want))},
		{"unnamed", TokenOptions{Vocab: 10000, Type: Int64}, npy("<i8", as[int64](want), len(want))},
		{"a.bin", TokenOptions{Vocab: 50257}, append(llmc(20240520, 1), raw(as[uint16](want))...)},
		{"a.bin", TokenOptions{Vocab: 128256}, append(llmc(20240801, 7), raw(as[uint32](want))...)},
	} {
		tokens := open(t, tt.opt, write(t, tt.name, tt.b))
		for _, mapped := range []bool{true, false} {
			if !mapped {
				unmap(t, tokens)
			}
			got := make([]int32, tokens.Len())
			if err := tokens.Read(got, 0); err != nil {
				t.Fatalf("%s %+v: %v", tt.name, tt.opt, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s %+v mapped %v (-want +got):\n%s", tt.name, tt.opt, mapped, diff)
			}
		}
	}
}

func TestOpenErrors(t *testing.T) {
	some := as[uint16](count(0, 100))
	good := string(npy("<u2", some, 100))
	for _, tt := range []struct {
		name, content string
		opt           TokenOptions
		want          string
	}{
		{"a.bin", "", TokenOptions{}, "it is empty"},
		{"a.bin", "abc", TokenOptions{Vocab: 100}, "3 bytes are no whole number of tokens of type uint16"},
		{"a.bin", "abcd", TokenOptions{Type: Int64}, `no raw file has tokens of type "int64"`},
		{"a.bin", string(raw(as[uint32](count(0, 100)))), TokenOptions{Vocab: 100}, "these are tokens of four bytes"},
		{"a.bin", string(raw([]uint32{20240520, 1, 7})) + strings.Repeat("\x00", 1024), TokenOptions{}, "its header says 7 tokens, but it has 12 bytes"},
		{"a.npy", "abc", TokenOptions{}, "no NumPy file"},
		{"a.npy", good[:60], TokenOptions{}, "cut short"},
		{"a.npy", good[:len(good)-2], TokenOptions{}, "its header says 100 tokens of type uint16, but it has 198 bytes"},
		{"a.npy", good, TokenOptions{Type: Uint32}, "it holds uint16, not uint32"},
		{"a.npy", strings.Replace(good, "<u2", "<f4", 1), TokenOptions{}, `its numbers are "<f4"`},
		{"a.npy", strings.Replace(good, "<u2", ">u2", 1), TokenOptions{}, `its numbers are ">u2"`},
		{"a.npy", strings.Replace(good, "(100,)", "(10,7)", 1), TokenOptions{}, "shape (10,7)"},
		{"a.npy", strings.Replace(good, "(100,)", "(-10,)", 1), TokenOptions{}, "shape (-10,)"},
		{"a.npy", strings.Replace(good, "'shape'", "'sharp'", 1), TokenOptions{}, `"sharp" is not known`},
		{"a.npy", strings.Replace(good, "\x01\x00", "\x09\x00", 1), TokenOptions{}, "version 9"},
		{"a.npy", npyMagic + "\x02\x00\xff\xff\xff\xff" + good[12:], TokenOptions{}, "a header of 4294967295 bytes"},
		{"a.npy", string(npy("<u2", []uint16{}, 0)), TokenOptions{}, "it holds no tokens"},
	} {
		path := write(t, tt.name, []byte(tt.content))
		_, err := Open(tt.opt, path)
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%.20q: got %v, want …%s… and the path", tt.content, err, tt.want)
		}
	}
	if _, err := Open(TokenOptions{}); err == nil {
		t.Error("opened nothing")
	}
	if _, err := Open(TokenOptions{}, t.TempDir()); err == nil {
		t.Error("opened a folder")
	}
}

func TestReadAcrossFiles(t *testing.T) {
	var paths []string
	for i, n := range []int{10, 1, 25} {
		paths = append(paths, write(t, "a.bin", raw(as[uint16](count([]int{0, 10, 11}[i], n)))))
	}
	tokens := open(t, TokenOptions{Vocab: 36}, paths...)
	for at := range 36 {
		for n := range 36 - at + 1 {
			got := make([]int32, n)
			if err := tokens.Read(got, int64(at)); err != nil || !cmp.Equal(got, count(at, n)) {
				t.Fatalf("%d from %d: %v, %v", n, at, got, err)
			}
		}
	}
	for _, at := range []int64{-1, 34} {
		if err := tokens.Read(make([]int32, 3), at); err == nil {
			t.Errorf("read 3 tokens from %d", at)
		}
	}
}

func TestTokenOutsideVocabulary(t *testing.T) {
	for _, tt := range []struct {
		name string
		b    []byte
		want string
	}{
		{"a.bin", raw([]uint16{1, 2, 99, 100}), "token 3 is 100, not within the vocabulary of 100"},
		{"a.npy", npy("<u4", []uint32{1, 1 << 31, 2}, 3), "token 1 is 2147483648,"},
		{"a.npy", npy("<i4", []int32{1, -1, 2}, 3), "token 1 is -1,"},
		{"a.npy", npy("<i8", []int64{1, 1 << 32, 2}, 3), "token 1 is 4294967296,"},
		{"a.npy", npy("<i8", []int64{1, 2, -7}, 3), "token 2 is -7,"},
	} {
		path := write(t, tt.name, tt.b)
		tokens := open(t, TokenOptions{Vocab: 100}, path)
		err := tokens.Read(make([]int32, tokens.Len()), 0)
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) || subnet.Hint(err) == "" {
			t.Errorf("got %v, want …%s…, with a hint", err, tt.want)
		}
	}
}

func TestClosedTokens(t *testing.T) {
	tokens := open(t, TokenOptions{}, write(t, "a.bin", raw(count(0, 100))))
	train, _, err := tokens.Split(0.1, 5)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(tokens.Close(), tokens.Close()); err != nil {
		t.Fatal(err)
	}
	if err := train.Read(make([]int32, 5), 0); !errors.Is(err, os.ErrClosed) {
		t.Errorf("read from closed files: %v", err)
	}
}

func TestSplit(t *testing.T) {
	tokens := open(t, TokenOptions{}, write(t, "a.bin", raw(count(0, 1001))))
	for _, tt := range []struct {
		x          float64
		n          int
		train, out int64
	}{{0, 11, 1001, 0}, {0.1, 11, 900, 101}, {0.001, 11, 990, 11}, {0.5, 101, 500, 501}, {0.14, 101, 900, 101}} {
		train, out, err := tokens.Split(tt.x, tt.n)
		if err != nil || train.Len() != tt.train || out.Len() != tt.out {
			t.Errorf("%v of sequences of %d: %d and %d, %v, want %d and %d", tt.x, tt.n, train.Len(), out.Len(), err, tt.train, tt.out)
			continue
		}
		if tt.out == 0 {
			continue
		}
		o := Order{SeqLen: tt.n}
		if got, want := out.EpochLen(o), (tt.out-1)/int64(tt.n-1); got != want {
			t.Errorf("%d held-out sequences, want %d", got, want)
		}
		dst := make([]int32, tt.n)
		if err := out.Sequence(dst, o, out.EpochLen(o)-1); err != nil || dst[tt.n-1] != 1000 {
			t.Errorf("the last held-out sequence is %v, %v", dst, err)
		}
		if err := train.Read(dst, train.Len()); err == nil {
			t.Error("the part to train on reaches into the other")
		}
	}
	for _, x := range []float64{-0.1, 1, 0.999} {
		if _, _, err := tokens.Split(x, 11); err == nil {
			t.Errorf("held %v out", x)
		}
	}
}

func TestTokenFiles(t *testing.T) {
	tok, _ := library(t)
	tokens := folder(t, map[string]string{"b.npy": "", "a/1.bin": "", "a/.hidden.bin": "", "README.md": "x"})
	text := folder(t, map[string]string{"a.txt": "some text"})
	ours := filepath.Join(t.TempDir(), "packed")
	encode(t, "", ours, tok, EncodeOptions{}, text)
	got, err := TokenFiles(tokens, ours)
	want := []string{filepath.Join(tokens, "a", "1.bin"), filepath.Join(tokens, "b.npy"), ours}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if got, err := TokenFiles(text, filepath.Join(text, "a.txt")); err != nil || got != nil {
		t.Errorf("text: %v, %v", got, err)
	}
	if _, err := TokenFiles(tokens, text); err == nil || subnet.Hint(err) == "" {
		t.Errorf("both: %v", err)
	}
	if _, err := TokenFiles(filepath.Join(text, "absent")); err == nil {
		t.Error("found what is not there")
	}
}

func FuzzParseNPY(f *testing.F) {
	good := npy("<u2", []uint16{1, 2, 3}, 3)
	f.Add(good, int64(len(good)))
	f.Add([]byte(npyMagic+"\x03\x00\x10\x00\x00\x00{\"shape\": (1,)}"), int64(30))
	f.Fuzz(func(t *testing.T, head []byte, size int64) {
		size = max(size, int64(len(head)))
		l, err := parseNPY(head, size)
		if err == nil && (l.count < 0 || l.offset < 10 || l.offset+l.count*l.typ.size() != size) {
			t.Errorf("%+v does not fit %d bytes", l, size)
		}
	})
}

func FuzzRawLayout(f *testing.F) {
	f.Add(raw([]uint32{20240520, 1, 7}), int64(1038), 100)
	f.Add(make([]byte, 1024), int64(2048), 1<<17)
	f.Fuzz(func(t *testing.T, head []byte, size int64, vocab int) {
		size = max(size, int64(len(head)))
		l, ok, err := parseLLMC(head, size)
		if !ok {
			l, err = rawLayout(head, size, TokenOptions{Vocab: vocab})
		}
		if err == nil && (l.count < 0 || l.offset+l.count*l.typ.size() != size) {
			t.Errorf("%+v does not fit %d bytes", l, size)
		}
	})
}
