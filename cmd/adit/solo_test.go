package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"adit/internal/data"
	"adit/internal/solo"
)

// tinyConfig is a model that is trained in no time.
const tinyConfig = `{
  "model_type": "llama",
  "vocab_size": 280,
  "hidden_size": 16,
  "intermediate_size": 32,
  "num_hidden_layers": 1,
  "num_attention_heads": 2,
  "max_position_embeddings": 32,
  "eos_token_id": 0
}
`

// tinyTokenizer is the tokenizer.json of tinyConfig's.
var tinyTokenizer = sync.OnceValues(func() (string, error) {
	tok, err := data.TrainBPE(context.Background(), []string{strings.Repeat("the adit is the level passage into a mine. ", 20)}, 280, nil)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = tok.Save(&b)
	return b.String(), err
})

// cmdModel is 'model DIR': a model's directory without weights.
func cmdModel(ts *testscript.TestScript, _ bool, args []string) {
	tok, err := tinyTokenizer()
	ts.Check(err)
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	ts.Check(os.WriteFile(filepath.Join(dir, "config.json"), []byte(tinyConfig), 0o644))
	ts.Check(os.WriteFile(filepath.Join(dir, "tokenizer.json"), []byte(tok), 0o644))
}

// cmdTruncate is 'truncate FILE BYTES'.
func cmdTruncate(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), n))
}

func TestTrainOptions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		model  string
		resume bool
		want   string
	}{
		{"models/tiny", false, "models/tiny-trained"},
		{"models/tiny/", false, "models/tiny-trained"},
		{"models/tiny/config.json", false, "models/tiny-trained"},
		{"tiny.json", false, "tiny-trained"},
		{"config.json", false, "config-trained"},
		{"models/tiny", true, "models/tiny-trained"},
	} {
		c := TrainCommand{Model: filepath.FromSlash(tt.model), Resume: tt.resume}
		if got := filepath.ToSlash(c.defaultOut()); got != tt.want {
			t.Errorf("%s is trained in %s, want %s", tt.model, got, tt.want)
		}
	}
	for s, want := range map[string]int64{"5GB": 5e9, "1.5 mb": 15e5, "200kB": 2e5, "12": 12, "7B": 7, "": 0, "GB": 0, "-1GB": 0, "NaN": 0, "0": 0, "1e30GB": 0} {
		if got, err := parseSize(s); got != want || (err == nil) != (want > 0) {
			t.Errorf("%q is %d bytes, want %d: %v", s, got, want, err)
		}
	}
	for s, want := range map[string]string{"": "0 of 1", "1/1": "0 of 1", "2/3": "1 of 3", "0/3": "", "4/3": "", "x": "", "1/": "", "1/2/3": ""} {
		i, n, err := parseShard(s)
		if got := fmt.Sprintf("%d of %d", i, n); err == nil && got != want || (err == nil) != (want != "") {
			t.Errorf("%q is %s, want %s: %v", s, got, want, err)
		}
	}
	// Patterns in the order that the trainer reads them.
	c := TrainCommand{Model: "m", Train: []string{"*.mlp.*"}, Freeze: []string{"*.0.*", "*bias"}, Batch: 1, ShardSize: "1GB", DType: "bf16"}
	if o, err := c.options(); err != nil || fmt.Sprint(o.Params) != "[*.mlp.* !*.0.* !*bias]" || o.Warmup != solo.Auto || o.DType.String() != "BF16" {
		t.Errorf("%+v, %v", o, err)
	}
}

// TestInterruptedTraining interrupts a training that would take an hour: within
// five seconds it is saved and has said how to go on.
func TestInterruptedTraining(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("one process cannot press Ctrl-C for another")
	}
	t.Parallel()
	dir := t.TempDir()
	tok, err := tinyTokenizer()
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"m/config.json": tinyConfig, "m/tokenizer.json": tok, "text.txt": strings.Repeat("the adit is the level passage into a mine. ", 20),
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(os.Args[0], "train", "m", "--init", "--data", "text.txt", "--time", "1h", "--seq-len", "16", "--json", "--cache", "tokens", "--threads", "1")
	cmd.Env = append(os.Environ(), runAdit+"=1")
	cmd.Dir = dir
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	var last, interrupted = "", time.Time{}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		last = lines.Text()
		if strings.Contains(last, `"kind":"step","step":3,`) {
			interrupted = time.Now()
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
		}
	}
	err = cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != exitFailed || interrupted.IsZero() {
		t.Errorf("it ended with %v", err)
	}
	if took := time.Since(interrupted); took > 5*time.Second {
		t.Errorf("it took %v to end", took)
	}
	if !strings.Contains(last, `"kind":"summary"`) || !strings.Contains(last, `"interrupted":true`) ||
		!strings.Contains(errs.String(), "which is saved in m-trained\nhint: to go on, give the same command with --resume\n") {
		t.Errorf("it ended with %s and said\n%s", last, errs.String())
	}
	if !solo.IsCheckpoint(filepath.Join(dir, "m-trained")) {
		t.Error("nothing was saved")
	}
}

func TestPrintable(t *testing.T) {
	t.Parallel()
	if got, want := strings.Map(printable, "é\t\x1b[2J\a\u009b\n"), "é\t\uFFFD[2J\uFFFD\uFFFD\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
}
