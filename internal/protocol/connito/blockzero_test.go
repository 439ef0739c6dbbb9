package connito

import (
	"strings"
	"testing"

	"adit/internal/protocol/actor"
	"adit/internal/subnet"
)

func TestDocsTypes(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{actor.JSON(docsHealth{"ok", true, 12345, "Train"}), `{"status":"ok","model_loaded":true,"current_block":12345,"phase":"Train"}`},
		{actor.JSON(docsModel{0, 12340, docsVersion(1000), docsHash("ab")}), `{"expert_group":0,"block_number":12340,"model_version":"step_1000","content_hash":"sha256:ab"}`},
		{actor.JSON(docsAccepted{"accepted", 5}), `{"status":"accepted","evaluation_eta_blocks":5}`},
		{docsShardFile(0, 1000, subnet.Torch), "expert_group_0_step_1000.pt"},
		{docsCheckpointFile(500, 12379, 0, subnet.Torch), "checkpoint_500_12379_group0.pt"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s, want %s", tt.got, tt.want)
		}
	}
	if docsPort != 8080 {
		t.Error("the documents' port is 8080")
	}
}

func TestDocsSubmit(t *testing.T) {
	info := G1.phaseInfo(45 + 42)
	d := open()
	d.Phase, d.Head, d.Me = &info, 87, validatorHot
	body := `{"hotkey":"` + string(minerHot) + `","expert_group":0,"checkpoint_url":"https://x/y/checkpoint_500_87_group0.pt","block_number":87,"signature":"` + signed(G1) + `"}`
	s, err := parseDocsSubmit([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(docsMessage(s)); got != string(minerHot)+"\n0\nhttps://x/y/checkpoint_500_87_group0.pt\n87" {
		t.Errorf("message %q", got)
	}
	for _, tt := range []struct {
		name  string
		spoil func(*docsSubmit, *doorway)
		want  int
	}{
		{"good", func(*docsSubmit, *doorway) {}, 0},
		{"phase", func(_ *docsSubmit, d *doorway) { p := G1.phaseInfo(45); d.Phase = &p }, 409},
		{"block", func(s *docsSubmit, _ *doorway) { s.Block = ptr(uint64(45)) }, 400},
		{"assigned", func(_ *docsSubmit, d *doorway) { d.Assigned = false }, 403},
		{"chain", func(_ *docsSubmit, d *doorway) { d.OnChain = nil }, 400},
		{"file", func(s *docsSubmit, _ *doorway) { s.URL = "https://x/y.exe" }, 400},
		{"signature", func(s *docsSubmit, _ *doorway) { s.Signature = "" }, 403},
		{"another's", func(s *docsSubmit, _ *doorway) { s.Hotkey = validatorHot }, 403},
	} {
		s, d := s, d
		tt.spoil(&s, &d)
		accepted, r := G1.checkDocsSubmit(s, d)
		if answer(r) != tt.want || r == nil && accepted != (docsAccepted{"accepted", 3}) {
			t.Errorf("%s: %v, %v, want %d", tt.name, accepted, r, tt.want)
		}
	}
	for name, bad := range map[string]string{
		"no JSON": "{", "missing": `{"hotkey":"x"}`, "address": strings.Replace(body, "https://x", "file://x", 1), "long": body + strings.Repeat(" ", maxDocsSubmit),
	} {
		if _, err := parseDocsSubmit([]byte(bad)); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestDocsModel(t *testing.T) {
	isValidator := func(who subnet.Hotkey) bool { return who == validatorHot }
	all := func(subnet.Hotkey) bool { return true }
	for _, tt := range []struct {
		name  string
		full  bool
		who   subnet.Hotkey
		spoil func(*doorway)
		want  int
	}{
		{"partial", false, minerHot, func(*doorway) {}, 0},
		{"stranger", false, "x", func(*doorway) {}, 401},
		{"full for a miner", true, minerHot, func(*doorway) {}, 403},
		{"full for a validator, which there is not", true, validatorHot, func(d *doorway) { d.Registered = all }, 404},
		{"nothing yet", false, minerHot, func(d *doorway) { d.Checkpoint = false }, 503},
		{"not this one", false, minerHot, func(d *doorway) { d.HasFile = func(string) bool { return false } }, 404},
	} {
		d := open()
		tt.spoil(&d)
		name, r := G1.checkDocsModel(tt.full, 0, tt.who, isValidator, d)
		if answer(r) != tt.want || r == nil && name != "model_expgroup_0.pt" {
			t.Errorf("%s: %q, %v, want %d", tt.name, name, r, tt.want)
		}
	}
}

func FuzzParseDocsSubmit(f *testing.F) {
	f.Add([]byte(`{"hotkey":"h","expert_group":0,"checkpoint_url":"https://x/y.pt","block_number":1,"signature":"s"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if s, err := parseDocsSubmit(body); err == nil {
			docsMessage(s)
			G1.checkDocsSubmit(s, doorway{Lax: G0.Lax})
		}
	})
}
