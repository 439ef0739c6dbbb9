package templar

import (
	"strings"
	"testing"

	"adit/internal/subnet"
)

// files are files in memory for [Config.Extend].
type files map[string]string

func (f files) Read(path string) ([]byte, error) {
	text, ok := f[path]
	if !ok {
		return nil, subnet.ErrNotFound
	}
	return []byte(text), nil
}

func (files) List(string) ([]string, error)            { return nil, nil }
func (files) Decode(path, section string, _ any) error { return subnet.ErrNotFound }

func TestConfig(t *testing.T) {
	for _, r := range RulesNames() {
		if err := Defaults(r).Validate(); err != nil {
			t.Errorf("%s: %v", r, err)
		}
	}
	for _, tt := range []struct {
		change func(*Config)
		want   string // "" if it is fine
	}{
		{func(c *Config) { c.Rules = "slice" }, `rules: unknown rules "slice"`},
		{func(c *Config) { c.Bucket = "No" }, "bucket: must be 3 to 63"},
		{func(c *Config) { c.Bucket = "" }, "bucket: needs the name"},
		{func(c *Config) { c.Device = "tpu" }, "device: must be"},
		{func(c *Config) { c.Device = "cuda:3" }, ""},
		{func(c *Config) { c.ActualBatchSize = 0 }, "actual_batch_size: "},
		{func(c *Config) { c.Model = "" }, "model: needs"},
		{func(c *Config) { c.Subtensor.Network = "http://x" }, "subtensor.network: "},
		{func(c *Config) { c.Subtensor.Network = "" }, "subtensor.network: needs"},
		{func(c *Config) { c.DataSet.URL = "ftp://x" }, "dataset.url: "},
		{func(c *Config) { c.S3.Endpoint = "x" }, "s3.endpoint: "},
		{func(c *Config) { c.DataSet.EOS = "" }, "dataset.bos: "},
		{func(c *Config) { c.Fetch.Parallel = 0 }, "fetch.parallel: "},
		{func(c *Config) { c.Fetch.TimeoutSec = 0 }, "fetch.timeout_sec: "},
		{func(c *Config) { c.Save.EverySec = -1 }, "save.every_sec: "},
		{func(c *Config) { c.Cheat = cheatNaN }, "cheat: must not be set on a network"},
		{func(c *Config) { c.Cheat, c.Subtensor.Network = "steal", "local" }, "cheat: must be one of"},
		{func(c *Config) { c.Cheat, c.Subtensor.Network = cheatNaN, "ws://127.0.0.1:9944" }, ""},
		{func(c *Config) { c.Cheat, c.Subtensor.Network = cheatNaN, "ws://10.0.0.1:9944" }, "cheat: must not"},
	} {
		c := Defaults("slices")
		tt.change(c)
		err := c.Validate()
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%v, want %q", err, tt.want)
		}
	}
}

// The guide's flags mean what the guide says, and what means nothing is said to.
func TestConfigExtend(t *testing.T) {
	c := Defaults("slices")
	c.Test, c.AutoUpdate, c.Device = true, true, "cuda:0"
	warnings, err := c.Extend(files{"hparams.json": `{"window_length": 7, "window_lenght": 3}`}, "mine")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(warnings, "\n"); !strings.Contains(got, "autoupdate: ") || !strings.Contains(got, "device: ") || !strings.Contains(got, "window_lenght") {
		t.Errorf("warned %q", got)
	}
	if s := c.Services(); len(s.Endpoints) != 1 || s.Endpoints[0] != "test" || s.NetUID != 3 || s.SeqLen != 2048 {
		t.Errorf("services %+v", s)
	}
	if m := c.Moment(15); m.Round != 2 || m.Start != 14 || m.End != 20 {
		t.Errorf("block 15 is in %+v", m)
	}
	if _, err := Defaults("slices").Extend(files{"hparams.json": `{"compression": 0}`}, ""); err == nil {
		t.Error("took hparams of one value in none")
	}
	c = Defaults("slices")
	c.HParams = "mine.json"
	if _, err := c.Extend(files{}, ""); err == nil {
		t.Error("a file that is named and not there is no error")
	}

	c = Defaults("r2")
	account := strings.Repeat("a", 32)
	if _, err := c.Extend(files{envFile: "account_id: " + account + "\nread: {access_key_id: r, secret_access_key: s}\nwrite: {access_key_id: w, secret_access_key: x}\n"}, ""); err != nil {
		t.Fatal(err)
	}
	r, err := c.ruleset()
	if err != nil {
		t.Fatal(err)
	}
	if k, err := c.keys(r, func(string) string { return "" }); err != nil || k.Account != account || k.Write.ID != "w" {
		t.Errorf("keys %+v, %v", k, err)
	}
	if _, err := Defaults("slices").keys(slicesRules(), func(string) string { return "" }); err == nil || subnet.Hint(err) == "" {
		t.Errorf("without keys: %v", err)
	}
}

func TestChoose(t *testing.T) {
	c := NewConfig().(*Config)
	c.Choose(func(path string) string {
		if path == "rules" {
			return "sparse"
		}
		return ""
	})
	if c.Rules != "sparse" || c.Project != "dough" || !c.Remote {
		t.Errorf("chose %+v", c)
	}
}
