package templar

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"adit/internal/compress"
	"adit/internal/subnet"
)

// A Seal is what a miner of our generation signs of its gradient: whose it is, of
// which window, and the root of the tree over its message. So nobody can put one
// into another's bucket, nor pass off last window's, and whoever aggregates cannot
// change a bit of it.
type Seal struct {
	Version    string        `json:"version"`
	Window     Window        `json:"window"`
	UID        subnet.UID    `json:"uid"`
	Hotkey     subnet.Hotkey `json:"hotkey"`
	GlobalStep int64         `json:"global_step"`
	Digest     string        `json:"sample_digest,omitempty"`
	Count      int64         `json:"sample_count,omitempty"`
	Dummy      bool          `json:"dummy,omitempty"`
	Root       string        `json:"root,omitempty"` // in hexadecimal
}

// A Signed seal is the bytes that were signed, with the signature.
type Signed struct {
	Text []byte `json:"text"`
	Sig  []byte `json:"sig"`
}

const (
	sealMagic   = "ADITGRD1"
	sealDomain  = "adit gradient\n" // before the text, in what is signed
	maxSealText = 4096
	signatures  = 64 // bytes of one
	magics      = 8  // bytes of a magic
	sealTail    = signatures + 4 + magics
)

// sign makes the seal's bytes and signs them.
func (s Seal) sign(ctx context.Context, signer subnet.Signer) (Signed, error) {
	signed, err := signJSON(ctx, signer, sealDomain, s)
	if err != nil {
		return signed, fmt.Errorf("sign the gradient: %w", err)
	}
	return signed, nil
}

// signJSON signs a value as JSON, behind a domain that no other kind of message has.
func signJSON(ctx context.Context, signer subnet.Signer, domain string, v any) (Signed, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return Signed{}, err
	}
	sig, err := signer.Sign(ctx, append([]byte(domain), text...))
	if err == nil && len(sig) != signatures {
		err = fmt.Errorf("a signature of %d bytes", len(sig))
	}
	return Signed{text, sig}, err
}

// open checks the signature and reads the seal. It must be who's, of that window.
func (s Signed) open(verify func(subnet.Hotkey, []byte, []byte) bool, version string, w Window, who subnet.Neuron) (Seal, error) {
	var seal Seal
	if len(s.Text) > maxSealText || len(s.Sig) != signatures {
		return seal, fmt.Errorf("a seal of %d bytes with a signature of %d", len(s.Text), len(s.Sig))
	}
	if err := parseJSON(s.Text, &seal); err != nil {
		return seal, fmt.Errorf("seal: %w", err)
	}
	switch {
	case seal.Hotkey != who.Hotkey || seal.UID != who.UID:
		return seal, fmt.Errorf("sealed by uid %d, %.64q", seal.UID, seal.Hotkey)
	case seal.Version != version || seal.Window != w:
		return seal, fmt.Errorf("sealed for window %d of version %.40q", seal.Window, seal.Version)
	case seal.GlobalStep < 0 || seal.Count < 0 || len(seal.Digest) > 64:
		return seal, errors.New("sealed with numbers that cannot be")
	case !verify(who.Hotkey, append([]byte(sealDomain), s.Text...), s.Sig):
		return seal, errors.New("the signature is wrong")
	}
	return seal, nil
}

// root returns the root of the message's tree.
func (s Seal) root() (h compress.Hash, err error) {
	b, err := hex.DecodeString(s.Root)
	if err != nil || len(b) != len(h) {
		return h, errors.New("sealed without a root")
	}
	return compress.Hash(b), nil
}

// writeSealed writes what follows a message: the text, the signature, the length
// of the text and the magic.
func writeSealed(w io.Writer, s Signed, magic string) error {
	tail := append(bytes.Clone(s.Text), s.Sig...)
	tail = binary.LittleEndian.AppendUint32(tail, uint32(len(s.Text)))
	_, err := w.Write(append(tail, magic...))
	return err
}

// readSealed returns what is signed at the end of a file, of at most so many bytes,
// and how long the message before it is.
func readSealed(r io.ReaderAt, size int64, magic string, most int64) (Signed, int64, error) {
	var s Signed
	tail := make([]byte, sealTail)
	if size < int64(len(tail)) {
		return s, 0, fmt.Errorf("a gradient of %d bytes", size)
	}
	if n, err := r.ReadAt(tail, size-int64(len(tail))); n < len(tail) {
		return s, 0, err
	}
	if string(tail[signatures+4:]) != magic {
		return s, 0, errors.New("it does not end as our messages do")
	}
	length := int64(binary.LittleEndian.Uint32(tail[signatures:]))
	if length > most || length > size-int64(len(tail)) {
		return s, 0, fmt.Errorf("a seal of %d bytes", length)
	}
	s = Signed{make([]byte, length), tail[:signatures:signatures]}
	at := size - int64(len(tail)) - length
	if n, err := r.ReadAt(s.Text, at); n < len(s.Text) {
		return s, 0, err
	}
	return s, at, nil
}
