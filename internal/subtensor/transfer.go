package subtensor

import "adit/internal/scale"

const balances = "Balances"

// TransferKeepAlive moves rao to another account, and fails if the sender's would
// be left with less than the existential deposit.
func TransferKeepAlive(to Account, rao uint64) Call {
	return Call{balances, "transfer_keep_alive", scale.Args{"dest": to, "value": rao}}
}

// TransferAllowDeath moves rao to another account. A sender left with less than
// the existential deposit loses the rest.
func TransferAllowDeath(to Account, rao uint64) Call {
	return Call{balances, "transfer_allow_death", scale.Args{"dest": to, "value": rao}}
}

// TransferAll moves all that can be moved, less the fee; with keepAlive, all but
// the existential deposit.
func TransferAll(to Account, keepAlive bool) Call {
	return Call{balances, "transfer_all", scale.Args{"dest": to, "keep_alive": keepAlive}}
}
