package node

import (
	"os"
	"testing"
)

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, os.ErrInvalid }

func TestLastWordsTakeEverything(t *testing.T) {
	t.Parallel()
	w := &LastWords{To: full{}}
	for range 3 {
		if n, err := w.Write(make([]byte, wordsSize)); n != wordsSize || err != nil {
			t.Errorf("Write = %d, %v", n, err)
		}
	}
	if len(w.end) != wordsSize {
		t.Errorf("it keeps %d bytes, want %d", len(w.end), wordsSize)
	}
}
