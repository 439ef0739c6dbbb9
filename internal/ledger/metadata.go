package ledger

import (
	"cmp"
	"maps"
	"reflect"
	"slices"

	"adit/internal/scale"
)

// Metadata returns the runtime's metadata in version 14, which tells no runtime
// APIs: the declarations of this package, described.
func (l *Ledger) Metadata() []byte { return must(l.Describe()).Encode() }

// Describe returns the runtime's metadata with the APIs that it answers, to be
// written in any version. An error says which of the APIs cannot be described.
func (l *Ledger) Describe(apis ...scale.APIDef) (*scale.Metadata, error) {
	m, err := scale.BuildMetadata(scale.RuntimeDef{
		Name: "node_subtensor_runtime::Runtime",
		Pallets: append([]scale.PalletDef{
			{Name: "System", Index: inSystem, Calls: SystemCall{}, Events: SystemEvent{}, Errors: failures(inSystem),
				Storage: items(system), Constants: []scale.ConstantDef{
					{Name: "BlockHashCount", Value: uint32(blockHashCount)},
					{Name: "SS58Prefix", Value: uint16(42)},
				}},
			{Name: "Timestamp", Index: 2, Calls: TimestampCall{}, Storage: items(timestamp)},
			{Name: "Balances", Index: inBalances, Calls: BalancesCall{}, Events: BalancesEvent{}, Errors: failures(inBalances),
				Storage: items(balances), Constants: []scale.ConstantDef{{Name: "ExistentialDeposit", Value: uint64(existentialDeposit)}}},
			{Name: "TransactionPayment", Index: inPayment, Events: PaymentEvent{}},
			{Name: "SubtensorModule", Index: inSubtensor, Calls: SubtensorCall{}, Events: SubtensorEvent{},
				Errors: failures(inSubtensor), Storage: items(sub), Constants: subtensorConstants()},
			{Name: "Utility", Index: inUtility, Calls: UtilityCall{}, Events: UtilityEvent{}, Errors: failures(inUtility),
				Constants: []scale.ConstantDef{{Name: "batched_calls_limit", Value: uint32(maxBatch)}}},
			{Name: "Sudo", Index: inSudo, Calls: SudoCall{}, Events: SudoEvent{}, Errors: failures(inSudo), Storage: items(sudo)},
			{Name: "Commitments", Index: inCommitments, Calls: CommitmentsCall{}, Events: CommitmentsEvent{},
				Errors: failures(inCommitments), Storage: items(commitments),
				Constants: []scale.ConstantDef{
					{Name: "MaxFields", Value: uint32(maxFields)},
					{Name: "InitialDeposit", Value: uint64(0)},
					{Name: "FieldDeposit", Value: uint64(0)},
				}},
			{Name: "AdminUtils", Index: inAdmin, Calls: AdminCall{}, Events: AdminEvent{}, Errors: failures(inAdmin)},
		}, morePallets()...),
		Call: RuntimeCall{}, Address: MultiAddress{}, Signature: Signature{}, Event: RuntimeEvent{},
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
			{Name: "CheckMetadataHash", Extra: hashMode{}, Implicit: scale.Option[[32]byte]{}},
		},
		APIs: apis,
	})
	if err == nil {
		nameMaps(m)
	}
	return m, err
}

// nameMaps tells of each map what its keys and its values are: polkadot.js reads
// no metadata without.
func nameMaps(m *scale.Metadata) {
	for i := range m.Types {
		t := &m.Types[i]
		if t.Name() != "BTreeMap" {
			continue
		}
		list := m.Types[t.Def.Composite.Fields[0].Type].Def.Sequence
		entry := *m.Types[*list].Def.Tuple
		t.Params = []scale.TypeParam{{Name: "K", Type: scale.SomeOf(entry[0])}, {Name: "V", Type: scale.SomeOf(entry[1])}}
	}
}

// hashMode says whether a signature vouches for the metadata.
type hashMode struct {
	scale.Enum
	Disabled *scale.Unit `scale:"0"`
	Enabled  *scale.Unit `scale:"1"`
}

// ScaleName implements [scale.Named].
func (hashMode) ScaleName() string { return "frame_metadata_hash_extension::Mode" }

// items describes a pallet's storage from the struct that declares it.
func items(pallet any) []scale.StorageDef {
	v := reflect.ValueOf(pallet).Elem()
	defs := make([]scale.StorageDef, v.NumField())
	for i := range defs {
		it := v.Field(i).Addr().Interface().(declared).declaration()
		def := scale.StorageDef{Name: it.name, Optional: it.optional, Value: reflect.Zero(it.value).Interface()}
		if !it.optional {
			fallback := reflect.New(it.value)
			check(scale.Unmarshal(it.fallback, fallback.Interface()))
			def.Value = fallback.Elem().Interface()
		}
		for j, t := range it.keyTypes {
			def.Keys = append(def.Keys, scale.KeyDef{Hasher: it.hashers[j], Key: reflect.Zero(t).Interface()})
		}
		defs[i] = def
	}
	return defs
}

// failures lists a pallet's errors by number.
func failures(pallet uint8) []scale.ErrorDef {
	var defs []scale.ErrorDef
	for _, f := range slices.Collect(maps.Keys(failureNames)) {
		if uint8(f>>8) == pallet {
			defs = append(defs, scale.ErrorDef{Name: failureNames[f], Index: uint8(f)})
		}
	}
	slices.SortFunc(defs, func(a, b scale.ErrorDef) int { return cmp.Compare(a.Index, b.Index) })
	return defs
}
