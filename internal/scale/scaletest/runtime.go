// Package scaletest declares a small part of Subtensor's runtime 424 in Go,
// with the indices and names of the real one, for tests that want metadata.
package scaletest

import (
	"fmt"
	"strings"

	"adit/internal/scale"
)

// AccountID is a public key.
type AccountID [32]byte

// ScaleName implements [scale.Named].
func (AccountID) ScaleName() string { return "sp_core::crypto::AccountId32" }

// Hash is a block hash or another.
type Hash [32]byte

// ScaleName implements [scale.Named].
func (Hash) ScaleName() string { return "primitive_types::H256" }

// MultiAddress names an account.
type MultiAddress struct {
	scale.Enum
	ID    *AccountID             `scale:"0,Id"`
	Index *scale.Compact[uint32] `scale:"1"`
	Raw   *[]byte                `scale:"2"`
}

// ScaleName implements [scale.Named].
func (MultiAddress) ScaleName() string { return "sp_runtime::multiaddress::MultiAddress" }

// MultiSignature is a signature of any kind.
type MultiSignature struct {
	scale.Enum
	Ed25519 *[64]byte `scale:"0"`
	Sr25519 *[64]byte `scale:"1"`
	Ecdsa   *[65]byte `scale:"2"`
}

// ScaleName implements [scale.Named].
func (MultiSignature) ScaleName() string { return "sp_runtime::MultiSignature" }

// Era is an extrinsic's life. Its first byte is 0 if it is for ever, or else one of
// two.
type Era []byte

// ScaleName implements [scale.Named].
func (Era) ScaleName() string { return "sp_runtime::generic::era::Era" }

// AppendSCALE implements [scale.Appender].
func (e Era) AppendSCALE(b []byte) ([]byte, error) { return append(b, e...), nil }

// DecodeSCALE implements [scale.Scanner].
func (e *Era) DecodeSCALE(d *scale.Decoder) error {
	n := 1
	if b := d.Rest(); len(b) > 0 && b[0] != 0 {
		n = 2
	}
	b, err := d.Take(n)
	*e = append(Era(nil), b...)
	return err
}

// ScaleDef implements [scale.Definer].
func (Era) ScaleDef(r *scale.Registry) (scale.TypeDef, error) {
	u8, err := r.TypeOf(uint8(0))
	vs := []scale.VariantDef{{Name: "Immortal"}}
	for i := 1; i < 256; i++ {
		vs = append(vs, scale.VariantDef{Name: fmt.Sprintf("Mortal%d", i), Index: uint8(i), Fields: []scale.Field{{Type: u8}}})
	}
	return scale.TypeDef{Variant: &scale.VariantType{Variants: vs}}, err
}

// Data is one field of a commitment, its tag in front.
type Data []byte

// Raw returns the data of up to 128 bytes.
func Raw(s string) Data { return append(Data{byte(1 + len(s))}, s...) }

// ScaleName implements [scale.Named].
func (Data) ScaleName() string { return "pallet_commitments::types::Data" }

// AppendSCALE implements [scale.Appender].
func (x Data) AppendSCALE(b []byte) ([]byte, error) { return append(b, x...), nil }

// DecodeSCALE implements [scale.Scanner].
func (x *Data) DecodeSCALE(d *scale.Decoder) error {
	all := d.Rest()
	tag, err := d.Byte()
	if err != nil {
		return err
	}
	switch {
	case tag <= 129:
		_, err = d.Take(max(int(tag)-1, 0))
	case tag <= 133:
		_, err = d.Take(32)
	case tag == 134:
		if _, err = d.Bytes(); err == nil {
			_, err = d.Take(8)
		}
	case tag == 136:
		_, err = d.Bytes()
	}
	*x = append(Data(nil), all[:len(all)-d.Len()]...)
	return err
}

// ScaleDef implements [scale.Definer].
func (Data) ScaleDef(r *scale.Registry) (scale.TypeDef, error) {
	var err error
	id := func(v any) scale.TypeID {
		id, e := r.TypeOf(v)
		if e != nil {
			err = e
		}
		return id
	}
	def := &scale.VariantType{Variants: []scale.VariantDef{{Name: "None"}}}
	add := func(index int, name string, fields ...scale.Field) {
		def.Variants = append(def.Variants, scale.VariantDef{Name: name, Index: uint8(index), Fields: fields})
	}
	for n := range 129 {
		add(1+n, fmt.Sprintf("Raw%d", n), scale.Field{Type: r.Add(scale.Type{Def: scale.TypeDef{Array: &scale.Array{Len: uint32(n), Type: id(uint8(0))}}})})
	}
	for i, name := range strings.Fields("BlakeTwo256 Sha256 Keccak256 ShaThree256") {
		add(130+i, name, scale.Field{Type: id([32]byte{})})
	}
	add(134, "TimelockEncrypted",
		scale.Field{Name: scale.SomeOf("encrypted"), Type: id([]byte(nil))},
		scale.Field{Name: scale.SomeOf("reveal_round"), Type: id(uint64(0))})
	add(135, "ResetBondsFlag")
	add(136, "BigRaw", scale.Field{Type: id([]byte(nil))})
	return scale.TypeDef{Variant: def}, err
}

// Runtime declares the runtime.
func Runtime() scale.RuntimeDef {
	return scale.RuntimeDef{
		Name: "node_subtensor_runtime::Runtime",
		Call: RuntimeCall{}, Address: MultiAddress{}, Signature: MultiSignature{}, Event: RuntimeEvent{},
		Extensions: []scale.ExtensionDef{
			{Name: "CheckNonZeroSender", Extra: scale.Unit{}, Implicit: scale.Unit{}},
			{Name: "CheckSpecVersion", Extra: scale.Unit{}, Implicit: uint32(0)},
			{Name: "CheckTxVersion", Extra: scale.Unit{}, Implicit: uint32(0)},
			{Name: "CheckGenesis", Extra: scale.Unit{}, Implicit: Hash{}},
			{Name: "CheckMortality", Extra: Era{}, Implicit: Hash{}},
			{Name: "CheckNonce", Extra: scale.Compact[uint32]{}, Implicit: scale.Unit{}},
			{Name: "CheckWeight", Extra: scale.Unit{}, Implicit: scale.Unit{}},
			{Name: "ChargeTransactionPayment", Extra: scale.Compact[uint64]{}, Implicit: scale.Unit{}},
			{Name: "SudoTransactionExtension", Extra: scale.Unit{}, Implicit: scale.Unit{}},
			{Name: "CheckShieldedTxValidity", Extra: scale.Unit{}, Implicit: scale.Unit{}},
			{Name: "SubtensorTransactionExtension", Extra: scale.Unit{}, Implicit: scale.Unit{}},
			{Name: "DrandPriority", Extra: scale.Unit{}, Implicit: scale.Unit{}},
			{Name: "CheckMetadataHash", Extra: Mode{Disabled: &scale.Unit{}}, Implicit: scale.Option[[32]byte]{}},
		},
		Pallets: []scale.PalletDef{
			{Name: "System", Index: 0, Calls: SystemCall{}, Events: SystemEvent{}, Storage: []scale.StorageDef{
				{Name: "Account", Keys: account(scale.Blake2_128Concat), Value: AccountInfo{}},
				{Name: "Events", Value: []EventRecord(nil)},
			}},
			{Name: "Balances", Index: 5, Calls: BalancesCall{}},
			{Name: "SubtensorModule", Index: 7, Calls: SubtensorCall{}, Events: SubtensorEvent{}, Storage: subtensorStorage(),
				Errors: []scale.ErrorDef{
					{Name: "HotKeyNotRegisteredInSubNet", Index: 4, Doc: "The hotkey is not registered in subnet"},
					{Name: "SettingWeightsTooFast", Index: 29, Doc: "A validator is attempting to set weights faster than permitted."},
				}},
			{Name: "Utility", Index: 11, Calls: UtilityCall{}},
			{Name: "Sudo", Index: 12, Calls: SudoCall{}, Events: SudoEvent{}},
			{Name: "Proxy", Index: 16, Calls: ProxyCall{}},
			{Name: "Commitments", Index: 18, Calls: CommitmentsCall{},
				Errors: []scale.ErrorDef{{Name: "SpaceLimitExceeded", Index: 2, Doc: "Space Limit Exceeded for the current interval"}},
				Storage: []scale.StorageDef{{Name: "CommitmentOf", Value: Registration{}, Optional: true,
					Keys: []scale.KeyDef{{Hasher: scale.Identity, Key: uint16(0)}, {Hasher: scale.Twox64Concat, Key: AccountID{}}}}}},
			{Name: "Drand", Index: 26, Storage: []scale.StorageDef{
				{Name: "Pulses", Keys: []scale.KeyDef{{Hasher: scale.Blake2_128Concat, Key: uint64(0)}}, Value: []byte(nil), Optional: true}}},
		},
	}
}

func account(h scale.Hasher) []scale.KeyDef { return []scale.KeyDef{{Hasher: h, Key: AccountID{}}} }

// subtensorStorage lists what a metagraph is read from.
func subtensorStorage() []scale.StorageDef {
	netuid := []scale.KeyDef{{Hasher: scale.Identity, Key: uint16(0)}}
	uid := append(netuid[:1:1], scale.KeyDef{Hasher: scale.Identity, Key: uint16(0)})
	hotkey := append(netuid[:1:1], scale.KeyDef{Hasher: scale.Blake2_128Concat, Key: AccountID{}})
	return []scale.StorageDef{
		{Name: "TotalNetworks", Value: uint16(0)},
		{Name: "Owner", Keys: account(scale.Blake2_128Concat), Value: AccountID{}},
		{Name: "TotalHotkeyAlpha", Value: uint64(0), Keys: []scale.KeyDef{
			{Hasher: scale.Blake2_128Concat, Key: AccountID{}}, {Hasher: scale.Identity, Key: uint16(0)}}},
		{Name: "NetworksAdded", Keys: netuid, Value: false},
		{Name: "Tempo", Keys: netuid, Value: uint16(360)},
		{Name: "SubnetworkN", Keys: netuid, Value: uint16(0)},
		{Name: "WeightsVersionKey", Keys: netuid, Value: uint64(0)},
		{Name: "Consensus", Keys: netuid, Value: []uint16(nil)},
		{Name: "Incentive", Keys: netuid, Value: []uint16(nil)},
		{Name: "Dividends", Keys: netuid, Value: []uint16(nil)},
		{Name: "Emission", Keys: netuid, Value: []uint64(nil)},
		{Name: "LastUpdate", Keys: netuid, Value: []uint64(nil)},
		{Name: "ValidatorPermit", Keys: netuid, Value: []bool(nil)},
		{Name: "CommitRevealWeightsEnabled", Keys: netuid, Value: false},
		{Name: "Uids", Keys: hotkey, Value: uint16(0), Optional: true},
		{Name: "Keys", Keys: uid, Value: AccountID{}},
		{Name: "Weights", Keys: uid, Value: []scale.Tuple2[uint16, uint16](nil)},
		{Name: "BlockAtRegistration", Keys: uid, Value: uint64(0)},
		{Name: "Axons", Keys: hotkey, Value: AxonInfo{}, Optional: true},
	}
}
