package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	keyring "github.com/zalando/go-keyring"
)

// vaulted is a key file of an older encryption, which opens at once. Today's takes
// seconds for each password.
const vaulted = `$ANSIBLE_VAULT;1.1;AES256
36376131376361306466613034333134356565626233636465616336343866303565666536393336
3335353235383464326462373538383561363361343538650a313937666135326537613538313664
33656230376231376535613561373234386432666665623764623632313936303932623339346630
3932313764656366380a626439316533353736663832303432356361373334323833383439386538
63306664383166663862336633323732346630663066636537383566616134313661303366666130
39343331633030623430306661653835326537326234386130396164383066636661343234643563
38626462616133356564356432666237306136343331313264656638613136373336663738376132
62363335396563356239633566363466643262316466643865663665303330633235646539356638
64376434376366613533336439373337643438363635633633353132303130663338313334313662
34373864393938336134306566323164633566646466363931353430356533643133633131663864
64343635373664643231636266386638366133623233353766633933386165666162306266396633
30383262363337666134343737633638363836666662353633643464613365643432316434663739
64346330626633326237343834663764666532383335656634383233326432333561663761326637
64623864303266633932633635343339643765646530336436396434653362383238333234613665
35626135646430356130653565383764643366656363373934343564393534343132383737666361
30316534303333633939623034306436386532383261373263613631366533653237373936373364
37663363353238616238383437633932363236633935623238643062633161303731646231646436
31303133333632383166363563633937626163633332336261393332366562623837663239373564
38373532633064316135323234636431353335393436306530633966373361326335353134336666
62613065653832626363346463343661373937653231613366376238303463636663646133333432
36333938343230666431313332306632313933323834373939656137623939396266383638383137
6432393936326165393438663138626163376162323038656637
`

// The password of a coldkey is kept in the keyring and found there, if it is asked
// for; a keyring that is not there is said to be so. These tests share the keyring,
// so they are one.
func TestKeyring(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("BT_WALLET_PATH", filepath.Join(dir, "wallets"))
	t.Setenv("ADIT_KEYRING", "0")
	pw, cold := filepath.Join(dir, "pw"), filepath.Join("wallets", "w", "coldkey")
	if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, cold)), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"pw": "asdfasdf!23@\n", "bad": "another password\n", cold: vaulted} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	runs(t, 0, "wallet", "new-hotkey", "--wallet-name", "w")
	sign := []string{"wallet", "sign", "--wallet-name", "w", "--message", "x"}

	keyring.MockInitWithError(errors.New("no bus"))
	t.Cleanup(keyring.MockInit) // the real one cannot be had back, and no other test has a use for it
	for _, args := range [][]string{
		{"wallet", "keyring", "set", "--wallet-name", "w", "--password-file", pw},
		{"wallet", "keyring", "forget", "--wallet-name", "w"},
		append(sign, "--keyring"),
	} {
		if _, errs := runs(t, 1, args...); !strings.Contains(errs, "no keyring that answers: ") || !strings.Contains(errs, "no bus") || !strings.Contains(errs, "hint: ") {
			t.Errorf("%v: %s", args, errs)
		}
	}
	runs(t, 0, append(sign, "--password-file", pw)...)
	if _, errs := runs(t, 1, sign...); strings.Contains(errs, "keyring") {
		t.Errorf("the keyring is looked for unasked: %s", errs)
	}

	keyring.MockInit()
	if _, errs := runs(t, 1, "wallet", "keyring", "set", "--wallet-name", "w", "--password-file", filepath.Join(dir, "bad")); !strings.Contains(errs, "password is wrong") {
		t.Errorf("wrong password: %s", errs)
	}
	if _, errs := runs(t, 1, append(sign, "--keyring")...); !strings.Contains(errs, "no password was given") {
		t.Errorf("empty keyring: %s", errs)
	}
	if _, errs := runs(t, 1, "wallet", "keyring", "set", "--wallet-name", "w"); !strings.Contains(errs, "nobody can be asked") {
		t.Errorf("nobody to ask: %s", errs)
	}
	if _, errs := runs(t, 1, "wallet", "keyring", "set", "--wallet-name", "w", "--use-hotkey"); !strings.Contains(errs, "is not encrypted") {
		t.Errorf("plain: %s", errs)
	}
	if out, _ := runs(t, 0, "wallet", "keyring", "set", "--wallet-name", "w", "--password-file", pw, "--json"); !strings.Contains(out, `"kind":"coldkey","name":"w"`) || !strings.Contains(out, `"keyring":true`) {
		t.Errorf("set: %s", out)
	}
	runs(t, 0, append(sign, "--keyring")...)
	t.Setenv("ADIT_KEYRING", "1")
	runs(t, 0, sign...)
	if out, _ := runs(t, 0, "wallet", "keyring", "forget", "--wallet-name", "w"); !strings.Contains(out, "has no password of coldkey w") {
		t.Errorf("forget: %s", out)
	}
	runs(t, 1, sign...)
}
