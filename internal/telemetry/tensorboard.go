package telemetry

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"time"
)

// A TensorBoard is a file of events that TensorBoard shows: scalars, under the
// names of the columns. It is there once there is a row.
//
// The file is a series of TFRecords, each a protobuf message Event
// (tensorflow/core/util/event.proto).
type TensorBoard struct {
	dir  string
	step string // the column that counts steps
	last int64  // its newest value
	file *appendFile
}

// NewTensorBoard returns a writer of a file of its own in dir. The column step
// says where on the horizontal axis a row stands; rows from before it has a value
// stand at 0.
func NewTensorBoard(dir, step string) *TensorBoard { return &TensorBoard{dir: dir, step: step} }

// WriteRow implements [RowWriter].
func (t *TensorBoard) WriteRow(r Row) error {
	if t.file == nil {
		if err := t.open(r.At); err != nil {
			return fmt.Errorf("open TensorBoard's file: %w", err)
		}
	}
	var scalars []byte
	for _, c := range r.Cells {
		x, ok := number(c.Value)
		if c.Name == t.step {
			t.last = int64(x)
		} else if ok && !c.Kept {
			value := protoBytes(nil, 1, []byte(c.Name)) // Summary.Value.tag
			value = protoFloat(value, 2, float32(x))    // .simple_value
			scalars = protoBytes(scalars, 1, value)     // Summary.value
		}
	}
	if len(scalars) == 0 {
		return nil
	}
	event := protoDouble(nil, 1, seconds(r.At)) // Event.wall_time
	if t.last != 0 {
		event = protoVarint(event, 2, uint64(t.last)) // .step
	}
	event = protoBytes(event, 5, scalars) // .summary
	if err := t.file.write(tfRecord(event)); err != nil {
		return fmt.Errorf("write for TensorBoard: %w", err)
	}
	return nil
}

// Close implements [RowWriter].
func (t *TensorBoard) Close() error {
	if t.file == nil {
		return nil
	}
	return t.file.Close()
}

func (t *TensorBoard) open(at time.Time) error {
	if err := os.MkdirAll(t.dir, 0o755); err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	// TensorBoard takes what has "tfevents" in its name, and reads the files of
	// a directory in the order of their names.
	name := fmt.Sprintf("events.out.tfevents.%d.%s.%d", at.Unix(), host, os.Getpid())
	f, err := os.OpenFile(filepath.Join(t.dir, name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	file := &appendFile{f: f}
	event := protoDouble(nil, 1, seconds(at))
	event = protoBytes(event, 3, []byte("brain.Event:2")) // .file_version
	if err := file.write(tfRecord(event)); err != nil {
		_ = f.Close()
		return err
	}
	t.file = file
	return nil
}

// tfRecord frames a message: its length, the length's checksum, the message, its
// checksum.
func tfRecord(message []byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(message)))
	b = binary.LittleEndian.AppendUint32(b, maskedCRC(b))
	b = append(b, message...)
	return binary.LittleEndian.AppendUint32(b, maskedCRC(message))
}

// maskedCRC is the CRC-32C of b, turned and moved so that the checksum of bytes
// that hold checksums is still a good one.
func maskedCRC(b []byte) uint32 {
	crc := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
	return (crc>>15 | crc<<17) + 0xa282ead8
}

func seconds(at time.Time) float64 { return float64(at.UnixMicro()) / 1e6 }

// The four kinds of protobuf fields that are written here; b is what stands
// before.

func protoVarint(b []byte, field int, v uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, uint64(field)<<3), v)
}

func protoDouble(b []byte, field int, v float64) []byte {
	return binary.LittleEndian.AppendUint64(binary.AppendUvarint(b, uint64(field)<<3|1), math.Float64bits(v))
}

func protoBytes(b []byte, field int, v []byte) []byte {
	b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(field)<<3|2), uint64(len(v)))
	return append(b, v...)
}

func protoFloat(b []byte, field int, v float32) []byte {
	return binary.LittleEndian.AppendUint32(binary.AppendUvarint(b, uint64(field)<<3|5), math.Float32bits(v))
}
