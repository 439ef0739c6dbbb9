package subtensor

import (
	"context"
	"errors"
	"fmt"

	"adit/internal/scale"
	"adit/internal/subnet"
)

// A Proxy is an account that may act for another.
type Proxy struct {
	Delegate Account
	// Kind is what it may do, by the name of the runtime's ProxyType, such as
	// "Any", "NonTransfer", "Staking" or "Registration".
	Kind  string
	Delay uint32 // blocks between the announcement of a call and the call
}

// AddProxy lets a delegate act for the signer. A deposit is reserved while it may.
func AddProxy(p Proxy) Call {
	return Call{"Proxy", "add_proxy", scale.Args{"delegate": p.Delegate, "proxy_type": p.Kind, "delay": p.Delay}}
}

// RemoveProxy undoes [AddProxy] with the same values.
func RemoveProxy(p Proxy) Call {
	return Call{"Proxy", "remove_proxy", scale.Args{"delegate": p.Delegate, "proxy_type": p.Kind, "delay": p.Delay}}
}

// RemoveProxies lets nobody act for the signer any more.
func RemoveProxies() Call { return Call{"Proxy", "remove_proxies", scale.Args{}} }

// Proxied does a call for another account, whose proxy the signer is. Kind is the
// kind of proxy to do it as, or "" for whichever there is.
func Proxied(owner Account, kind string, k Call) Call {
	return Call{"Proxy", "proxy", scale.Args{"real": owner, "force_proxy_type": optionalKind(kind), "call": k}}
}

// Announce says that the signer will do a call for another account once its
// proxy's delay is over. The hash is the BLAKE2b-256 of the call in SCALE.
func Announce(owner Account, call [32]byte) Call {
	return Call{"Proxy", "announce", scale.Args{"real": owner, "call_hash": call}}
}

// ProxyAnnounced does a call that delegate has announced. Anybody may sign.
func ProxyAnnounced(delegate, owner Account, kind string, k Call) Call {
	return Call{"Proxy", "proxy_announced", scale.Args{"delegate": delegate, "real": owner, "force_proxy_type": optionalKind(kind), "call": k}}
}

func optionalKind(kind string) any {
	if kind == "" {
		return nil
	}
	return kind
}

// Proxies reads who may act for an account, and the deposit reserved for it, in
// RAO.
func (v *View) Proxies(ctx context.Context, owner Account) ([]Proxy, uint64, error) {
	got, err := v.Get(ctx, "Proxy", "Proxies", owner)
	if err != nil {
		return nil, 0, err
	}
	var raw scale.Tuple2[[]struct {
		Delegate  Account
		ProxyType scale.Variant
		Delay     uint32
	}, uint64]
	if err := scale.Assign(&raw, got); err != nil {
		return nil, 0, fmt.Errorf("read proxies: %w", err)
	}
	out := make([]Proxy, len(raw.F0))
	for i, p := range raw.F0 {
		out[i] = Proxy{p.Delegate, p.ProxyType.Name, p.Delay}
	}
	return out, raw.F1, nil
}

// An Announcement is a call that a proxy has announced and not done yet.
type Announcement struct {
	Real  Account  // for which it will be done
	Call  [32]byte // BLAKE2b-256 of the call in SCALE
	Block subnet.Block
}

// Announcements reads what a proxy has announced.
func (v *View) Announcements(ctx context.Context, delegate Account) ([]Announcement, error) {
	got, err := v.Get(ctx, "Proxy", "Announcements", delegate)
	if err != nil {
		return nil, err
	}
	var raw scale.Tuple2[[]struct {
		Real     Account
		CallHash [32]byte
		Height   subnet.Block
	}, uint64]
	if err := scale.Assign(&raw, got); err != nil {
		return nil, fmt.Errorf("read announcements: %w", err)
	}
	out := make([]Announcement, len(raw.F0))
	for i, a := range raw.F0 {
		out[i] = Announcement{a.Real, a.CallHash, a.Height}
	}
	return out, nil
}

// ProxyKinds returns what kinds of proxies the runtime knows.
func (r *Runtime) ProxyKinds() ([]string, error) {
	id, err := r.TypeNamed("ProxyType")
	if err != nil {
		return nil, err
	}
	def := r.Types[id].Def.Variant
	if def == nil {
		return nil, errors.New("the runtime's ProxyType is no list of kinds")
	}
	var out []string
	for _, v := range def.Variants {
		out = append(out, v.Name)
	}
	return out, nil
}

// ProxyDeposit returns what is reserved of an account that has a number of proxies,
// in RAO.
func (r *Runtime) ProxyDeposit(proxies int) (uint64, error) {
	if proxies == 0 {
		return 0, nil
	}
	base, err := r.Constant("Proxy", "ProxyDepositBase")
	if err != nil {
		return 0, err
	}
	each, err := r.Constant("Proxy", "ProxyDepositFactor")
	return number(base) + uint64(proxies)*number(each), err
}
