package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"adit/internal/keys"
	"adit/internal/subnet"
	"adit/internal/subtensor"
	"adit/internal/wallet"
)

// WalletSwapColdkeyCommand is about coldkeys that take the place of others.
type WalletSwapColdkeyCommand struct {
	Announce WalletSwapAnnounceCommand `cmd:"" help:"Announce the coldkey that will take the place of another."`
	Execute  WalletSwapExecuteCommand  `cmd:"" help:"Give the announced coldkey all that the old one has."`
	Status   WalletSwapStatusCommand   `cmd:"" aliases:"check" help:"Tell what is announced."`
	Dispute  WalletSwapDisputeCommand  `cmd:"" help:"Stop a swap that somebody else has announced with your coldkey."`
	Clear    WalletSwapClearCommand    `cmd:"" help:"Take an announcement back."`
}

// A newColdkeyFlag says which coldkey takes the place.
type newColdkeyFlag struct {
	New string `name:"new-coldkey" aliases:"new-coldkey-ss58,new-wallet,new_coldkey" required:"" placeholder:"NAME|ADDRESS" help:"The new coldkey: the name of its wallet, or its address."`
}

func (f newColdkeyFlag) account(in coldkeyFlags) (subtensor.Account, error) {
	if who, err := keys.ParseAddress(f.New); err == nil {
		return who, nil
	}
	w, err := wallet.At(in.WalletPath, f.New, "default")
	if err != nil {
		return subtensor.Account{}, nameHint(err)
	}
	key, err := w.ColdkeyFiles().PublicKey()
	if err != nil {
		return subtensor.Account{}, subnet.WithHint(err, "--new-coldkey takes the name of a wallet, or an address")
	}
	return key.Public(), nil
}

// A swapState is what a coldkey has announced.
type swapState struct {
	Coldkey   string       `json:"coldkey_ss58"`
	New       string       `json:"new_coldkey_ss58,omitempty"` // where it is known
	Announced bool         `json:"announced"`
	Disputed  bool         `json:"disputed"`
	Hash      string       `json:"new_coldkey_hash,omitempty"`
	Block     subnet.Block `json:"block"` // as of which this is so
	From      subnet.Block `json:"execute_from,omitempty"`
	Clear     subnet.Block `json:"clear_from,omitempty"`
	Cost      uint64       `json:"cost,omitempty"` // RAO besides the fee

	blockTime time.Duration
	delay     subnet.Block
}

func readSwap(ctx context.Context, client *subtensor.Client, v *subtensor.View, who subtensor.Account) (swapState, subtensor.ColdkeySwap, error) {
	c, err := v.ColdkeySwap(ctx, who)
	if err != nil {
		return swapState{}, c, err
	}
	s := swapState{Coldkey: keys.Address(who), Announced: c.Announced, Disputed: c.Disputed, Block: v.Block, From: c.From, Clear: c.Clear, delay: subnet.Block(c.Delay)}
	if c.Announced {
		s.Hash = "0x" + hex.EncodeToString(c.Hash[:])
	}
	s.blockTime, err = client.BlockTime(ctx)
	return s, c, err
}

// when tells how long it is until a block.
func (s swapState) when(b subnet.Block) string {
	if s.Block+1 >= b {
		return fmt.Sprintf("from block %d on, which is now", b)
	}
	return fmt.Sprintf("from block %d on, in %s", b, blocksText(b-s.Block, s.blockTime))
}

func (s swapState) pairs() [][2]string {
	told := [][2]string{{"coldkey", s.Coldkey}}
	if s.New != "" {
		told = append(told, [2]string{"new", s.New})
	}
	if s.Disputed {
		return append(told, [2]string{"disputed", "nobody can do anything with it until the chain's root has looked at it"})
	}
	return append(told, [2]string{"execute", s.when(s.From)}, [2]string{"take back", s.when(s.Clear)})
}

// errNoSwap says that nothing is announced.
func errNoSwap(who string) error {
	return subnet.WithHint(fmt.Errorf("%s has announced no other coldkey", who), "'adit wallet swap-coldkey announce' does; --wallet-name tells which wallet is meant")
}

// errDisputed says that a swap was disputed.
func errDisputed() error {
	return subnet.WithHint(errors.New("the swap of this coldkey is disputed"), "only the chain's root can help now")
}

// WalletSwapStatusCommand tells what is announced.
type WalletSwapStatusCommand struct {
	coldkeyFlags
	readFlags
	SS58 string `name:"ss58" aliases:"ss58-address,coldkey" placeholder:"ADDRESS" help:"Of this coldkey, instead of the wallet's."`
}

// Help shows examples.
func (WalletSwapStatusCommand) Help() string {
	return `Tells whether a coldkey has announced another, and from when on it may be swapped.
If you have not announced it yourself, somebody has your key: 'dispute' stops it.

Examples:
  adit wallet swap-coldkey status
  adit wallet swap-coldkey status --ss58 5DAA… --json
  adit wallet swap-check`
}

// Run tells.
func (c WalletSwapStatusCommand) Run(ctx context.Context, t terminal) error {
	var who subtensor.Account
	var err error
	if c.SS58 != "" {
		who, err = parseAccount(c.SS58)
	} else if f, missing := c.coldkey(); missing != nil {
		err = missing
	} else if key, locked := f.PublicKey(); locked != nil {
		err = lockedHint(locked)
	} else {
		who = key.Public()
	}
	if err != nil {
		return err
	}
	client, v, err := c.head(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	s, _, err := readSwap(ctx, client, v, who)
	switch {
	case err != nil:
		return err
	case c.JSON:
		return printJSON(t, s)
	case !s.Announced:
		return printPairs(t, "no other coldkey is announced", [][2]string{{"coldkey", s.Coldkey}})
	}
	return printPairs(t, "another coldkey is announced", append(s.pairs(), [2]string{"its hash", s.Hash}))
}

// WalletSwapAnnounceCommand announces another coldkey.
type WalletSwapAnnounceCommand struct {
	ownerFlags
	newColdkeyFlag
}

// Help shows examples.
func (WalletSwapAnnounceCommand) Help() string {
	return `Announces the coldkey that will take the place of another, by its hash. It costs
something besides the fee. From then on the old coldkey can do nothing else: no
transfer, no stake, until the swap is done or the announcement is taken back.

Examples:
  adit wallet swap-coldkey announce --new-coldkey safe
  adit wallet swap-coldkey announce --wallet-name old --new-coldkey 5DAA… --dry-run`
}

// Run announces it.
func (c WalletSwapAnnounceCommand) Run(ctx context.Context, t terminal) error {
	now, err := c.account(c.coldkeyFlags)
	if err != nil {
		return err
	}
	o, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer o.client.Close()
	s, _, err := readSwap(ctx, o.client, o.View, o.who)
	switch {
	case err != nil:
		return err
	case now == o.who:
		return subnet.WithHint(errors.New("the new coldkey is the old one"), "'adit wallet new-coldkey' makes another")
	case s.Disputed:
		return errDisputed()
	case s.Announced && s.Block+1 < s.Clear:
		return subnet.WithHint(errors.New("another coldkey is announced already"), "it may be replaced "+s.when(s.Clear))
	}
	if !s.Announced { // only the first costs something
		if s.Cost, err = o.ColdkeySwapCost(); err != nil {
			return err
		}
	}
	s.New = keys.Address(now)
	d := deal{signer: o.files, title: "announce another coldkey", call: subtensor.AnnounceColdkeySwap(now), spends: s.Cost, keeps: true, told: [][2]string{
		{"old", s.Coldkey}, {"new", s.New}, {"cost", formatTAO(s.Cost) + " TAO, which are gone"},
		{"execute", "in " + blocksText(s.delay, s.blockTime)}, {"until then", "the old coldkey can do nothing else"}}}
	return c.swap(ctx, t, o, d, s)
}

// swap does what changes an announcement, and tells what it is then.
func (f ownerFlags) swap(ctx context.Context, t terminal, o *owner, d deal, before swapState) error {
	r, err := f.deal(ctx, t, o.client, d)
	if err != nil {
		return err
	}
	if r.DryRun {
		return f.print(t, r, before)
	}
	v, err := o.client.At(ctx, subnet.Block(r.Block))
	if err != nil {
		return err
	}
	s, _, err := readSwap(ctx, o.client, v, o.who)
	if err != nil {
		return err
	}
	s.New, s.Cost = before.New, before.Cost
	if !s.Announced {
		return f.print(t, r, s)
	}
	return f.print(t, r, s, s.pairs()...)
}

// WalletSwapExecuteCommand swaps.
type WalletSwapExecuteCommand struct {
	ownerFlags
	newColdkeyFlag
}

// Help shows examples.
func (WalletSwapExecuteCommand) Help() string {
	return `Gives the coldkey that was announced all that the old one has: its balance, its
stake, its hotkeys and its subnets. 'adit wallet swap-coldkey status' tells from when
on that may be done.

Examples:
  adit wallet swap-coldkey execute --new-coldkey safe
  adit wallet swap-coldkey execute --wallet-name old --new-coldkey 5DAA… --dry-run`
}

// Run swaps it.
func (c WalletSwapExecuteCommand) Run(ctx context.Context, t terminal) error {
	now, err := c.account(c.coldkeyFlags)
	if err != nil {
		return err
	}
	o, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer o.client.Close()
	s, announced, err := readSwap(ctx, o.client, o.View, o.who)
	switch {
	case err != nil:
		return err
	case !s.Announced:
		return errNoSwap(s.Coldkey)
	case s.Disputed:
		return errDisputed()
	case !announced.Is(now):
		return subnet.WithHint(fmt.Errorf("%s is not the coldkey that was announced", keys.Address(now)), "--new-coldkey names the one that was")
	case s.Block+1 < s.From:
		return subnet.WithHint(errors.New("it is too early for the swap"), "it may be done "+s.when(s.From))
	}
	before, err := o.Accounts(ctx, o.who, now)
	if err != nil {
		return err
	}
	s.New = keys.Address(now)
	d := deal{signer: o.files, title: "swap a coldkey", call: subtensor.SwapColdkeyAnnounced(now), told: [][2]string{
		{"old", s.Coldkey}, {"new", s.New}, {"gets", formatTAO(before[0].Free) + " TAO, less the fee, and all stake, hotkeys and subnets"}}}
	return c.swap(ctx, t, o, d, s)
}

// WalletSwapDisputeCommand disputes a swap.
type WalletSwapDisputeCommand struct{ ownerFlags }

// Help shows examples.
func (WalletSwapDisputeCommand) Help() string {
	return `Stops a swap that somebody else has announced with your coldkey. Nobody, not even
you, can do anything with the coldkey then until the chain's root has looked at it.

Examples:
  adit wallet swap-coldkey dispute --wallet-name mine`
}

// Run disputes it.
func (c WalletSwapDisputeCommand) Run(ctx context.Context, t terminal) error {
	o, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer o.client.Close()
	s, _, err := readSwap(ctx, o.client, o.View, o.who)
	switch {
	case err != nil:
		return err
	case !s.Announced:
		return errNoSwap(s.Coldkey)
	case s.Disputed:
		return subnet.WithHint(errors.New("the swap is disputed already"), "only the chain's root can help now")
	}
	return c.swap(ctx, t, o, deal{signer: o.files, title: "dispute the swap of a coldkey", call: subtensor.DisputeColdkeySwap(),
		told: [][2]string{{"coldkey", s.Coldkey}, {"from then on", "nobody can do anything with it until the chain's root has looked at it"}}}, s)
}

// WalletSwapClearCommand takes an announcement back.
type WalletSwapClearCommand struct{ ownerFlags }

// Help shows examples.
func (WalletSwapClearCommand) Help() string {
	return `Takes an announcement of another coldkey back, once it could have been replaced.

Examples:
  adit wallet swap-coldkey clear --wallet-name mine`
}

// Run takes it back.
func (c WalletSwapClearCommand) Run(ctx context.Context, t terminal) error {
	o, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer o.client.Close()
	s, _, err := readSwap(ctx, o.client, o.View, o.who)
	switch {
	case err != nil:
		return err
	case !s.Announced:
		return errNoSwap(s.Coldkey)
	case s.Disputed:
		return errDisputed()
	case s.Block+1 < s.Clear:
		return subnet.WithHint(errors.New("it is too early to take it back"), "it may be done "+s.when(s.Clear))
	}
	return c.swap(ctx, t, o, deal{signer: o.files, title: "take back the announcement of another coldkey", call: subtensor.ClearColdkeySwap(),
		told: [][2]string{{"coldkey", s.Coldkey}}}, s)
}
