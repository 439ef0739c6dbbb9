package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"adit/internal/keys"
	"adit/internal/scale"
	"adit/internal/subnet"
	"adit/internal/subtensor"
	"adit/internal/wallet"
)

// A dealFlags says how what costs something, or speaks for a key, is done.
type dealFlags struct {
	passwordFlags
	Yes       bool    `short:"y" aliases:"no-prompt,no_prompt" help:"Do it without asking."`
	DryRun    bool    `aliases:"dry_run" help:"Show what it is and what it costs. Nothing is signed."`
	Finalized bool    `aliases:"wait-for-finalization,wait_for_finalization" help:"Wait until the block is final, not only until there is one."`
	Period    uint64  `aliases:"era" default:"128" placeholder:"BLOCKS" help:"For how many blocks it may be included (${default})."`
	Tip       taoFlag `placeholder:"TAO" help:"What the block's author gets besides the fee."`
	Proxy     string  `placeholder:"ADDRESS" help:"Act for this account, which has made the signer its proxy."`
	JSON      bool    `name:"json" aliases:"json-output,json-out" help:"Print JSON."`
}

// A deal is a call that a person is shown before it is signed.
type deal struct {
	signer wallet.Files
	call   subtensor.Call
	title  string      // what it does
	told   [][2]string // what there is to know of it, by name
	spends uint64      // RAO that leave the account, besides the fee
	keeps  bool        // and that the account outlives it: the existential deposit stays in it
	stake  bool        // moves stake, of which chains take the fee where there is no TAO for it
	// ready, if not nil, is what must be done once a person has agreed and before
	// anything is signed. It returns the call to sign: people take their time,
	// and what call says of the chain may be over by then.
	ready func(context.Context) (subtensor.Call, error)
}

// A receipt is what is told of a deal.
type receipt struct {
	Success    bool   `json:"success"`
	Message    string `json:"msg,omitempty"` // in words
	DryRun     bool   `json:"dry_run,omitempty"`
	Call       string `json:"call"`
	Data       string `json:"call_data,omitempty"` // of a dry run: the call in SCALE
	Signer     string `json:"signer"`
	Fee        uint64 `json:"fee"`                            // RAO, as it was told before
	Identifier string `json:"extrinsic_identifier,omitempty"` // block and index
	Hash       string `json:"extrinsic_hash,omitempty"`
	Block      uint64 `json:"block,omitempty"`
	BlockHash  string `json:"block_hash,omitempty"`
	Result     any    `json:"result,omitempty"` // of the command's own

	events []scale.Event
}

// deal shows a call with its fee, asks, signs and follows it into a block, and
// returns what became of it. Where nothing was to be sent, the receipt is that of
// a dry run.
func (f dealFlags) deal(ctx context.Context, t terminal, client *subtensor.Client, d deal) (*receipt, error) {
	key, err := d.signer.PublicKey()
	if err != nil {
		return nil, lockedHint(err)
	}
	r := &receipt{Call: d.call.String(), Signer: key.Address()}
	payer, err := f.actor(key.Public())
	if err != nil {
		return nil, err
	}
	call := f.proxied(payer, d.call)
	if r.Fee, err = client.Fee(ctx, key.Public(), call); err != nil {
		return nil, err
	}
	if err := f.show(ctx, t, client, d, r); err != nil {
		return nil, err
	}
	if err := affordable(ctx, client, payer, d, key.Public(), f.fee(d, r.Fee)); err != nil {
		return nil, err
	}
	if f.DryRun {
		b, err := client.Encode(ctx, call)
		r.Success, r.DryRun, r.Data = true, true, "0x"+hex.EncodeToString(b)
		return r, err
	}
	if err := f.confirm(ctx, t); err != nil {
		return nil, err
	}
	pw, err := f.passwords(t)
	if err != nil {
		return nil, err
	}
	defer pw.Given.Wipe()
	signer, err := d.signer.Unlock(ctx, pw)
	if err != nil {
		return nil, lockedHint(err)
	}
	defer signer.Close()
	if d.ready != nil {
		if d.call, err = d.ready(ctx); err != nil {
			return nil, err
		}
		call = f.proxied(payer, d.call)
	}
	in, err := client.Do(ctx, signer, call, subtensor.SubmitOptions{Finalized: f.Finalized, Period: f.Period, Tip: uint64(f.Tip)})
	if err != nil {
		return nil, err
	}
	r.Success, r.events = true, in.Events
	r.Identifier, r.Hash, r.Block, r.BlockHash = fmt.Sprintf("%d-%d", in.Block, in.Index), in.Hash, uint64(in.Block), in.BlockHash
	return r, nil
}

// fee returns what the signer must have in TAO besides what a deal spends.
func (f dealFlags) fee(d deal, fee uint64) uint64 {
	if d.stake && f.Proxy == "" {
		return 0
	}
	return fee + min(uint64(f.Tip), math.MaxUint64-fee)
}

// actor returns for which account a key acts: its own, or that of --proxy.
func (f dealFlags) actor(key subtensor.Account) (subtensor.Account, error) {
	if f.Proxy == "" {
		return key, nil
	}
	return parseAccount(f.Proxy)
}

// proxied returns the call as it is signed.
func (f dealFlags) proxied(owner subtensor.Account, k subtensor.Call) subtensor.Call {
	if f.Proxy == "" {
		return k
	}
	return subtensor.Proxied(owner, "", k)
}

// show tells a person what is about to be done. Programs, which get JSON, are not
// told twice.
func (f dealFlags) show(ctx context.Context, t terminal, client *subtensor.Client, d deal, r *receipt) error {
	if f.JSON {
		return nil
	}
	told := append(d.told[:len(d.told):len(d.told)], [2]string{"signed by", d.signer.Kind + " " + d.signer.Name() + ", " + r.Signer})
	if f.Proxy != "" {
		told = append(told, [2]string{"for", f.Proxy})
	}
	fee := "none"
	if r.Fee > 0 {
		fee = formatTAO(r.Fee) + " TAO"
	}
	told = append(told, [2]string{"fee", fee})
	_, err := io.WriteString(t.err, pairLines(d.title, told))
	return err
}

// affordable returns an error if an account cannot pay, before a person is asked
// for a password.
func affordable(ctx context.Context, client *subtensor.Client, payer subtensor.Account, d deal, signer subtensor.Account, fee uint64) error {
	v, err := client.At(ctx, subnet.Latest)
	if err != nil {
		return err
	}
	kept := uint64(0)
	if d.keeps {
		if kept, err = v.ExistentialDeposit(); err != nil {
			return err
		}
	}
	need := map[subtensor.Account]uint64{payer: d.spends}
	need[signer] += min(fee, math.MaxUint64-need[signer])
	for who, rao := range need {
		has, err := v.Account(ctx, who)
		if err != nil {
			return err
		}
		stays := has.Frozen
		if who == payer {
			stays = max(stays, kept)
		}
		if spendable := has.Free - min(has.Free, stays); rao > spendable {
			return subnet.WithHint(fmt.Errorf("%s can spend %s TAO, and this takes %s TAO with its fee", keys.Address(who), formatTAO(spendable), formatTAO(rao)),
				"take less, or send it more TAO first")
		}
	}
	return nil
}

// confirm asks whether to go on, unless a flag says so. Nobody to ask is a no.
func (f dealFlags) confirm(ctx context.Context, t terminal) error {
	if f.Yes {
		return nil
	}
	if prompt(t) == nil {
		return subnet.WithHint(errNobody, "--yes does it without asking; --dry-run only shows what it costs")
	}
	answer, err := askLine(ctx, t, "Do you want to continue? [y/N] ")
	if err != nil {
		return err
	}
	if a := strings.ToLower(answer); a != "y" && a != "yes" {
		return errors.New("not done: you said no")
	}
	return nil
}

// print tells what became of a deal, and what has changed by it.
func (f dealFlags) print(t terminal, r *receipt, result any, changed ...[2]string) error {
	if f.JSON {
		r.Result = result
		return json.NewEncoder(t.out).Encode(r)
	}
	if r.DryRun {
		_, err := fmt.Fprintf(t.out, "dry run: nothing was sent. The call is %s\n", r.Data)
		return err
	}
	title := r.Message
	if title == "" {
		title = "done in block " + fmt.Sprint(r.Block)
	}
	return printPairs(t, title, append(changed, [2]string{"extrinsic", r.Identifier + " " + r.Hash}))
}

// parseAccount reads an address of these networks, or the hexadecimal digits of a
// public key.
func parseAccount(text string) (subtensor.Account, error) {
	if raw, err := hex.DecodeString(strings.TrimPrefix(text, "0x")); err == nil && len(raw) == 32 {
		return subtensor.Account(raw), nil
	}
	who, err := keys.ParseAddress(text)
	if err != nil {
		err = subnet.WithHint(fmt.Errorf("address %q: %w", text, err), "an address has 48 letters and digits, such as 5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY")
	}
	return who, err
}
