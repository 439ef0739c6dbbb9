package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"adit/internal/keys"
	"adit/internal/subnet"
	"adit/internal/subtensor"
	"adit/internal/tui"
)

// ProxyCommand is about accounts that act for others.
type ProxyCommand struct {
	List     ProxyListCommand     `cmd:"" help:"List who may act for an account."`
	Add      ProxyAddCommand      `cmd:"" help:"Let an account act for the coldkey."`
	Remove   ProxyRemoveCommand   `cmd:"" help:"Let it act no more."`
	Announce ProxyAnnounceCommand `cmd:"" help:"Announce a call that has to wait for the proxy's delay."`
	Execute  ProxyExecuteCommand  `cmd:"" help:"Do a call that was announced."`
}

// ProxyListCommand lists proxies.
type ProxyListCommand struct {
	readFlags
	coldkeyFlags
	Address string `arg:"" optional:"" help:"The account, if it is not the wallet's coldkey."`
}

// Help shows examples.
func (ProxyListCommand) Help() string {
	return `Lists who may act for an account and how far, the deposit that is reserved for it,
and what the account has itself announced as the proxy of others.

Examples:
  adit proxy list
  adit proxy list 5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY --json`
}

// The shapes of the JSON, with the chain's names.
type (
	shownProxies struct {
		Address       string              `json:"address"`
		Deposit       uint64              `json:"deposit"` // RAO
		Proxies       []shownProxy        `json:"proxies"`
		Announcements []shownAnnouncement `json:"announcements"`
	}
	shownProxy struct {
		Delegate string `json:"delegate"`
		Kind     string `json:"proxy_type"`
		Delay    uint32 `json:"delay"` // blocks
	}
	shownAnnouncement struct {
		Real   string `json:"real"`
		Hash   string `json:"call_hash"`
		Height uint64 `json:"height"`
	}
)

// Run lists them.
func (c ProxyListCommand) Run(ctx context.Context, t terminal) error {
	who, err := c.account(c.Address)
	if err != nil {
		return err
	}
	client, v, err := c.head(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	proxies, deposit, err := v.Proxies(ctx, who)
	if err != nil {
		return err
	}
	announced, err := v.Announcements(ctx, who)
	if err != nil {
		return err
	}
	out := shownProxies{keys.Address(who), deposit, []shownProxy{}, []shownAnnouncement{}}
	for _, p := range proxies {
		out.Proxies = append(out.Proxies, shownProxy{keys.Address(p.Delegate), p.Kind, p.Delay})
	}
	for _, a := range announced {
		out.Announcements = append(out.Announcements, shownAnnouncement{keys.Address(a.Real), hashText(a.Call), uint64(a.Block)})
	}
	if c.JSON {
		return printJSON(t, out)
	}
	if len(proxies) == 0 && len(announced) == 0 {
		fmt.Fprintf(t.err, "adit: nobody may act for %s\nhint: 'adit proxy add' lets somebody\n", out.Address)
		return nil
	}
	return out.print(t)
}

func (s shownProxies) print(t terminal) error {
	if len(s.Proxies) > 0 {
		table := tui.Table{Columns: []tui.Column{{Head: "DELEGATE", Brief: 13}, {Head: "KIND"}, {Head: "DELAY", Right: true}}}
		for _, p := range s.Proxies {
			table.Rows = append(table.Rows, []string{p.Delegate, p.Kind, strconv.Itoa(int(p.Delay))})
		}
		if err := printTable(t, table); err != nil {
			return err
		}
		fmt.Fprintf(t.out, "deposit: %s TAO\n", formatTAO(s.Deposit))
	}
	if len(s.Announcements) == 0 {
		return nil
	}
	table := tui.Table{Columns: []tui.Column{{Head: "ANNOUNCED FOR", Brief: 13}, {Head: "BLOCK", Right: true}, {Head: "HASH OF THE CALL", Brief: 18}}}
	for _, a := range s.Announcements {
		table.Rows = append(table.Rows, []string{a.Real, strconv.FormatUint(a.Height, 10), a.Hash})
	}
	return printTable(t, table)
}

// account returns the account of an address, or the wallet's coldkey if there is
// none.
func (f coldkeyFlags) account(address string) (subtensor.Account, error) {
	if address != "" {
		return parseAccount(address)
	}
	files, err := f.coldkey()
	if err != nil {
		return subtensor.Account{}, err
	}
	key, err := files.PublicKey()
	if err != nil {
		return subtensor.Account{}, lockedHint(err)
	}
	return key.Public(), nil
}

// A proxyFlags says which proxy is meant.
type proxyFlags struct {
	Kind  string `name:"type" aliases:"proxy-type,proxy_type,kind" placeholder:"KIND" help:"What it may do: Any, NonTransfer, Staking, Registration, …"`
	Delay uint32 `placeholder:"BLOCKS" help:"How long before a call it must be announced (0)."`
}

// kind returns the kind by its name on the chain.
func (f proxyFlags) kind(rt *subtensor.Runtime) (string, error) {
	kinds, err := rt.ProxyKinds()
	if err != nil {
		return "", err
	}
	for _, k := range kinds {
		if strings.EqualFold(k, f.Kind) {
			return k, nil
		}
	}
	return "", subnet.WithHint(fmt.Errorf("the chain knows no proxies of the kind %q", plainText(f.Kind)), "kinds are "+strings.Join(kinds, ", "))
}

// ProxyAddCommand adds a proxy.
type ProxyAddCommand struct {
	ownerFlags
	proxyFlags
	Delegate string `required:"" placeholder:"ADDRESS" help:"Who may act."`
}

// Help shows examples.
func (ProxyAddCommand) Help() string {
	return `Lets another account act for the coldkey, as far as the kind goes, with --proxy of all
commands that sign. A deposit is reserved while it may. Kinds are, among others:

  Any           everything, transfers included
  NonTransfer   everything but transfers
  Staking       stake and unstake, nothing else
  Registration  register hotkeys
  Owner         what the owner of a subnet does
  ChildKeys     children and their part
  Transfer      transfers; SmallTransfer those below half a TAO

Examples:
  adit proxy add --delegate 5DAAnrj7VHTznn2AWBemMuyBwZWs6FNFjdyVXUeYum3PTXFy --type Staking
  adit proxy add --delegate 5DAA… --type Any --delay 7200`
}

// A proxyResult is what became of a proxy.
type proxyResult struct {
	Account  string `json:"account"`
	Delegate string `json:"delegate,omitempty"`
	Kind     string `json:"proxy_type,omitempty"`
	Delay    uint32 `json:"delay"`
	Deposit  uint64 `json:"deposit"` // RAO, reserved afterwards for all proxies
}

// Run adds it.
func (c ProxyAddCommand) Run(ctx context.Context, t terminal) error {
	delegate, err := parseAccount(c.Delegate)
	if err != nil {
		return err
	}
	if c.Kind == "" {
		return subnet.WithHint(fmt.Errorf("what may it do? --type tells"), "Any, NonTransfer, Staking, Registration; see --help")
	}
	o, err := c.ownerFlags.open(ctx)
	if err != nil {
		return err
	}
	defer o.client.Close()
	p := subtensor.Proxy{Delegate: delegate, Delay: c.Delay}
	if p.Kind, err = c.kind(o.Runtime); err != nil {
		return err
	}
	now, before, err := o.Proxies(ctx, o.who)
	if err != nil {
		return err
	}
	if slices.Contains(now, p) {
		return fmt.Errorf("%s may do that already", keys.Address(delegate))
	}
	after, err := o.ProxyDeposit(len(now) + 1)
	if err != nil {
		return err
	}
	result := proxyResult{keys.Address(o.who), keys.Address(delegate), p.Kind, p.Delay, after}
	told := [][2]string{{"for", result.Account}, {"who may act", result.Delegate}, {"kind", p.Kind}, {"delay", counted(int(p.Delay), "block")},
		{"deposit", formatTAO(before) + " → " + formatTAO(after) + " TAO, reserved while it may"}}
	if p.Kind == "Any" || p.Kind == "Transfer" {
		told = append(told, [2]string{"warning", "it can spend all that the account has"})
	}
	r, err := c.deal(ctx, t, o.client, deal{signer: o.files, call: subtensor.AddProxy(p), title: "add a proxy", told: told, spends: after - min(before, after)})
	if err != nil {
		return err
	}
	r.Message = fmt.Sprintf("Let %s act for %s", result.Delegate, result.Account)
	return c.print(t, r, result, [2]string{"deposit", formatTAO(after) + " TAO"})
}

// ProxyRemoveCommand removes a proxy.
type ProxyRemoveCommand struct {
	ownerFlags
	proxyFlags
	Delegate string `xor:"which" placeholder:"ADDRESS" help:"Who shall act no more."`
	All      bool   `xor:"which" help:"Nobody shall."`
}

// Help shows examples.
func (ProxyRemoveCommand) Help() string {
	return `Takes back what 'adit proxy add' has allowed; the deposit is given back. Kind and
delay need not be told if the delegate is there once only.

Examples:
  adit proxy remove --delegate 5DAAnrj7VHTznn2AWBemMuyBwZWs6FNFjdyVXUeYum3PTXFy
  adit proxy remove --all`
}

// Run removes it.
func (c ProxyRemoveCommand) Run(ctx context.Context, t terminal) error {
	if c.Delegate == "" && !c.All {
		return subnet.WithHint(fmt.Errorf("who shall act no more? --delegate tells, or --all"), "'adit proxy list' shows who may")
	}
	o, err := c.ownerFlags.open(ctx)
	if err != nil {
		return err
	}
	defer o.client.Close()
	now, before, err := o.Proxies(ctx, o.who)
	if err != nil {
		return err
	}
	if len(now) == 0 {
		return fmt.Errorf("nobody may act for %s: nothing is left to do", keys.Address(o.who))
	}
	result := proxyResult{Account: keys.Address(o.who)}
	call, told := subtensor.RemoveProxies(), [][2]string{{"for", result.Account}, {"who", "all " + strconv.Itoa(len(now))}}
	if !c.All {
		p, err := c.among(now)
		if err != nil {
			return err
		}
		result.Delegate, result.Kind, result.Delay = keys.Address(p.Delegate), p.Kind, p.Delay
		call, told = subtensor.RemoveProxy(p), [][2]string{{"for", result.Account}, {"who", result.Delegate}, {"kind", p.Kind}, {"delay", counted(int(p.Delay), "block")}}
		if result.Deposit, err = o.ProxyDeposit(len(now) - 1); err != nil {
			return err
		}
	}
	r, err := c.deal(ctx, t, o.client, deal{signer: o.files, call: call, title: "remove proxies", told: append(told, [2]string{"deposit", formatTAO(before) + " → " + formatTAO(result.Deposit) + " TAO"})})
	if err != nil {
		return err
	}
	r.Message = "Removed " + counted(len(now), "proxy account") + " of " + result.Account
	if !c.All {
		r.Message = fmt.Sprintf("Let %s act for %s no more", result.Delegate, result.Account)
	}
	return c.print(t, r, result, [2]string{"deposit", formatTAO(result.Deposit) + " TAO"})
}

// among returns the proxy that is meant.
func (c ProxyRemoveCommand) among(all []subtensor.Proxy) (subtensor.Proxy, error) {
	delegate, err := parseAccount(c.Delegate)
	if err != nil {
		return subtensor.Proxy{}, err
	}
	var found []subtensor.Proxy
	var kinds []string
	for _, p := range all {
		if p.Delegate == delegate && (c.Kind == "" || strings.EqualFold(p.Kind, c.Kind)) && (c.Delay == 0 || p.Delay == c.Delay) {
			found = append(found, p)
			kinds = append(kinds, fmt.Sprintf("--type %s --delay %d", p.Kind, p.Delay))
		}
	}
	switch len(found) {
	case 0:
		return subtensor.Proxy{}, subnet.WithHint(fmt.Errorf("%s may not act so for the account", keys.Address(delegate)), "'adit proxy list' shows who may")
	case 1:
		return found[0], nil
	}
	return subtensor.Proxy{}, subnet.WithHint(fmt.Errorf("%s may act in several ways: which one is meant?", keys.Address(delegate)), strings.Join(kinds, ", or "))
}
