package config

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"adit/internal/subnet"
)

// settings stands for a protocol's: one field of each kind.
type settings struct {
	Name    string             `help:"what the run is called"`
	Verbose bool               `yaml:"verbose"`
	Token   Secret             `help:"a token of the Hub"`
	Chain   chain              `help:"where the chain is"`
	Train   *train             `yaml:"train"`
	Peers   []peer             `yaml:"peers"`
	Limits  map[string]float64 `yaml:"limits"`
	Derived int                `yaml:"-"`
}

type chain struct {
	Endpoint string
	NetUID   uint16        `help:"the subnet's number"`
	Timeout  time.Duration `yaml:"timeout"`
}

type train struct {
	LR     float64 `help:"the learning rate\nat its highest"`
	Batch  int
	Groups []int
}

type peer struct {
	Host string
	Port int
}

func (s *settings) Validate() error {
	var errs []error
	if s.Name == "" {
		errs = append(errs, errors.New("name: must not be empty"))
	}
	if s.Train.Batch <= 0 {
		errs = append(errs, fmt.Errorf("train.batch: must be positive, is %d", s.Train.Batch))
	}
	return errors.Join(errs...)
}

func defaults() *settings {
	return &settings{
		Name: "default", Chain: chain{Endpoint: "ws://127.0.0.1:9944", NetUID: 1, Timeout: time.Minute},
		Train: &train{LR: 0.1, Batch: 2, Groups: []int{7}}, Peers: []peer{{"nobody", 1}},
	}
}

func TestGood(t *testing.T) {
	t.Parallel()
	full := &settings{
		Name: "run-1", Verbose: true, Token: "hf_secret",
		Chain: chain{"wss://example.org:443", 102, 90 * time.Second},
		Train: &train{LR: 1e-3, Batch: 4, Groups: []int{0, 2}},
		Peers: []peer{{"one", 80}}, Limits: map[string]float64{"up": 1.5},
	}
	commented := defaults()
	commented.Train.LR = 0.5
	over := defaults()
	over.Name, over.Token, over.Chain.Endpoint, over.Chain.Timeout = "a: b #c", "{x", "ws://x?a=b", 5*time.Second
	over.Train = &train{LR: 1e-3, Batch: 3, Groups: []int{1, 2}}
	over.Verbose = true
	for _, tt := range []struct {
		file      string
		overrides []string
		want      *settings
	}{
		{"good_full.yaml", nil, full},
		{"good_empty.yaml", nil, defaults()},
		{"good_commented.yaml", nil, commented},
		{"", nil, defaults()},
		{"good_empty.yaml", []string{
			"name=a: b #c", "token={x", "chain.endpoint=ws://x?a=b", "chain.timeout=5s", "train.lr=1e-3",
			"train.batch=9", "train.batch=3", "train.groups=[1, 2]", "verbose=true",
		}, over},
	} {
		got := defaults()
		path := tt.file
		if path != "" {
			path = filepath.Join("testdata", tt.file)
		}
		if err := Load(path, got, tt.overrides); err != nil {
			t.Errorf("%s %v: %v", tt.file, tt.overrides, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s %v (-want +got):\n%s", tt.file, tt.overrides, diff)
		}
	}
}

func TestBad(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/bad_*.yaml")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		got := Load(file, defaults(), nil)
		if got == nil {
			t.Errorf("%s was loaded", file)
			continue
		}
		// The place a message names is the path it was loaded from.
		text := strings.ReplaceAll(filepath.ToSlash(got.Error()), "testdata/", "") + "\n"
		golden := strings.TrimSuffix(file, ".yaml") + ".error"
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(golden, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), text); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}

func TestBadOverrides(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, want string }{
		{"train.lrr=1", `train.lrr: unknown setting: did you mean "lr"?`},
		{"nmae=1", `nmae: unknown setting: did you mean "name"?`},
		{"zzz=1", `zzz: unknown setting`},
		{"train.lr.x=1", `train.lr.x: unknown setting`},
		{"train.lr", `"train.lr": must be setting=value`},
		{"train.lr=fast", `train.lr: must be a number`},
		{"train.lr=", `train.lr: must be a number`},
		{"train.batch=1.5", `train.batch: must be a whole number`},
		{"chain.timeout=90", `chain.timeout: must be a duration such as 90s or 1h30m`},
		{"train.batch=x", `train.batch: must be a whole number`},
		{"chain.netuid=65536", `chain.netuid: must be a whole number from 0 to 65535`},
		{"chain.timeout=soon", `chain.timeout: must be a duration such as 90s or 1h30m`},
		{"verbose=maybe", `verbose: must be true or false`},
		{"train.groups=!x 0", `train.groups: must be a list`},
		{"train.groups=x", `train.groups: must be a list`},
		{"token=•••", `token: ` + errMask.Error()},
		{"derived=1", `derived: unknown setting`},
		{"=1", `: unknown setting`},
	} {
		err := Load("", defaults(), []string{tt.in})
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s: error = %v, want %s", tt.in, err, tt.want)
		}
	}
	err := Load("", defaults(), []string{"a=1", "b=2"})
	if err == nil || strings.Count(err.Error(), "unknown") != 2 {
		t.Errorf("two unknown settings: error = %v", err)
	}
}

func TestMissingFile(t *testing.T) {
	t.Parallel()
	err := Load(filepath.Join(t.TempDir(), "x.yaml"), defaults(), nil)
	if !errors.Is(err, subnet.ErrNotFound) || subnet.Hint(err) == "" {
		t.Errorf("error = %v (hint %q)", err, subnet.Hint(err))
	}
}

func TestSecret(t *testing.T) {
	t.Parallel()
	s := defaults()
	s.Token = "hf_secret"
	shown, err := yaml.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "token", s.Token, "all", s)
	for what, text := range map[string]string{
		"yaml": string(shown), "log": log.String(), "%v": fmt.Sprint(s.Token), "%+v": fmt.Sprintf("%+v", *s),
		"%#v": fmt.Sprintf("%#v", *s), "%q": fmt.Sprintf("%q", s.Token),
	} {
		if strings.Contains(text, "hf_secret") || !strings.Contains(text, mask) {
			t.Errorf("%s shows %s", what, text)
		}
	}
	if s.Token.Reveal() != "hf_secret" || Secret("").String() != "" {
		t.Error("a secret is not what it was, or none is shown as one")
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config.yaml")
	s := defaults()
	s.Token = "hf: #secret"
	if err := Write(path, s, "Settings of a run.\n\nRead by adit."); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
		t.Errorf("the file is %v, %v", info.Mode(), err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := `# Settings of a run.
#
# Read by adit.

# what the run is called
name: default
verbose: false
# a token of the Hub
token: "hf: #secret"
# where the chain is
chain:
  endpoint: ws://127.0.0.1:9944
  # the subnet's number
  netuid: 1
  timeout: 1m0s
train:
  # the learning rate
  # at its highest
  lr: 0.1
  batch: 2
  groups:
  - 7
peers:
- host: nobody
  port: 1
limits: {}
`
	if diff := cmp.Diff(want, string(data)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	back := &settings{Train: &train{}}
	if err := Load(path, back, nil); err != nil {
		t.Fatal(err)
	}
	back.Limits = nil // none and empty are the same
	if diff := cmp.Diff(s, back); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}

	if err := Write(path, defaults(), ""); err == nil || subnet.Hint(err) == "" {
		t.Errorf("a file was replaced without force: %v", err)
	}
	if err := Replace(path, defaults(), ""); err != nil {
		t.Error(err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("beside the file there is %v", entries)
	}
}

func TestResolvePath(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	run := filepath.Join(root, "run.yaml") // a directory, for all its name
	for _, dir := range []string{run, filepath.Join(root, "empty")} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{filepath.Join(run, "config.yaml"), filepath.Join(run, "other.yml"), filepath.Join(root, "x.txt")} {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ in, dir, file string }{
		{run, run, filepath.Join(run, "config.yaml")},
		{filepath.Join(run, "other.yml"), run, filepath.Join(run, "other.yml")},
		{filepath.Join(root, "empty"), "", ""},
		{filepath.Join(root, "nowhere"), "", ""},
		{filepath.Join(root, "no.yaml"), "", ""},
		{filepath.Join(root, "x.txt"), "", ""},
		{"", "", ""},
	} {
		dir, file, err := ResolvePath(tt.in)
		if dir != tt.dir || file != tt.file || (err == nil) != (tt.dir != "") {
			t.Errorf("ResolvePath(%s) = %s, %s, %v, want %s, %s", tt.in, dir, file, err, tt.dir, tt.file)
		}
		if err != nil && subnet.Hint(err) == "" {
			t.Errorf("ResolvePath(%s): no hint with %v", tt.in, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.yaml")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4000 {
			return
		}
		s := defaults()
		if err := decode("x.yaml", data, s); err == nil && s.Train != nil {
			_ = s.Validate()
		}
		_ = override(defaults(), []string{"train.groups=" + string(data), "limits=" + string(data), "chain=" + string(data)})
	})
}
