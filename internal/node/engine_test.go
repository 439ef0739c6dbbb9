package node

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"adit/internal/data"
	"adit/internal/subnet"
)

// TestEncoder makes tokens by the tokenizer of a base model, which is read when it
// is first needed.
func TestEncoder(t *testing.T) {
	path := filepath.Join(t.TempDir(), TokenizerFile)
	if _, err := encoder(path, 300)("a"); !errors.Is(err, fs.ErrNotExist) || subnet.Hint(err) == "" {
		t.Errorf("without a tokenizer: %v, hint %q", err, subnet.Hint(err))
	}
	encode := encoder(path, 300)
	tok, err := data.TrainBPE(t.Context(), []string{"one two one two"}, 260, nil)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(tok.Save(f), f.Close()); err != nil {
		t.Fatal(err)
	}
	ids, err := encode("one two")
	if err != nil || len(ids) == 0 || !slices.Equal(ids, tok.Encode("one two")) {
		t.Errorf("encoded as %v, want %v: %v", ids, tok.Encode("one two"), err)
	}
	if _, err := encoder(path, 200)("a"); err == nil || !strings.Contains(err.Error(), "the model knows 200") {
		t.Errorf("a tokenizer of more tokens than the model's: %v", err)
	}
}
