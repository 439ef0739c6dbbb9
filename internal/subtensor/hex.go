package subtensor

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// hexBytes are bytes that JSON-RPC writes as "0x" and digits.
type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return []byte("0x" + hex.EncodeToString(h)), nil }

func (h *hexBytes) UnmarshalText(b []byte) error {
	s, ok := strings.CutPrefix(string(b), "0x")
	if !ok {
		return fmt.Errorf("hexadecimal bytes without 0x: %.20q", b)
	}
	v, err := hex.DecodeString(s)
	*h = v
	return err
}

// hash32 is a block hash.
type hash32 [32]byte

func (h hash32) String() string { return "0x" + hex.EncodeToString(h[:]) }

func (h hash32) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

func (h *hash32) UnmarshalText(b []byte) error {
	var v hexBytes
	if err := v.UnmarshalText(b); err != nil {
		return err
	}
	if len(v) != 32 {
		return fmt.Errorf("hash of %d bytes, want 32", len(v))
	}
	copy(h[:], v)
	return nil
}

// hexNumber is a block number, in a header "0x1f", elsewhere 31.
type hexNumber uint64

func (n *hexNumber) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) != nil {
		s = string(b)
	}
	v, err := strconv.ParseUint(s, 0, 64)
	*n = hexNumber(v)
	return err
}
