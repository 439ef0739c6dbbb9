package hub

import (
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"
)

const onWindows = runtime.GOOS == "windows"

// blob is where the content of that SHA-256 is kept.
func (h *Hub) blob(oid string) string { return filepath.Join(h.dir, "blobs", oid[:2], oid) }

func validOID(oid string) bool {
	raw, err := hex.DecodeString(oid)
	return err == nil && len(raw) == sha256.Size && hex.EncodeToString(raw) == oid
}

// has reports whether the content is there, whole. Asking keeps it for another
// grace period: the caller is about to refer to it.
func (h *Hub) has(oid string, size int64) bool {
	info, err := os.Stat(h.blob(oid))
	if err != nil || info.Size() != size {
		return false
	}
	now := time.Now()
	return os.Chtimes(h.blob(oid), now, now) == nil
}

// A temp is a file that is being written.
type temp struct {
	*os.File
	h *Hub
}

func (h *Hub) temp() (*temp, error) {
	f, err := os.OpenFile(filepath.Join(h.dir, "tmp", rand.Text()), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	return &temp{f, h}, nil
}

func (t *temp) Write(p []byte) (int, error) {
	if t.h.testOnlyWrite != nil {
		return t.h.testOnlyWrite(t.File, p)
	}
	return t.File.Write(p)
}

// discard removes the file, unless place has moved it.
func (t *temp) discard() {
	t.Close()
	os.Remove(t.Name())
}

// place syncs the file and moves it to name.
func (t *temp) place(name string) error {
	if err := errors.Join(t.Sync(), t.Close()); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	if err := os.Rename(t.Name(), name); err != nil {
		return err
	}
	return syncDir(filepath.Dir(name))
}

// placeBlob moves the file among the contents. If another upload of the same
// was faster, all is well too.
func (t *temp) placeBlob(oid string, size int64) error {
	err := t.place(t.h.blob(oid))
	if err != nil && t.h.has(oid, size) {
		return nil
	}
	return err
}

// syncDir makes the names in a directory outlive a power cut, and those above
// it. Windows has no such call.
func syncDir(dir string) error {
	if onWindows {
		return nil
	}
	for range 2 { // dir may be new itself
		f, err := os.Open(dir)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
		dir = filepath.Dir(dir)
	}
	return nil
}

// writeFile writes a small file, whole or not at all.
func (h *Hub) writeFile(name string, data []byte) error {
	t, err := h.temp()
	if err != nil {
		return err
	}
	defer t.discard()
	if _, err := t.Write(data); err != nil {
		return err
	}
	return t.place(name)
}

// putContent keeps a regular file's content and returns its entry.
func (h *Hub) putContent(path string, data []byte) (file, error) {
	sum := sha256.Sum256(data)
	f := file{Path: path, Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:]), Git: gitBlob(data)}
	if h.has(f.SHA256, f.Size) {
		return f, nil
	}
	t, err := h.temp()
	if err != nil {
		return file{}, err
	}
	defer t.discard()
	if _, err := t.Write(data); err != nil {
		return file{}, err
	}
	return f, t.placeBlob(f.SHA256, f.Size)
}

// lfsFile returns the entry of an LFS file.
func lfsFile(path, oid string, size int64) file {
	return file{Path: path, Size: size, SHA256: oid, Git: gitBlob(pointer(oid, size)), LFS: true}
}

// pointer is what git itself keeps of an LFS file.
func pointer(oid string, size int64) []byte {
	return fmt.Appendf(nil, "version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n", oid, size)
}

// gitBlob returns the id that git gives to content.
func gitBlob(content []byte) string {
	h := sha1.New()
	io.WriteString(h, "blob "+strconv.Itoa(len(content))+"\x00")
	h.Write(content)
	return hex.EncodeToString(h.Sum(nil))
}
