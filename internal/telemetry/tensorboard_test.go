package telemetry

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What TensorBoard's own writer made of the same rows (tensorboard 2.21.0,
// EventFileWriter): the file's version at its first row's time, then one event
// for each row with the scalars loss, lr and so on.
const tensorboardGolden = "testdata/tensorboard.hex"

func TestTensorBoard(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "tb")
	writeAll(t, NewTensorBoard(dir, "step"), rowsOf())
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 || !strings.HasPrefix(files[0].Name(), "events.out.tfevents.1795253288.") {
		t.Fatalf("files are %v, %v", files, err)
	}
	got := content(t, filepath.Join(dir, files[0].Name()))
	if diff := cmp.Diff(content(t, tensorboardGolden), hex.Dump([]byte(got))); diff != "" {
		t.Error(diff)
	}
}

func TestMaskedCRC(t *testing.T) {
	t.Parallel()
	// RFC 3720, B.4: the CRC-32C of 32 bytes of zeroes, aa36918a with the low
	// byte first.
	crc := uint32(0x8a9136aa)
	if got, want := maskedCRC(make([]byte, 32)), (crc>>15|crc<<17)+0xa282ead8; got != want {
		t.Errorf("got %08x, want %08x", got, want)
	}
}
