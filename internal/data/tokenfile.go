package data

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// A .tok file is a header of 24 bytes, little-endian, and the tokens as uint16:
//
//	magic "adit.tok" | version u32 | vocabulary u32 | tokens u64
const (
	tokenMagic      = "adit.tok"
	tokenVersion    = 1
	tokenHeaderSize = 24
	maxTokens       = 1 << 30
)

// encodeTokens returns the bytes of a .tok file.
func encodeTokens(tokens []uint16, vocab int) []byte {
	b := make([]byte, tokenHeaderSize, tokenHeaderSize+2*len(tokens))
	copy(b, tokenMagic)
	binary.LittleEndian.PutUint32(b[8:], tokenVersion)
	binary.LittleEndian.PutUint32(b[12:], uint32(vocab))
	binary.LittleEndian.PutUint64(b[16:], uint64(len(tokens)))
	for _, t := range tokens {
		b = binary.LittleEndian.AppendUint16(b, t)
	}
	return b
}

// decodeTokens reads a .tok file made for a vocabulary of that size.
func decodeTokens(b []byte, vocab int) ([]uint16, error) {
	if len(b) < tokenHeaderSize || string(b[:8]) != tokenMagic {
		return nil, errors.New("not a token file")
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != tokenVersion {
		return nil, fmt.Errorf("version %d, want %d", v, tokenVersion)
	}
	if v := binary.LittleEndian.Uint32(b[12:]); v != uint32(vocab) {
		return nil, fmt.Errorf("made for a vocabulary of %d, want %d", v, vocab)
	}
	n := binary.LittleEndian.Uint64(b[16:])
	b = b[tokenHeaderSize:]
	if n > maxTokens || uint64(len(b)) != 2*n {
		return nil, fmt.Errorf("says it holds %d tokens, but has %d bytes of them", n, len(b))
	}
	tokens := make([]uint16, n)
	for i := range tokens {
		tokens[i] = binary.LittleEndian.Uint16(b[2*i:])
		if int(tokens[i]) >= vocab {
			return nil, fmt.Errorf("token %d is %d, outside the vocabulary of %d", i, tokens[i], vocab)
		}
	}
	return tokens, nil
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// readChecked reads a file of dir that must have the digest.
func readChecked(dir, name, want string, limit int64) ([]byte, error) {
	b, err := readCapped(filepath.Join(dir, name), limit)
	if err != nil {
		return nil, err
	}
	if digest(b) != want {
		return nil, fmt.Errorf("%s is not the file that %s was written for", name, corpusFile)
	}
	return b, nil
}

func readCapped(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes", filepath.Base(path), limit)
	}
	return b, nil
}

// writeWhole puts a file in its place with all of its content, or leaves what was
// there.
func writeWhole(dir, name string, content []byte) error {
	f, err := os.CreateTemp(dir, name+".*.part")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already if all went well
	_, err = f.Write(content)
	if err == nil {
		err = f.Chmod(0o644) // for the neuron's other processes, whoever runs them
	}
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(dir, name))
}
