package chainnode

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"

	"adit/internal/ledger"
	"adit/internal/scale"
)

// The runtime APIs that every Substrate chain has: what the runtime is, its
// metadata, an account's nonce and the price of an extrinsic. Those of Subtensor
// are the ledger's.
//
// What clients ask, as seen by running them:
//
//	polkadot.js 16         on connecting Metadata_metadata_versions and
//	                       _at_version(16); TransactionPaymentApi_query_info
//	bittensor 10.5         on connecting Metadata_metadata_at_version(15); before an
//	                       extrinsic account_nonce, for its fee query_info;
//	  register, axon       NeuronInfo get_neuron
//	  metagraph            NeuronInfo get_neurons_lite, SubnetInfo get_dynamic_info,
//	                       get_metagraph and get_selective_mechagraph
//	  stake                StakeInfo get_stake_info_for_hotkey_coldkey_netuid
//	  create a subnet      SubnetRegistration get_network_registration_cost
//	  subnets, settings    SubnetInfo get_all_dynamic_info, get_subnet_hyperparams_v3
//	  encrypted            MevShield.NextKey
//	bittensor-cli 9.23     as the SDK; stakes SwapRuntimeApi sim_swap_*, and stakes
//	                       encrypted; stake list StakeInfo get_coldkey_lock
//
// Over JSON-RPC the Python clients use chain_getHead, _getFinalizedHead, _getHeader,
// _getBlock, _getBlockHash, state_call, _getRuntimeVersion, _getStorageAt,
// _queryStorageAt, _getKeysPaged, _subscribeStorage, author_submitExtrinsic,
// _submitAndWatchExtrinsic, system_chain, _properties and rpc_methods.
func (n *Node) runtimeAPIs() []scale.APIDef {
	return []scale.APIDef{
		{Name: "Core", Version: 5, Methods: []scale.MethodDef{
			{Name: "version", Doc: "Returns the version of the runtime.", Func: func(*ledger.Ledger) runtimeVersion { return n.version() }},
		}},
		{Name: "Metadata", Version: 2, Methods: []scale.MethodDef{
			{Name: "metadata", Doc: "Returns the metadata of the runtime.",
				Func: func(*ledger.Ledger) opaqueMetadata { return opaqueMetadata{n.metadata[baseMetadata]} }},
			{Name: "metadata_at_version", Args: []string{"version"}, Doc: "Returns the metadata at a given version, or none.",
				Func: func(_ *ledger.Ledger, version uint32) scale.Option[opaqueMetadata] {
					b, ok := n.metadata[uint8(min(version, math.MaxUint8))]
					return scale.Option[opaqueMetadata]{Some: ok, V: opaqueMetadata{b}}
				}},
			{Name: "metadata_versions", Doc: "Returns the versions that there are.",
				Func: func(*ledger.Ledger) (list []uint32) {
					for _, v := range slices.Sorted(maps.Keys(n.metadata)) {
						list = append(list, uint32(v))
					}
					return list
				}},
		}},
		{Name: "AccountNonceApi", Version: 1, Methods: []scale.MethodDef{
			{Name: "account_nonce", Args: []string{"account"}, Doc: "Returns the nonce of an account's next extrinsic.",
				Func: func(l *ledger.Ledger, who ledger.AccountID) uint32 { return l.Nonce(who) }},
		}},
		{Name: "TransactionPaymentApi", Version: 4, Methods: []scale.MethodDef{
			{Name: "query_info", Args: []string{"uxt", "len"}, Doc: "Returns what an extrinsic weighs and costs, without a tip.",
				Func: func(l *ledger.Ledger, uxt []byte, _ uint32) (dispatchInfo, error) {
					return queryInfoOf(l, append(scale.AppendCompact(nil, uint64(len(uxt))), uxt...))
				}},
			{Name: "query_fee_details", Args: []string{"uxt", "len"}, Doc: "Returns of what an extrinsic's fee is made up.",
				Func: func(l *ledger.Ledger, uxt []byte, _ uint32) (details feeDetails, err error) {
					info, err := queryInfoOf(l, append(scale.AppendCompact(nil, uint64(len(uxt))), uxt...))
					if err == nil && info.PartialFee > 0 {
						details.InclusionFee = scale.SomeOf(inclusionFee{BaseFee: info.PartialFee})
					}
					return details, err
				}},
		}},
	}
}

// describe builds the runtime's APIs and its metadata in every version.
func (n *Node) describe() (err error) {
	if n.apis, err = scale.NewAPIs[*ledger.Ledger](slices.Concat(n.runtimeAPIs(), ledger.RuntimeAPIs())...); err != nil {
		return err
	}
	m, err := n.ledger.Describe(n.apis.Defs()...)
	if err != nil {
		return err
	}
	describeErrors(m)
	describeClock(m, n.opts.BlockTime)
	n.metadata = make(map[uint8][]byte)
	for _, v := range scale.MetadataVersions() {
		if n.metadata[v], err = m.EncodeVersion(v); err != nil {
			return err
		}
	}
	return nil
}

// describeClock adds the constant by which clients tell how fast blocks come.
// Blocks on demand claim upstream's pace.
func describeClock(m *scale.Metadata, blockTime time.Duration) {
	const aura, usual = 3, 12 * time.Second
	if blockTime <= 0 {
		blockTime = usual
	}
	u64 := slices.IndexFunc(m.Types, func(t scale.Type) bool { return t.Def.Primitive != nil && *t.Def.Primitive == scale.U64 })
	slot := scale.Constant{Name: "SlotDuration", Type: scale.TypeID(u64), Value: binary.LittleEndian.AppendUint64(nil, uint64(blockTime.Milliseconds()))}
	m.Pallets = append(m.Pallets, scale.Pallet{Name: "Aura", Index: aura, Constants: []scale.Constant{slot}})
	slices.SortFunc(m.Pallets, func(a, b scale.Pallet) int { return cmp.Compare(a.Index, b.Index) })
}

// describeErrors makes the errors of each pallet readable to the SDK, which
// takes an error's number for its position, and shows the name of none that has
// no description. Numbers that the ledger does not use get names of their own;
// and where it describes nothing, the words of the name are the description.
func describeErrors(m *scale.Metadata) {
	for _, p := range m.Pallets {
		if !p.Errors.Some {
			continue
		}
		errs := m.Types[p.Errors.V].Def.Variant
		var all []scale.VariantDef
		for _, v := range errs.Variants { // in order of their numbers
			for len(all) < int(v.Index) {
				all = append(all, scale.VariantDef{Name: fmt.Sprintf("Unused%d", len(all)), Index: uint8(len(all)), Docs: []string{"Not used here."}})
			}
			if v.Docs == nil {
				v.Docs = []string{sentence(v.Name)}
			}
			all = append(all, v)
		}
		errs.Variants = all
	}
}

// sentence makes "Not registered." of "NotRegistered".
func sentence(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && unicode.IsUpper(r) {
			b.WriteByte(' ')
			r = unicode.ToLower(r)
		}
		b.WriteRune(r)
	}
	return b.String() + "."
}

// baseMetadata is the version that is served where none is asked for.
const baseMetadata = 14

// opaqueMetadata is metadata as bytes.
type opaqueMetadata struct {
	F0 []byte
}

// ScaleName implements [scale.Named].
func (opaqueMetadata) ScaleName() string { return "sp_core::OpaqueMetadata" }

// runtimeVersion is what a runtime says of itself.
type runtimeVersion struct {
	SpecName           string
	ImplName           string
	AuthoringVersion   uint32
	SpecVersion        uint32
	ImplVersion        uint32
	APIs               []scale.VersionedAPI `scale:"apis"`
	TransactionVersion uint32
	SystemVersion      uint8
}

// ScaleName implements [scale.Named].
func (runtimeVersion) ScaleName() string { return "sp_version::RuntimeVersion" }

func (n *Node) version() runtimeVersion {
	spec := n.opts.Genesis.Spec
	if spec == (ledger.Spec{}) {
		spec = ledger.DefaultSpec
	}
	return runtimeVersion{
		SpecName: "node-subtensor", ImplName: "node-subtensor", AuthoringVersion: 1, SpecVersion: spec.SpecVersion,
		ImplVersion: 1, APIs: scale.ListAPIs(n.apis.Defs()), TransactionVersion: spec.TransactionVersion, SystemVersion: 1,
	}
}

// dispatchInfo is what an extrinsic weighs and costs, in RAO.
type dispatchInfo struct {
	Weight     ledger.Weight
	Class      ledger.DispatchClass
	PartialFee uint64
}

// ScaleName implements [scale.Named].
func (dispatchInfo) ScaleName() string {
	return "pallet_transaction_payment::types::RuntimeDispatchInfo"
}

// queryInfoOf tells what the extrinsic xt costs.
func queryInfoOf(l *ledger.Ledger, xt []byte) (dispatchInfo, error) {
	fee, err := l.Fee(xt)
	if err != nil {
		return dispatchInfo{}, err
	}
	// As the ledger's events have it: all calls weigh the same.
	weight := ledger.Weight{RefTime: scale.Compact[uint64]{V: 100_000_000}}
	return dispatchInfo{Weight: weight, Class: ledger.DispatchClass{Normal: &scale.Unit{}}, PartialFee: fee}, nil
}

// feeDetails is what makes up a fee.
type feeDetails struct {
	InclusionFee scale.Option[inclusionFee]
	Tip          uint64
}

// ScaleName implements [scale.Named].
func (feeDetails) ScaleName() string { return "pallet_transaction_payment::types::FeeDetails" }

type inclusionFee struct{ BaseFee, LenFee, AdjustedWeightFee uint64 }

// ScaleName implements [scale.Named].
func (inclusionFee) ScaleName() string { return "pallet_transaction_payment::types::InclusionFee" }
