package connito

import (
	"errors"
	"strings"
	"testing"

	"adit/internal/protocol/actor"
	"adit/internal/subnet"
)

func TestBearer(t *testing.T) {
	for _, tt := range []struct {
		token, header string
		want          int
	}{
		{"", "", 0}, {"", "Bearer ", 0}, {"t", "", 401}, {"t", "Basic t", 401}, {"t", "Bearer x", 403}, {"t", "Bearer ", 403}, {"t", "Bearer t", 0},
	} {
		got := 0
		if r := checkBearer(tt.token, tt.header); r != nil {
			got = r.Status
		}
		if got != tt.want {
			t.Errorf("token %q, header %q: %d, want %d", tt.token, tt.header, got, tt.want)
		}
	}
	if got, want := string(checkBearer("t", "").body()), `{"detail":"Missing or invalid Authorization header"}`; got != want {
		t.Errorf("body %s, want %s", got, want)
	}
	if got := checkBearer("t", "").Error(); got != "401 Missing or invalid Authorization header" {
		t.Errorf("error %q", got)
	}
}

// open is a doorway that nothing is wrong with. Signatures are good if they say
// who signed.
func open() doorway {
	info := G2.phaseInfo(480 + 350) // in Submission
	return doorway{
		Me: validatorHot, Head: 830, Phase: &info, Assigned: true, OnChain: &Commit{Hash: strings.Repeat("cd", 24)}, Checkpoint: true,
		Verify:     func(who subnet.Hotkey, msg, sig []byte) bool { return string(sig[:8]) == string(who[:8]) },
		Registered: func(who subnet.Hotkey) bool { return who == minerHot },
		HasFile:    func(name string) bool { return name == "model_expgroup_0.pt" },
	}
}

func signed(r Rules) string {
	return r.Signatures.encode([]byte((string(minerHot) + strings.Repeat(" ", 64))[:64]))
}

func TestCheckDownload(t *testing.T) {
	good := downloadRequest{Target: validatorHot, Origin: minerHot, OriginBlock: 825, Signature: signed(G2), Shard: "0"}
	for _, tt := range []struct {
		name   string
		spoil  func(*downloadRequest, *doorway)
		status int
		text   string
	}{
		{"good", func(*downloadRequest, *doorway) {}, 0, ""},
		{"no signature", func(d *downloadRequest, _ *doorway) { d.Signature = "x" }, 403, "Invalid checkpoint download signature"},
		{"another's", func(d *downloadRequest, _ *doorway) { d.Origin = validatorHot }, 403, "Invalid checkpoint download signature"},
		{"no hotkey", func(d *downloadRequest, _ *doorway) { d.Target = "me" }, 403, "Invalid checkpoint download signature"},
		{"signature before target", func(d *downloadRequest, _ *doorway) { d.Target, d.Signature = minerHot, "x" }, 403, "Invalid checkpoint download signature"},
		{"laxly", func(d *downloadRequest, s *doorway) { d.Signature = "x"; s.Lax = LaxSignature }, 0, ""},
		{"other target", func(d *downloadRequest, _ *doorway) { d.Target = minerHot }, 403, "Submission target hotkey does not match this validator"},
		{"old", func(d *downloadRequest, _ *doorway) { d.OriginBlock = 700 }, 403, textOldRequest},
		{"of the future", func(d *downloadRequest, _ *doorway) { d.OriginBlock = 900 }, 403, textOldRequest},
		{"old, laxly", func(d *downloadRequest, s *doorway) { d.OriginBlock = 1; s.Lax = LaxFresh }, 0, ""},
		{"not registered", func(_ *downloadRequest, s *doorway) { s.Registered = func(subnet.Hotkey) bool { return false } }, 403, textNotRegistered},
		{"not registered, laxly", func(_ *downloadRequest, s *doorway) {
			s.Registered, s.Lax = func(subnet.Hotkey) bool { return false }, LaxMember
		}, 0, ""},
		{"nothing yet", func(_ *downloadRequest, s *doorway) { s.Checkpoint = false }, 503, "No checkpoint available on disk yet"},
		{"no such file", func(d *downloadRequest, _ *doorway) { d.Shard = "shared" }, 404, "Checkpoint not found: model_shared.pt"},
	} {
		d, s := good, open()
		tt.spoil(&d, &s)
		name, r := G2.checkDownload(d, s)
		if answer(r) != tt.status || r != nil && r.Detail != tt.text || r == nil && name != "model_expgroup_0.pt" {
			t.Errorf("%s: %q, %v, want %d %s", tt.name, name, r, tt.status, tt.text)
		}
	}
}

func answer(r *refusal) int {
	if r == nil {
		return 0
	}
	return r.Status
}

// TestCheckSubmit spoils one thing more in each line, from the last check to the
// first, so that the order is seen too.
func TestCheckSubmit(t *testing.T) {
	req, _, err := G2.sealed(validatorHot, minerHot, 825, strings.Repeat("cd", 24), "model_expgroup_0.pt")
	if err != nil {
		t.Fatal(err)
	}
	s := open()
	for _, tt := range []struct {
		name  string
		spoil func()
		want  int
		text  string
	}{
		{"good", func() {}, 0, ""},
		{"ending", func() { req.File = "model.exe" }, 400, "Unsupported file extension: .exe"},
		{"name", func() { req.File = "model expgroup.pt" }, 400, "Unsafe filename"},
		{"chain", func() { s.OnChain = nil }, 400, "No checkpoint found on chain for this miner"},
		{"message", func() { req.BlockHex = "" }, 500, "Internal Server Error"},
		{"twice", func() { s.SubmittedAt = 826 }, 409, "Miner already submitted during this phase (miner=" + string(minerHot) + ", block=826)"},
		{"assigned", func() { s.Assigned = false }, 403, "Miner is not assigned to this validator (miner=" + string(minerHot) + ")"},
		{"block", func() { req.OriginBlock = 819 }, 400, "Origin block is not within the submission phase (origin_block=819, phase_range=820-879)"},
		{"phase", func() { p := G2.phaseInfo(480); s.Phase = &p }, 409, "Submissions are only accepted during submission phase (current_phase=Distribute, block=480, phase_range=480-499)"},
		{"no phase", func() { s.Phase = nil }, 409, "Could not get phase from api."},
		{"target", func() { req.Target = minerHot }, 403, "Submission target hotkey does not match this validator (expected=" + string(validatorHot) + ", received=" + string(minerHot) + ")"},
	} {
		tt.spoil()
		if r := G2.checkSubmit(req, s); answer(r) != tt.want || r != nil && r.Detail != tt.text {
			t.Errorf("%s: %v, want %d %s", tt.name, r, tt.want, tt.text)
		}
	}
	req.Target, req.File = validatorHot, "m.tar"
	s.Lax = LaxPhase | LaxAssigned | LaxTwice | LaxChain
	req.BlockHex = "00"
	if r := G2.checkSubmit(req, s); r != nil {
		t.Errorf("with all laxities: %v", r)
	}
	for _, ext := range submitExtensions {
		req.File = "a" + ext
		if r := G2.checkSubmit(req, s); r != nil {
			t.Errorf("%s: %v", ext, r)
		}
	}
}

func TestCheckStored(t *testing.T) {
	good, _, err := G2.sealed(validatorHot, minerHot, 825, strings.Repeat("cd", 24), "f.pt")
	if err != nil {
		t.Fatal(err)
	}
	good.Signature = signed(G2)
	other, _, err := G2.sealed(minerHot, minerHot, 825, strings.Repeat("cd", 24), "f.pt")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		spoil func(*submitRequest, *doorway, *Why)
		want  bool
	}{
		{"good", func(*submitRequest, *doorway, *Why) {}, true},
		{"content", func(_ *submitRequest, _ *doorway, w *Why) { *w = Why{{Name: gateHash}} }, false},
		{"hash of another model", func(r *submitRequest, _ *doorway, _ *Why) { r.ModelHex = strings.Repeat("ef", 24) }, false},
		{"hash of another model, laxly", func(r *submitRequest, s *doorway, _ *Why) { r.ModelHex, s.Lax = strings.Repeat("ef", 24), LaxModelHex }, true},
		{"hash that is none, laxly", func(r *submitRequest, s *doorway, _ *Why) { r.ModelHex, s.Lax = "ef", LaxModelHex }, false},
		{"message for another", func(r *submitRequest, _ *doorway, _ *Why) { r.BlockHex = other.BlockHex }, false},
		{"message for another, laxly", func(r *submitRequest, s *doorway, _ *Why) { r.BlockHex, s.Lax = other.BlockHex, LaxBlockHex }, true},
		{"message that is none", func(r *submitRequest, s *doorway, _ *Why) { r.BlockHex, s.Lax = "00", LaxBlockHex }, false},
		{"signature", func(r *submitRequest, _ *doorway, _ *Why) { r.Signature = "" }, false},
		{"signature of another", func(r *submitRequest, _ *doorway, _ *Why) { r.Origin = validatorHot }, false},
		{"signature, laxly", func(r *submitRequest, s *doorway, _ *Why) { r.Signature, s.Lax = "", LaxPackage }, true},
	} {
		req, s, w := good, open(), Why{{Name: gateHash, Passed: true}}
		tt.spoil(&req, &s, &w)
		r := G2.checkStored(req, s, w)
		if (r == nil) != tt.want || r != nil && (r.Status != 400 || r.Detail != "Submitted checkpoint failed validation.") {
			t.Errorf("%s: %v, want ok = %v", tt.name, r, tt.want)
		}
	}
	old, _, err := G0.sealed(validatorHot, minerHot, 825, strings.Repeat("cd", 24), "f.pt")
	if err != nil {
		t.Fatal(err)
	}
	old.Signature = signed(G0)
	if r := G0.checkStored(old, open(), nil); r != nil {
		t.Errorf("g0: %v", r)
	}
	if r := G0.checkSubmit(old, doorway{Me: validatorHot, Lax: G0.Lax}); r != nil {
		t.Errorf("g0, as lax as upstream: %v", r)
	}
}

func TestLimits(t *testing.T) {
	if got := submissionLimit(maxSubmission, 0, 8); got != 8<<30 {
		t.Errorf("limit = %d", got)
	}
	if got := submissionLimit(maxSubmission, 1<<20, 208); got != 208<<20 {
		t.Errorf("limit by experts = %d", got)
	}
	if got := submissionLimit(maxSubmission, 1<<62, 208); got != 8<<30 {
		t.Errorf("limit by huge experts = %d", got)
	}
	for _, tt := range []struct {
		r    *refusal
		want string
	}{
		{tooLarge(5), "413 Submission too large: limit 5 bytes"}, {tooSlow(), "408 Upload timed out after 300s"}, {notStored(), "500 Failed to store file"},
	} {
		var err error = tt.r
		if as, ok := errors.AsType[*refusal](err); !ok || as.Error() != tt.want {
			t.Errorf("%v, want %s", err, tt.want)
		}
	}
	const root = `{"name":"5me","service":"Checkpoint Sender","version":"0.0.0","endpoints":{"/get-checkpoint":"GET","/ping":"GET","/status":"GET","/submit-checkpoint":"POST"},"auth":"bearer"}`
	if got := actor.JSON(serverRootOf("5me", "t")); got != root {
		t.Errorf("root = %s", got)
	}
	if got := serverRootOf("5me", ""); got.Auth != "none" {
		t.Errorf("without a token: %+v", got)
	}
	if got := actor.JSON(stored{"ok", "p", 3, "ab"}); got != `{"status":"ok","stored_path":"p","bytes":3,"sha256":"ab"}` {
		t.Errorf("stored = %s", got)
	}
}

func TestLaxities(t *testing.T) {
	lax, err := G2Early.parseLaxity([]string{"upstream", "submission_twice"})
	if err != nil || lax != G2Early.Lax|LaxTwice {
		t.Errorf("laxity %b, %v", lax, err)
	}
	var all Laxity
	for _, l := range laxities {
		one, err := G2.parseLaxity([]string{l.Name})
		if err != nil || one != l.Bit || all&one != 0 {
			t.Errorf("%s: %b, %v", l.Name, one, err)
		}
		all |= one
	}
	if all != G0.Lax {
		t.Errorf("the names make %b, and g0 leaves out %b", all, G0.Lax)
	}
	if _, err := G2.parseLaxity([]string{"everything"}); err == nil {
		t.Error("an unknown laxity was taken")
	}
}

func TestSubmissionNames(t *testing.T) {
	name := submissionName(minerHot, 826, subnet.Torch)
	who, at, ok := parseSubmission(name)
	if who != minerHot || at != 826 || !ok || name != "miner_submission/hotkey_"+string(minerHot)+"_block_826.pt" {
		t.Errorf("%s: %s %d %v", name, who, at, ok)
	}
	for _, bad := range []string{"", "hotkey_5a", "hotkey__block_3.pt", "hotkey_5a_block_x.pt", ".tmp_hotkey_5a_block_3.pt"} {
		if _, _, ok := parseSubmission(bad); ok {
			t.Errorf("%q was taken", bad)
		}
	}
	names := []string{"x", submissionName(validatorHot, 830, subnet.Torch), submissionName(minerHot, 300, subnet.Torch), name}
	if got := submittedIn(names, minerHot, 820, 879); got != 826 {
		t.Errorf("submitted at %d, want 826", got)
	}
	if got := submittedIn(names[:3], minerHot, 820, 879); got != 0 {
		t.Errorf("submitted at %d, want not", got)
	}
	if got := podiumName(7, 1, 42); got != "cycle_7/rank1_uid42.safetensors" {
		t.Errorf("podium %s", got)
	}
}

func FuzzParseSubmission(f *testing.F) {
	f.Add("hotkey_5a_block_3.pt")
	f.Fuzz(func(t *testing.T, name string) {
		if who, _, ok := parseSubmission(name); ok && (who == "" || strings.Contains(string(who), "/")) {
			t.Errorf("%q: %q", name, who)
		}
	})
}
