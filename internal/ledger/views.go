package ledger

import "adit/internal/scale"

// RuntimeAPIs declares the runtime APIs that the state answers: what a node
// serves under state_call, beside those about the node itself.
func RuntimeAPIs() []scale.APIDef {
	netuid := []string{"netuid"}
	return []scale.APIDef{
		{Name: "DelegateInfoRuntimeApi", Version: 1, Methods: []scale.MethodDef{
			{Name: "get_delegates", Func: (*Ledger).DelegateInfos},
			{Name: "get_delegate", Args: []string{"delegate_account"}, Func: (*Ledger).DelegateInfoOf},
			{Name: "get_delegated", Args: []string{"delegatee_account"}, Func: (*Ledger).Delegated},
		}},
		{Name: "NeuronInfoRuntimeApi", Version: 1, Methods: []scale.MethodDef{
			{Name: "get_neurons", Args: netuid, Func: (*Ledger).Neurons},
			{Name: "get_neuron", Args: []string{"netuid", "uid"}, Func: (*Ledger).Neuron},
			{Name: "get_neurons_lite", Args: netuid, Func: (*Ledger).NeuronsLite},
			{Name: "get_neuron_lite", Args: []string{"netuid", "uid"}, Func: (*Ledger).NeuronLite},
		}},
		{Name: "SubnetInfoRuntimeApi", Version: 1, Methods: []scale.MethodDef{
			{Name: "get_subnet_info", Args: netuid, Func: (*Ledger).SubnetInfo},
			{Name: "get_subnets_info", Func: (*Ledger).SubnetsInfo},
			{Name: "get_subnet_info_v2", Args: netuid, Func: (*Ledger).SubnetInfoV2},
			{Name: "get_subnets_info_v2", Func: (*Ledger).SubnetsInfoV2},
			{Name: "get_subnet_hyperparams", Args: netuid, Func: (*Ledger).Hyperparams},
			{Name: "get_subnet_hyperparams_v2", Args: netuid, Func: (*Ledger).HyperparamsV2},
			{Name: "get_subnet_hyperparams_v3", Args: netuid, Func: (*Ledger).HyperparamsV3},
			{Name: "get_all_dynamic_info", Func: (*Ledger).AllDynamicInfo},
			{Name: "get_dynamic_info", Args: netuid, Func: (*Ledger).DynamicInfo},
			{Name: "get_all_metagraphs", Func: (*Ledger).AllMetagraphs},
			{Name: "get_metagraph", Args: netuid, Func: (*Ledger).MetagraphOf},
			{Name: "get_all_mechagraphs", Func: (*Ledger).AllMetagraphs},
			{Name: "get_mechagraph", Args: []string{"netuid", "mecid"}, Func: (*Ledger).Mechagraph},
			{Name: "get_subnet_state", Args: netuid, Func: (*Ledger).SubnetState},
			{Name: "get_selective_metagraph", Args: []string{"netuid", "metagraph_indexes"}, Func: (*Ledger).SelectMetagraph},
			{Name: "get_selective_mechagraph", Args: []string{"netuid", "subid", "metagraph_indexes"}, Func: (*Ledger).SelectMechagraph},
			{Name: "get_next_epoch_start_block", Args: netuid, Func: (*Ledger).NextEpochStart},
		}},
		{Name: "StakeInfoRuntimeApi", Version: 1, Methods: []scale.MethodDef{
			{Name: "get_stake_info_for_coldkey", Args: []string{"coldkey_account"}, Func: (*Ledger).StakeInfoForColdkey},
			{Name: "get_stake_info_for_coldkeys", Args: []string{"coldkey_accounts"}, Func: (*Ledger).StakeInfoForColdkeys},
			{Name: "get_stake_info_for_hotkey_coldkey_netuid", Args: []string{"hotkey_account", "coldkey_account", "netuid"}, Func: (*Ledger).StakeInfoFor},
			{Name: "get_stake_availability_for_coldkeys", Args: []string{"coldkey_accounts", "netuids"}, Func: (*Ledger).StakeAvailabilityFor},
			{Name: "get_coldkey_lock", Args: []string{"coldkey", "netuid"}, Func: (*Ledger).ColdkeyLock},
			{Name: "get_hotkey_conviction", Args: []string{"hotkey", "netuid"}, Func: (*Ledger).HotkeyConviction},
			{Name: "get_most_convicted_hotkey_on_subnet", Args: netuid, Func: (*Ledger).MostConvictedHotkey},
			{Name: "get_stake_fee", Args: []string{"origin", "origin_coldkey_account", "destination", "destination_coldkey_account", "amount"}, Func: (*Ledger).StakeFee},
		}},
		{Name: "SubnetRegistrationRuntimeApi", Version: 1, Methods: []scale.MethodDef{
			{Name: "get_network_registration_cost", Func: (*Ledger).LockCost},
		}},
		{Name: "SwapRuntimeApi", Version: 1, Methods: []scale.MethodDef{
			{Name: "current_alpha_price", Args: netuid, Func: (*Ledger).Price},
			{Name: "current_alpha_price_all", Func: (*Ledger).Prices},
			{Name: "sim_swap_tao_for_alpha", Args: []string{"netuid", "tao"}, Func: (*Ledger).SimBuy},
			{Name: "sim_swap_alpha_for_tao", Args: []string{"netuid", "alpha"}, Func: (*Ledger).SimSell},
		}},
		{Name: "ShieldApi", Version: 1, Methods: []scale.MethodDef{
			{Name: "try_decode_shielded_tx", Args: []string{"uxt"}, Func: (*Ledger).tryDecodeShielded},
			{Name: "is_shielded_using_current_key", Args: []string{"key_hash"}, Func: (*Ledger).usesCurrentKey},
		}},
	}
}
