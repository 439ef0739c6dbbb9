package connito

import (
	"os"
	"testing"
)

// diskFile is a subnet.File on disk.
type diskFile struct {
	*os.File
	size int64
}

func (f diskFile) Size() int64 { return f.size }

func tempFile(t testing.TB, data []byte) diskFile {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err == nil {
		_, err = f.Write(data)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return diskFile{f, int64(len(data))}
}
