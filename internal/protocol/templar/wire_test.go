package templar

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/subnet"
)

var (
	account   = strings.Repeat("0123456789abcdef", 2)
	readID    = strings.Repeat("fedcba9876543210", 2)
	secret    = strings.Repeat("00112233445566778899aabbccddeeff", 2)
	committed = account + readID + secret
)

func TestCommitments(t *testing.T) {
	r2, first := r2Rules(), slicesRules()
	got, err := r2.ParseCommitment(committed)
	if err != nil {
		t.Fatal(err)
	}
	want := subnet.BucketAddress{Endpoint: "https://" + account + ".r2.cloudflarestorage.com", Region: "enam", Name: account, AccessKey: readID, SecretKey: secret}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if text, err := r2.CommitmentText(want); err != nil || text != committed || len(text) != 128 {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := r2.CommitmentText(subnet.BucketAddress{Name: account, AccessKey: readID}); subnet.Hint(err) == "" {
		t.Errorf("committed without a key: %v", err)
	}
	for _, bad := range []string{"", committed[1:], committed + "0", "../" + committed[3:], committed[:127] + "\n", strings.ToUpper(committed)} {
		if a, err := r2.ParseCommitment(bad); err == nil {
			t.Errorf("%q leads to %v", bad, a)
		}
	}
	if a, err := first.ParseCommitment("decis"); err != nil || a.Name != "decis" || a.Endpoint != "" || a.Region != "us-east-1" {
		t.Errorf("%+v, %v", a, err)
	}
	for _, bad := range []string{"", "ab", "Decis", "-decis", "a..b", "a/b", "a.-b", strings.Repeat("a", 64)} {
		if a, err := first.ParseCommitment(bad); err == nil {
			t.Errorf("%q leads to %v", bad, a)
		}
	}
}

func FuzzCommitment(f *testing.F) {
	f.Add(committed)
	f.Add("decis")
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range []Rules{r2Rules(), slicesRules()} {
			a, err := r.ParseCommitment(text)
			if err != nil {
				continue
			}
			if again, err := r.CommitmentText(a); err != nil || again != text {
				t.Errorf("%q reads back as %q, %v", text, again, err)
			}
		}
	})
}

func TestPeersFile(t *testing.T) {
	got, err := ParsePeers([]byte(`{"peers":[3,1],"reserve_peers":[7],"initial_selection":true,"sync_window":9,"first_effective_window":10,"more":1}`))
	want := PeerList{Peers: []subnet.UID{3, 1}, Reserve: []subnet.UID{7}, Initial: true, Sync: 9, FirstIn: 10}
	if err != nil || !cmp.Equal(want, got) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{
		``, `{}`, `null`, `{"peers":[1]}`, `{"peers":[1,1],"first_effective_window":1}`, `{"peers":[1],"reserve_peers":[1],"first_effective_window":1}`,
		`{"peers":[65536],"first_effective_window":1}`, `{"peers":[-1],"first_effective_window":1}`, `{"peers":[1],"first_effective_window":-1}`,
		`{"peers":[1],"first_effective_window":1} x`, `{"peers":null,"first_effective_window":1}`,
	} {
		if p, err := ParsePeers([]byte(bad)); err == nil {
			t.Errorf("%s was read as %+v", bad, p)
		}
	}
}

func TestSmallObjects(t *testing.T) {
	if w, err := ParseStartWindow([]byte(`{"start_window": 51800}`)); err != nil || w != 51800 {
		t.Error(w, err)
	}
	if w, err := ParseLatest([]byte(`{"latest_window": 51810}`)); err != nil || w != 51810 {
		t.Error(w, err)
	}
	m, err := ParseExtra([]byte(`{"version":"2.1.3","window":51811,"sync_window":51810,"global_step":10,"world_size_at_save":4,"topology":"FSDP","uid":1}`))
	if want := (ExtraMetadata{"2.1.3", 51811, 51810, 10, 4, "FSDP", 1, ""}); err != nil || m != want {
		t.Errorf("%+v, %v", m, err)
	}
	for _, bad := range []string{`{}`, `{"start_window":null}`, `{"start_window":1.5}`, `{"start_window":-1}`, `[]`, strings.Repeat(" ", MaxJSON+1)} {
		if w, err := ParseStartWindow([]byte(bad)); err == nil {
			t.Errorf("%.40s was read as %d", bad, w)
		}
		if w, err := ParseLatest([]byte(bad)); err == nil {
			t.Errorf("%.40s was read as %d", bad, w)
		}
		if m, err := ParseExtra([]byte(bad)); err == nil {
			t.Errorf("%.40s was read as %v", bad, m)
		}
	}
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"peers":[3,1],"reserve_peers":[7],"first_effective_window":10}`))
	f.Add([]byte(`{"start_window": 51800}`))
	f.Add([]byte(`{"version":"2.1.3","world_size_at_save":4}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, err := ParsePeers(data); err == nil {
			all := append(slices.Clone(p.Peers), p.Reserve...)
			slices.Sort(all)
			if len(slices.Compact(all)) != len(p.Peers)+len(p.Reserve) {
				t.Errorf("%+v has a uid twice", p)
			}
		}
		_, _ = ParseStartWindow(data)
		_, _ = ParseLatest(data)
		if m, err := ParseExtra(data); err == nil {
			m.Whole([]string{CheckpointIndex})
		}
	})
}

func TestEnvironment(t *testing.T) {
	env := map[string]string{
		"R2_GRADIENTS_ACCOUNT_ID": account, "R2_GRADIENTS_BUCKET_NAME": account,
		"R2_GRADIENTS_READ_ACCESS_KEY_ID": "r", "R2_GRADIENTS_READ_SECRET_ACCESS_KEY": "rs",
		"R2_GRADIENTS_WRITE_ACCESS_KEY_ID": "w", "R2_GRADIENTS_WRITE_SECRET_ACCESS_KEY": "ws",
		"R2_AGGREGATOR_ACCOUNT_ID": "x",
	}
	k, err := GradientStore.KeysFrom(env, true)
	if want := (Keys{account, account, KeyPair{"r", "rs"}, KeyPair{"w", "ws"}}); err != nil || k != want {
		t.Errorf("%+v, %v", k, err)
	}
	if a := sparseRules().Address(k, true); a.AccessKey != "w" || a.Endpoint != "https://"+account+".r2.cloudflarestorage.com" || a.Region != "ENAM" {
		t.Errorf("%+v", a)
	}
	if _, err := AggregatorStore.KeysFrom(env, false); err == nil || !strings.Contains(err.Error(), "R2_AGGREGATOR_READ_ACCESS_KEY_ID is not set") || strings.Contains(err.Error(), "WRITE") {
		t.Error(err)
	}
	env["R2_GRADIENTS_BUCKET_NAME"] = "other"
	if _, err := GradientStore.KeysFrom(env, true); subnet.Hint(err) == "" && err == nil {
		t.Error("a bucket of another name was taken")
	}
	list, err := ParseDataSets(`[{"name":"d","account_id":"a","credentials":{"read":{"access_key_id":"k","secret_access_key":"s"}}}]`)
	if err != nil || len(list) != 1 || list[0] != (Keys{Account: "a", Bucket: "d", Read: KeyPair{"k", "s"}}) {
		t.Errorf("%+v, %v", list, err)
	}
	for _, bad := range []string{"", "{}", `[{}]`} {
		if _, err := ParseDataSets(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
	text := "account_id: " + account + "\nread:\n  access_key_id: r\n  secret_access_key: rs\nwrite:\n  access_key_id: w\n  secret_access_key: ws\n"
	if got, err := ParseEnvYAML([]byte(text)); err != nil || got != k {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := ParseEnvYAML([]byte("account_id: x\n")); subnet.Hint(err) == "" {
		t.Error("half an .env.yaml was read")
	}
}
