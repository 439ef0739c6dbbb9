package torchfile

import (
	"archive/zip"
	"bytes"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"io"
	"strconv"
)

// alignment is that of every entry's bytes in the file, so that torch can map
// them into memory.
const alignment = 64

// folder is the one folder of the archives written here, torch's own choice
// when it does not know the file's name.
const folder = "archive"

// writeArchive writes the entries in torch's order.
func writeArchive(w io.Writer, pickle []byte, storages []storage) error {
	z := &zipWriter{count: counter{w: w}, id: fnv.New64a()}
	z.zip = zip.NewWriter(&z.count)
	z.entry("data.pkl", pickle)
	z.entry(".format_version", []byte("1"))
	z.entry(".storage_alignment", []byte(strconv.Itoa(alignment)))
	z.entry("byteorder", []byte("little"))
	for i, read := range storages {
		if z.err != nil {
			break
		}
		var data []byte
		if data, z.err = read(); z.err == nil {
			z.entry("data/"+strconv.Itoa(i), data)
		}
	}
	z.entry("version", []byte("3\n"))
	// Forty digits that tell files of different contents apart.
	names := fnv.New64a()
	for i := range storages {
		fmt.Fprintf(names, "data/%d", i)
	}
	z.entry(".data/serialization_id", fmt.Appendf(nil, "%020d%020d", names.Sum64(), z.id.Sum64()))
	if z.err != nil {
		return z.err
	}
	return z.zip.Close()
}

// A zipWriter writes stored entries with their checksums in front, so that the
// file can be written in one go.
type zipWriter struct {
	zip   *zip.Writer
	count counter
	id    interface {
		io.Writer
		Sum64() uint64
	}
	err error // the first
}

func (z *zipWriter) entry(name string, data []byte) {
	if z.err != nil {
		return
	}
	if z.err = z.zip.Flush(); z.err != nil { // so that count knows where we are
		return
	}
	sum := crc32.ChecksumIEEE(data)
	fmt.Fprintf(z.id, "%s %08x\n", name, sum)
	name = folder + "/" + name
	w, err := z.zip.CreateRaw(&zip.FileHeader{
		Name:               name,
		Method:             zip.Store,
		ReaderVersion:      20,
		CRC32:              sum,
		CompressedSize64:   uint64(len(data)),
		UncompressedSize64: uint64(len(data)),
		Extra:              padding(z.count.n + localLen + int64(len(name))),
	})
	if err == nil {
		_, err = w.Write(data)
	}
	if err != nil {
		z.err = fmt.Errorf("write %s: %w", name, err)
	}
}

// padding returns an extra field, as torch writes it, after which the entry's
// bytes are aligned if the field is to begin at that offset.
func padding(at int64) []byte {
	n := int(-(at + 4) & (alignment - 1))
	b := append([]byte("FB"), byte(n), 0)
	return append(b, bytes.Repeat([]byte("Z"), n)...)
}

// A counter counts the bytes that went through.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}
