package connito

import (
	"encoding/hex"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"adit/internal/keys"
	"adit/internal/subnet"
)

var (
	validatorKey = [32]byte{1, 2, 3, 31: 9}
	minerKey     = [32]byte{4, 5, 6, 31: 8}
	validatorHot = subnet.Hotkey(keys.Address(validatorKey))
	minerHot     = subnet.Hotkey(keys.Address(minerKey))
)

func TestMessages(t *testing.T) {
	block, err := blockMessage(validatorHot, 8081340)
	if err != nil || hex.EncodeToString(block) != hex.EncodeToString(validatorKey[:])+"00000000007b4fbc" {
		t.Fatalf("block message %x, %v", block, err)
	}
	hash := strings.Repeat("ab", 24)
	msg, err := submitMessage(hash, block)
	if err != nil || hex.EncodeToString(msg) != hash+hex.EncodeToString(block) || len(msg) != 64 {
		t.Errorf("submit message %x, %v", msg, err)
	}
	for _, bad := range []string{"", "zz", hash[2:], hash + "ab"} {
		if _, err := submitMessage(bad, block); err == nil {
			t.Errorf("hash %q was taken", bad)
		}
	}
	if _, err := submitMessage(hash, block[:39]); err == nil {
		t.Error("a block message of 39 bytes was taken")
	}
	if _, err := blockMessage("5nobody", 1); err == nil {
		t.Error("a target that is no hotkey was taken")
	}
}

func TestDownloadForm(t *testing.T) {
	d := downloadRequest{Target: validatorHot, Origin: minerHot, OriginBlock: 77, Signature: "s", Shard: "3"}
	for _, r := range []Rules{G0, G2} {
		form := r.form(d)
		for _, how := range []struct {
			body  string
			query url.Values
		}{{form.Encode(), nil}, {"", form}} {
			back, err := parseDownload(how.body, how.query)
			if err != nil || back != d {
				t.Errorf("%s: %+v, %v, want %+v", r.Name, back, err, d)
			}
		}
	}
	if !G0.form(d).Has("block") || !G2.form(d).Has("origin_block") {
		t.Error("the block is not under the generation's name")
	}
	for shard, want := range map[string]string{"": "model.pt", "shared": "model_shared.pt", "3": "model_expgroup_3.pt", "03": "model_expgroup_3.pt"} {
		d.Shard = shard
		back, err := parseDownload(G2.form(d).Encode(), nil)
		if err != nil || back.file(subnet.Torch) != want {
			t.Errorf("shard %q: %s, %v, want %s", shard, back.file(subnet.Torch), err, want)
		}
	}
	for _, bad := range []string{"", "%zz", "origin_block=1", "origin_block=-1&" + G2.form(d).Encode(), strings.Repeat("x", maxForm+1), G2.form(downloadRequest{Target: "a", Origin: "b", Signature: "s", Shard: "../x"}).Encode()} {
		if _, err := parseDownload(bad, nil); err == nil {
			t.Errorf("form %.50q was taken", bad)
		}
	}
}

func FuzzParseDownload(f *testing.F) {
	f.Add(G2.form(downloadRequest{Target: validatorHot, Origin: minerHot, OriginBlock: 77, Signature: "s", Shard: "3"}).Encode())
	f.Fuzz(func(t *testing.T, body string) {
		if d, err := parseDownload(body, nil); err == nil && (d.Origin == "" || strings.ContainsAny(d.file(subnet.Torch), "/\\")) {
			t.Errorf("%+v", d)
		}
	})
}

func TestSubmitForm(t *testing.T) {
	hash := strings.Repeat("cd", 24)
	for _, r := range []Rules{G0, G2} {
		req, msg, err := r.sealed(validatorHot, minerHot, 99, hash, "model_expgroup_0.pt")
		if err != nil {
			t.Fatal(err)
		}
		req.Signature = "s"
		if want := map[string]int{"g0": 40, "g2": 64}[r.Name]; len(msg) != want {
			t.Errorf("%s: %d bytes to sign, want %d", r.Name, len(msg), want)
		}
		form := make(map[string]string)
		for _, f := range req.form(r) {
			form[f[0]] = f[1]
		}
		back, err := parseSubmit(func(name string) string { return form[name] }, req.File)
		if err != nil || back != req {
			t.Errorf("%s: %+v, %v, want %+v", r.Name, back, err, req)
		}
		if (form["model_hex"] != "") != (r.Name == "g2") {
			t.Errorf("%s: model_hex = %q", r.Name, form["model_hex"])
		}
	}
	if _, _, err := G2.sealed(validatorHot, minerHot, 99, "nohash", "f"); err == nil {
		t.Error("a malformed hash was sealed")
	}
	if _, err := parseSubmit(func(string) string { return "1" }, ""); err == nil {
		t.Error("a submission without a file was taken")
	}
	if _, err := parseSubmit(func(string) string { return "x" }, "f"); err == nil {
		t.Error("a block that is no number was taken")
	}
}

func FuzzParseSubmit(f *testing.F) {
	f.Add(string(validatorHot), string(minerHot), "99", "s", strings.Repeat("cd", 24), "00", "model_expgroup_0.pt")
	f.Fuzz(func(t *testing.T, target, origin, block, sig, model, message, file string) {
		form := map[string]string{"target_hotkey_ss58": target, "origin_hotkey_ss58": origin, "block": block, "signature": sig, "model_hex": model, "block_hex": message}
		req, err := parseSubmit(func(name string) string { return form[name] }, file)
		if err != nil {
			return
		}
		d := open()
		d.Verify = func(_ subnet.Hotkey, msg, sig []byte) bool { return len(msg) == 64 && len(sig) == 64 }
		G2.checkSubmit(req, d)
		G2.checkStored(req, d, nil)
	})
}

func TestDestination(t *testing.T) {
	for addr, want := range map[string]bool{"1.2.3.4:8000": true, "0.0.0.0:8000": false, "1.2.3.4:0": false, "": false, "[::1]:8000": true} {
		var v subnet.Neuron
		if addr != "" {
			v.Axon = netip.MustParseAddrPort(addr)
		}
		got, err := destination(v)
		if (err == nil) != want || want && got != v.Axon {
			t.Errorf("destination of %q = %v, %v", addr, got, err)
		}
	}
}
