package wallet

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"adit/internal/keys"
	"adit/internal/subnet"
)

// dialects were recorded from each generation of wallet library.
func dialects(t testing.TB) map[string]string {
	t.Helper()
	b, err := os.ReadFile("testdata/keyfiles_plain.json")
	if err != nil {
		t.Fatal(err)
	}
	var raw map[string]any
	if err := json.Unmarshal(b, &raw); err != nil {
		t.Fatal(err)
	}
	out := make(map[string]string)
	for name, v := range raw {
		if s, ok := v.(string); ok && !strings.HasPrefix(name, "_") {
			out[name] = s
		}
	}
	return out
}

const (
	phrase  = "old leopard transfer rib spatial phone calm indicate online fire caution review"
	seed    = "0xda3cf5b1e9144931a0f0db65664aab662673b099415a7f8121b7245fb0be4143"
	private = "0x1f1995bdf3a17b60626a26cfe6f564b337d46056b7a1281b64c649d592ccda0a9cffd34d9fb01cae1fba61aeed184c817442a2186d5172416729a4b54dd4b84e"
	pub     = "0xe4359ad3e2716c539a1d663ebd0a51bdc5c98a12e663bb4c4402db47828c9446"
	address = "5HDvhV6WDCjCKyrXqGQSDYqQAzkzabNhctmiDYEqgBC66BsX"
	alice   = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"

	aliceEd25519     = "5FA9nQDVg267DEd8m1ZypXLBnvN7SFxYwV7ndqSYGiN9TTpu"
	aliceEd25519Seed = "0xabf8e5bdbe30c65656c0a3cbd181ff8a56294a69dfedd27982aace4a76909115"
)

func TestDialects(t *testing.T) {
	all := dialects(t)
	if len(all) < 10 {
		t.Fatalf("%d dialects", len(all))
	}
	for name, text := range all {
		k, err := parse([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want, scheme := address, keys.Sr25519
		if strings.Contains(name, "ed25519") {
			want, scheme = aliceEd25519, keys.Ed25519
		}
		if k.Address() != want || k.Scheme() != scheme {
			t.Errorf("%s: %v key %s, want %s", name, k.Scheme(), k, want)
		}
		if secret := strings.Contains(text, "leopard") || strings.Contains(text, "secretSeed\":\"0xabf8"); secret != (k.pair != nil) {
			t.Errorf("%s: secret %v", name, k.pair != nil)
		}
	}
}

func TestOtherBodies(t *testing.T) {
	for name, text := range map[string]string{
		"mnemonic":          phrase + "\n",
		"seed":              seed[2:],
		"private key":       private,
		"private, bare":     private[2:],
		"byte order mark":   "\ufeff{\"secretSeed\":\"" + seed + "\"}",
		"only seed":         `{"secretSeed":"` + seed + `"}`,
		"seed without 0x":   `{"secretSeed":"` + seed[2:] + `"}`,
		"only private":      `{"privateKey":"` + private + `"}`,
		"type as text":      `{"cryptoType":"1","secretPhrase":"` + phrase + `"}`,
		"seed as letters":   `{"secretPhrase":"` + phrase + `","secretSeed":"0x<<letters>>"}`,
		"letters and key":   `{"secretSeed":"0x<<letters>>","privateKey":"` + private + `"}`,
		"unknown fields":    `{"accountType":1,"x":{"y":[]},"secretSeed":"` + seed + `"}`,
		"empty for absent":  `{"secretPhrase":"","secretSeed":"` + seed + `"}`,
		"null descriptor":   `{"hashedDescriptor":null,"secretSeed":"` + seed + `"}`,
		"spaces everywhere": " \n{ \"secretSeed\" : \"" + seed + "\" } \n",
	} {
		k, err := parse([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if k.pair == nil || k.pair.Address() != address {
			t.Errorf("%s: key %v", name, k)
		}
	}
}

// TestSeedThatIsText reads a seed that was written as the letters that its bytes
// happen to be, which only the rest of the file can tell.
func TestSeedThatIsText(t *testing.T) {
	const letters = "0xsixteen letters, and sixteen mor"
	const want = "5FgXD8dULRGtuF4atuFYQaoKn8N2nj7cEdbu6bihha4J4Unf"
	k, err := parse([]byte(`{"secretSeed":"` + letters + `","ss58Address":"` + want + `"}`))
	if err != nil || k.WatchOnly() || k.Address() != want {
		t.Errorf("%v, %v", k, err)
	}
	for _, text := range []string{
		`{"secretSeed":"` + letters + `"}`,
		`{"secretSeed":"` + letters + `","ss58Address":"` + alice + `"}`,
		`{"secretSeed":"` + letters + `e","ss58Address":"` + want + `"}`,
	} {
		if k, err := parse([]byte(text)); err == nil || strings.Contains(err.Error(), "sixteen") {
			t.Errorf("%s: %v, %v", text, k, err)
		}
	}
}

func TestBadBodies(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"nothing":          {"", "no key file"},
		"text":             {"hello", "no key file"},
		"words":            {"hello my dear", "words"},
		"checksum":         {strings.Replace(phrase, "old leopard", "leopard old", 1), "mnemonic"},
		"short hex":        {"0x1234", "no key file"},
		"cut JSON":         {`{"secretSeed":"` + seed, "no JSON"},
		"two objects":      {`{} {}`, "follows"},
		"a brace too many": {`{}}`, "follows"},
		"empty object":     {`{}`, "no key"},
		"nulls":            {`{"secretSeed":null}`, "no key"},
		"number":           {`{"secretSeed":5}`, "not a string"},
		"short seed":       {`{"secretSeed":"0x12"}`, "not 64 hexadecimal digits"},
		"long private":     {`{"privateKey":"` + private + `00"}`, "not 128 hexadecimal digits"},
		"bad phrase":       {`{"secretPhrase":"` + phrase + ` old","secretSeed":"` + seed + `"}`, "secretPhrase"},
		"other seed":       {`{"secretPhrase":"` + phrase + `","secretSeed":"0x` + strings.Repeat("11", 32) + `"}`, "another key"},
		"other private":    {`{"secretSeed":"0x` + strings.Repeat("11", 32) + `","privateKey":"` + private + `"}`, "another key"},
		"other address":    {`{"secretSeed":"` + seed + `","ss58Address":"` + alice + `"}`, "another key"},
		"other public":     {`{"publicKey":"0x` + strings.Repeat("00", 32) + `","ss58Address":"` + address + `"}`, "another key"},
		"bad address":      {`{"ss58Address":"` + address[:47] + `Y"}`, "ss58Address"},
		"ed25519 address":  {`{"cryptoType":0,"secretSeed":"` + seed + `","ss58Address":"` + address + `"}`, "another key"},
		"ed25519 halves":   {`{"cryptoType":0,"privateKey":"` + private + `"}`, "two keys"},
		"ed25519 private":  {`{"cryptoType":0,"privateKey":"0x12"}`, "64 nor 128"},
		"future type":      {`{"cryptoType":7,"secretSeed":"` + seed + `"}`, `type "7"`},
		"type of 1.0":      {`{"cryptoType":1.0,"secretSeed":"` + seed + `"}`, `type "1.0"`},
		"hashed":           {`{"hashedDescriptor":"x","secretSeed":"` + seed + `"}`, "hashed"},
		"two names":        {`{"ss58Address":"` + address + `"," ss58Address":"` + address + `"}`, "twice"},
		"polkadot.js":      {`{"encoded":"MFM","encoding":{"version":"3"},"address":"` + address + `"}`, "polkadot.js"},
		"NaCl":             {"$NACL\x00\x01\x02", "encrypted (NaCl)"},
		"vault":            {"$ANSIBLE_VAULT;1.1;AES256\n3435", "encrypted (Ansible Vault)"},
		"Fernet":           {"gAAAAABl", "encrypted (Fernet)"},
	} {
		k, err := parse([]byte(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, %v; want … %s …", name, k, err, tt.want)
			continue
		}
		for _, part := range []string{"leopard", seed[10:20], private[10:20], "1111111111"} {
			if strings.Contains(err.Error()+subnet.Hint(err), part) {
				t.Errorf("%s: the error shows a secret: %v", name, err)
			}
		}
	}
	if _, err := parse([]byte(`{"encoded":"MFM"}`)); subnet.Hint(err) == "" {
		t.Error("no hint for an export")
	}
}

// TestWrittenBody fixes the bytes: what other tools read.
func TestWrittenBody(t *testing.T) {
	p, err := keys.FromMnemonic(phrase)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`{"accountId":"%s","publicKey":"%[1]s","privateKey":"%s","secretPhrase":"%s","secretSeed":"%s","ss58Address":"%s"}`,
		pub, private, phrase, seed, address)
	if got := string(secretBody(p)); got != want {
		t.Errorf("wrote %s, want %s", got, want)
	}
	// The same object as the library before 4.1 wrote, field by field.
	var ours, theirs map[string]string
	if err := json.Unmarshal(secretBody(p), &ours); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(dialects(t)["btwallet2_4_hotkey"]), &theirs); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(ours) != fmt.Sprint(theirs) {
		t.Errorf("wrote %v, want %v", ours, theirs)
	}
	if got := string(publicBody(keyOf(p))); got != dialects(t)["btwallet2_4_pub"] {
		t.Errorf("wrote %s", got)
	}
	ed, err := keys.Ed25519.FromURI("//Alice")
	if err != nil {
		t.Fatal(err)
	}
	want = fmt.Sprintf(`{"accountId":"0x%x","publicKey":"0x%[1]x","privateKey":"%s","secretSeed":"%[2]s","ss58Address":"%s","cryptoType":0}`,
		ed.Public(), aliceEd25519Seed, aliceEd25519)
	if got := string(secretBody(ed)); got != want {
		t.Errorf("wrote %s, want %s", got, want)
	}
	soft, err := keys.FromURI(phrase + "/soft")
	if err != nil {
		t.Fatal(err)
	}
	if b := string(secretBody(soft)); strings.Contains(b, "secretSeed") || strings.Contains(b, "secretPhrase") {
		t.Errorf("a derived key has %s", b)
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range dialects(f) {
		f.Add([]byte(text))
	}
	f.Add([]byte(phrase))
	f.Add([]byte(seed[2:]))
	f.Add([]byte("$NACL"))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := parse(b)
		if err != nil || k.pair == nil {
			return
		}
		if k.pair.Public() != k.public {
			t.Error("the secret is not the public key's")
		}
		again, err := parse(secretBody(k.pair))
		if err != nil || again.public != k.public || again.scheme != k.scheme {
			t.Errorf("written again it is %v, %v", again, err)
		}
	})
}
