package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"adit/internal/keys"
	"adit/internal/scale"
	"adit/internal/subnet"
	"adit/internal/subtensor"
)

// A callFlag is a call in SCALE, as dry runs print it.
type callFlag struct {
	Call string `required:"" aliases:"call-hex,call_hex" placeholder:"HEX" help:"The call, as --dry-run of the command shows it."`
}

// decode returns the call and its name.
func (f callFlag) decode(rt *subtensor.Runtime) (scale.Raw, string, error) {
	b, err := hex.DecodeString(strings.TrimPrefix(f.Call, "0x"))
	if err != nil || len(b) < 2 {
		return nil, "", subnet.WithHint(fmt.Errorf("--call: %q is no call in hexadecimal digits", plainText(f.Call)), "--dry-run of the command shows it, as 0x…")
	}
	id, err := rt.CallType()
	if err != nil {
		return nil, "", err
	}
	d := scale.NewDecoder(b)
	v, err := rt.DecodeValue(id, d)
	if err == nil && d.Len() > 0 {
		err = fmt.Errorf("%d bytes are left", d.Len())
	}
	if err != nil {
		return nil, "", subnet.WithHint(fmt.Errorf("--call: the chain knows no such call: %w", err), "make it with --dry-run against the same chain")
	}
	pallet, _ := v.(scale.Variant)
	inner, _ := pallet.At(0).(scale.Variant)
	return b, pallet.Name + "." + inner.Name, nil
}

// ProxyAnnounceCommand announces a call.
type ProxyAnnounceCommand struct {
	ownerFlags
	callFlag
	Real string `required:"" aliases:"owner" placeholder:"ADDRESS" help:"The account for which it will be done."`
}

// Help shows examples.
func (ProxyAnnounceCommand) Help() string {
	return `Announces a call as a proxy with a delay must. After the delay, 'adit proxy execute'
does it. Only the hash of the call is published: keep the call itself.

Examples:
  adit proxy announce --real 5GrwvaEF… --call 0x0503… --wallet-name delegate`
}

// Run announces it.
func (c ProxyAnnounceCommand) Run(ctx context.Context, t terminal) error {
	owner, err := parseAccount(c.Real)
	if err != nil {
		return err
	}
	o, err := c.ownerFlags.open(ctx)
	if err != nil {
		return err
	}
	defer o.client.Close()
	b, name, err := c.decode(o.Runtime)
	if err != nil {
		return err
	}
	delay, err := o.delayOf(ctx, owner, o.who)
	if err != nil {
		return err
	}
	hash := scale.Blake2b256(b)
	when := fmt.Sprintf("%s after the announcement", counted(int(delay), "block"))
	r, err := c.deal(ctx, t, o.client, deal{signer: o.files, call: subtensor.Announce(owner, hash), title: "announce a call",
		told: [][2]string{{"call", name}, {"for", keys.Address(owner)}, {"hash", hashText(hash)}, {"may be done", when}}})
	if err != nil {
		return err
	}
	result := map[string]any{"real": keys.Address(owner), "call_hash": hashText(hash), "delay": delay, "announced": name}
	r.Message = "Announced " + name
	return c.print(t, r, result, [2]string{"may be done", when})
}

// delayOf returns how long before a call a delegate must announce it.
func (o *owner) delayOf(ctx context.Context, owner, delegate subtensor.Account) (uint32, error) {
	proxies, _, err := o.Proxies(ctx, owner)
	if err != nil {
		return 0, err
	}
	delay, found := uint32(0), false
	for _, p := range proxies {
		if p.Delegate == delegate && (!found || p.Delay < delay) {
			delay, found = p.Delay, true
		}
	}
	if !found {
		return 0, subnet.WithHint(fmt.Errorf("%s may not act for %s", keys.Address(delegate), keys.Address(owner)), "'adit proxy add', signed by that account, allows it")
	}
	return delay, nil
}

// ProxyExecuteCommand does a call that was announced.
type ProxyExecuteCommand struct {
	ownerFlags
	callFlag
	Real     string `required:"" aliases:"owner" placeholder:"ADDRESS" help:"The account for which it is done."`
	Delegate string `placeholder:"ADDRESS" help:"Who has announced it, if it is not who signs."`
}

// Help shows examples.
func (ProxyExecuteCommand) Help() string {
	return `Does a call that a proxy has announced, once the delay is over. Anybody may sign.

Examples:
  adit proxy execute --real 5GrwvaEF… --call 0x0503… --wallet-name delegate`
}

// Run does it.
func (c ProxyExecuteCommand) Run(ctx context.Context, t terminal) error {
	owner, err := parseAccount(c.Real)
	if err != nil {
		return err
	}
	o, err := c.ownerFlags.open(ctx)
	if err != nil {
		return err
	}
	defer o.client.Close()
	delegate := o.who
	if c.Delegate != "" {
		if delegate, err = parseAccount(c.Delegate); err != nil {
			return err
		}
	}
	b, name, err := c.decode(o.Runtime)
	if err != nil {
		return err
	}
	if err := o.announced(ctx, owner, delegate, scale.Blake2b256(b)); err != nil {
		return err
	}
	call := subtensor.ProxyAnnounced(delegate, owner, "", subtensor.Call{})
	call.Args["call"] = b // in SCALE already
	r, err := c.deal(ctx, t, o.client, deal{signer: o.files, call: call, title: "do a call that was announced",
		told: [][2]string{{"call", name}, {"for", keys.Address(owner)}, {"announced by", keys.Address(delegate)}}})
	if err != nil {
		return err
	}
	r.Message = fmt.Sprintf("Did %s for %s", name, keys.Address(owner))
	return c.print(t, r, map[string]any{"real": keys.Address(owner), "delegate": keys.Address(delegate), "executed": name})
}

// announced returns an error if a call was not announced, or too recently.
func (o *owner) announced(ctx context.Context, owner, delegate subtensor.Account, hash [32]byte) error {
	all, err := o.Announcements(ctx, delegate)
	if err != nil {
		return err
	}
	delay, err := o.delayOf(ctx, owner, delegate)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(a subtensor.Announcement) bool { return a.Real == owner && a.Call == hash })
	if i < 0 {
		return subnet.WithHint(fmt.Errorf("%s has announced no such call for %s", keys.Address(delegate), keys.Address(owner)), "'adit proxy announce' does; the call must be the same to the last digit")
	}
	// It is done in the next block at the earliest.
	if due := all[i].Block + subnet.Block(delay); due > o.Block+1 {
		return subnet.WithHint(fmt.Errorf("it is too early: the call can be done from block %d on", due), counted(int(due-o.Block-1), "block")+" are left")
	}
	return nil
}
