package ledger

import "encoding/hex"

// DevAccount is one of the well-known keys of development, whose secrets
// everybody can derive: "//Alice" and so on.
type DevAccount struct {
	Name   string
	Public [32]byte
}

// DevAccounts returns the six keys that development chains endow.
func DevAccounts() []DevAccount {
	var accounts []DevAccount
	for _, a := range [...]struct{ name, key string }{
		{"Alice", "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d"},
		{"Bob", "8eaf04151687736326c9fea17e25fc5287613693c912909cb226aa4794f26a48"},
		{"Charlie", "90b5ab205c6974c9ea841be688864633dc9ca8a357843eeacf2314649965fe22"},
		{"Dave", "306721211d5404bd9da88e0204360a1a9ab8b87c66c1bc2fcdd37f3c2222cc20"},
		{"Eve", "e659a7a1628cdd93febc04a4e0646ea20e9f5f0ce097d9a05290d4a9e054df4e"},
		{"Ferdie", "1cbd2d43530a44705ad088af313e18f80b53ef16b36177cd4b77b846f2a5f07c"},
	} {
		accounts = append(accounts, DevAccount{a.name, [32]byte(must(hex.DecodeString(a.key)))})
	}
	return accounts
}

// DevGenesis gives each of [DevAccounts] a million TAO and Alice the sudo key.
func DevGenesis() Genesis {
	g := Genesis{Balances: map[[32]byte]uint64{}, Spec: DefaultSpec}
	for _, a := range DevAccounts() {
		g.Balances[a.Public] = 1_000_000 * 1_000_000_000
	}
	g.SudoKey = DevAccounts()[0].Public
	return g
}
