package ledger

import (
	"reflect"

	"adit/internal/scale"
)

// ProxyType says which calls a proxy may make.
type ProxyType struct {
	scale.Enum
	Any                    *scale.Unit `scale:"0"`
	Owner                  *scale.Unit `scale:"1"`
	NonCritical            *scale.Unit `scale:"2"`
	NonTransfer            *scale.Unit `scale:"3"`
	Senate                 *scale.Unit `scale:"4"`
	NonFungible            *scale.Unit `scale:"5"`
	Triumvirate            *scale.Unit `scale:"6"`
	Governance             *scale.Unit `scale:"7"`
	Staking                *scale.Unit `scale:"8"`
	Registration           *scale.Unit `scale:"9"`
	Transfer               *scale.Unit `scale:"10"`
	SmallTransfer          *scale.Unit `scale:"11"`
	RootWeights            *scale.Unit `scale:"12"`
	ChildKeys              *scale.Unit `scale:"13"`
	SudoUncheckedSetCode   *scale.Unit `scale:"14"`
	SwapHotkey             *scale.Unit `scale:"15"`
	SubnetLeaseBeneficiary *scale.Unit `scale:"16"`
	RootClaim              *scale.Unit `scale:"17"`
}

// ScaleName implements [scale.Named].
func (ProxyType) ScaleName() string { return "subtensor_runtime_common::ProxyType" }

// kind returns the number of the variant that is set.
func (p ProxyType) kind() int {
	v := reflect.ValueOf(p)
	for i := 1; i < v.NumField(); i++ {
		if !v.Field(i).IsNil() {
			return i - 1
		}
	}
	return -1
}

// smallTransfer is below how many RAO a transfer is small.
const smallTransfer = 500_000_000

// allows reports whether a proxy of this type may make c. Kinds that the chain
// no longer gives a meaning allow nothing.
func (p ProxyType) allows(c Call) bool {
	switch c := c.(type) {
	case *AddProxy:
		if !p.covers(c.ProxyType) {
			return false
		}
	case *RemoveProxy:
		if !p.covers(c.ProxyType) {
			return false
		}
	case *RemoveProxies, *KillPure:
		return p.Any != nil
	}
	switch {
	case p.Any != nil:
		return true
	case p.NonTransfer != nil:
		return !movesTokens(c)
	case p.NonCritical != nil:
		return !critical(c)
	case p.Owner != nil:
		return ownersCall(c)
	case p.Staking != nil:
		return stakingCall(c)
	case p.Registration != nil:
		switch c.(type) {
		case *BurnedRegister, *Register, *RegisterLimit:
			return true
		}
	case p.Transfer != nil:
		switch c.(type) {
		case *TransferKeepAlive, *TransferAllowDeath, *TransferAll, *TransferStake:
			return true
		}
	case p.SmallTransfer != nil:
		switch c := c.(type) {
		case *TransferKeepAlive:
			return c.Value.V < smallTransfer
		case *TransferAllowDeath:
			return c.Value.V < smallTransfer
		case *TransferStake:
			return c.AlphaAmount < smallTransfer
		}
	case p.ChildKeys != nil:
		switch c.(type) {
		case *SetChildren, *SetChildkeyTake:
			return true
		}
	case p.SwapHotkey != nil:
		switch c.(type) {
		case *SwapHotkey, *SwapHotkeyV2:
			return true
		}
	case p.RootClaim != nil:
		_, ok := c.(*ClaimRoot)
		return ok
	}
	return false
}

// covers reports whether p allows all that q does.
func (p ProxyType) covers(q ProxyType) bool {
	switch {
	case p.kind() == q.kind(), p.Any != nil:
		return true
	case q.Any != nil:
		return false
	case p.NonTransfer != nil:
		return q.Transfer == nil && q.SmallTransfer == nil
	case p.Transfer != nil:
		return q.SmallTransfer != nil
	}
	return false
}

func movesTokens(c Call) bool {
	switch c.(type) {
	case *TransferKeepAlive, *TransferAllowDeath, *TransferAll, *BurnBalance, *TransferStake,
		*SwapColdkey, *AnnounceColdkeySwap, *SwapColdkeyAnnounced:
		return true
	}
	return false
}

func critical(c Call) bool {
	switch c.(type) {
	case *RootRegister, *BurnedRegister, *Sudo, *AnnounceColdkeySwap, *SwapColdkeyAnnounced:
		return true
	}
	return false
}

func stakingCall(c Call) bool {
	switch c.(type) {
	case *AddStake, *RemoveStake, *UnstakeAll, *UnstakeAllAlpha, *SwapStake, *SwapStakeLimit, *MoveStake,
		*AddStakeLimit, *RemoveStakeLimit, *RemoveStakeFullLimit, *SetRootClaimType:
		return true
	}
	return false
}

// ownersCall reports whether c belongs to the running of a subnet.
func ownersCall(c Call) bool {
	switch c.(type) {
	case *SetSubnetIdentity, *UpdateSymbol:
		return true
	case *SetOwnerHotkey, *SetSNOwnerHotkey:
		return false
	}
	return Wrap(c).AdminUtils != nil
}
