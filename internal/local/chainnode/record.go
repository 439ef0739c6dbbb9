package chainnode

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"adit/internal/scale"
)

// A record is a head and SCALE bytes. The head is their length, the checksum of
// that length, and theirs: so a record that a kill cut short, which is the last
// and was never told to anybody, differs from one that has rotted.
const recordHead = 12

// maxRecord bounds the bytes of a record: a snapshot holds the whole storage.
const maxRecord = 1 << 30

// errTorn means that the last record of a file was not written to its end.
var errTorn = errors.New("cut short")

func appendRecord(b []byte, v any) ([]byte, error) {
	record, err := scale.Marshal(v)
	if err != nil {
		return nil, err
	}
	if len(record) > maxRecord {
		return nil, fmt.Errorf("record of %d bytes, at most %d can be read back", len(record), maxRecord)
	}
	at := len(b)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(record)))
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b[at:at+4]))
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(record))
	return append(b, record...), nil
}

// readRecord returns the bytes of the next record, of left bytes that the file
// has. It ends with io.EOF, or errTorn.
func readRecord(r io.Reader, left int64) ([]byte, error) {
	if left == 0 {
		return nil, io.EOF
	}
	if left < recordHead {
		return nil, errTorn
	}
	var head [recordHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	left -= recordHead
	if crc32.ChecksumIEEE(head[:4]) != binary.LittleEndian.Uint32(head[4:]) {
		// A power cut can leave a file longer than what was written.
		if head == [recordHead]byte{} && onlyZeros(r) {
			return nil, errTorn
		}
		return nil, errors.New("its head is damaged")
	}
	n := int64(binary.LittleEndian.Uint32(head[:]))
	if n > maxRecord {
		return nil, fmt.Errorf("length %d is absurd", n)
	}
	if n > left {
		return nil, errTorn
	}
	record := make([]byte, n)
	if _, err := io.ReadFull(r, record); err != nil {
		return nil, err
	}
	if crc32.ChecksumIEEE(record) != binary.LittleEndian.Uint32(head[8:]) {
		if n == left {
			return nil, errTorn
		}
		return nil, errors.New("its bytes are damaged")
	}
	return record, nil
}

func onlyZeros(r io.Reader) bool {
	b := make([]byte, 1<<16)
	for {
		n, err := r.Read(b)
		for _, c := range b[:n] {
			if c != 0 {
				return false
			}
		}
		if err != nil {
			return err == io.EOF
		}
	}
}
