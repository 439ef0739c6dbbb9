package local

import (
	"context"
	"errors"
	"fmt"
	"time"

	"adit/internal/keys"
	"adit/internal/scale"
	"adit/internal/subnet"
	"adit/internal/subtensor"
	"adit/internal/wallet"
)

// rao is how many RAO a TAO has.
const rao = 1_000_000_000

// What the accounts of a local network begin with, in TAO.
const (
	ownerFunds     = 10_000
	validatorFunds = 5_000
	minerFunds     = 100
	validatorStake = 2_000
)

const (
	ownerName  = "owner"
	hotkeyName = "default"
	sudoURI    = "//Alice" // as on every development chain
)

// client connects to the chain, once its node is up.
func (n *Network) client(ctx context.Context) (*subtensor.Client, error) {
	for {
		c, err := subtensor.Dial(ctx, subtensor.Options{Endpoints: []string{n.plan.chainURL()}})
		if err == nil {
			return c, nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// patience is for how long the chain may not answer, or not go on: a node that is
// being started again does sooner.
const patience = 30 * time.Second

// persistently repeats a step that broke off because the node did.
func persistently(ctx context.Context, step func(context.Context) error) error {
	began := time.Now()
	for {
		err := step(ctx)
		if err == nil || !errors.Is(err, subnet.ErrTemporary) || time.Since(began) > patience {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// setUpChain makes the accounts, the subnet and its settings, registers the
// neurons and stakes. What is there already stays as it is.
func (n *Network) setUpChain(ctx context.Context) error {
	c, err := n.client(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	root, err := sudoSigner()
	if err != nil {
		return err
	}
	owner, err := n.wallet(ownerName)
	if err != nil {
		return err
	}
	if err := n.fund(ctx, c, root, owner); err != nil {
		return fmt.Errorf("fund accounts: %w", err)
	}
	if n.plan.NetUID == 0 {
		if err := n.foundSubnet(ctx, c, root, owner); err != nil {
			return fmt.Errorf("found the subnet: %w", err)
		}
	}
	if err := n.tune(ctx, c, root); err != nil {
		return fmt.Errorf("set hyperparameters: %w", err)
	}
	n.state.update(func(s *Snapshot) { s.NetUID = n.plan.NetUID })
	return n.register(ctx, c)
}

// An account is a wallet with both its keys.
type account struct {
	cold, hot *wallet.Signer
}

// wallet returns the account of that name, made if there is none.
func (n *Network) wallet(name string) (account, error) {
	w, err := wallet.At(n.plan.walletDir(n.dir), name, hotkeyName)
	if err != nil {
		return account{}, err
	}
	cold, err := w.Coldkey()
	if errors.Is(err, subnet.ErrNotFound) {
		if _, err = w.CreateColdkey(""); err == nil {
			cold, err = w.Coldkey()
		}
	}
	if err != nil {
		return account{}, err
	}
	hot, err := w.Hotkey()
	if errors.Is(err, subnet.ErrNotFound) {
		if _, err = w.CreateHotkey(""); err == nil {
			hot, err = w.Hotkey()
		}
	}
	return account{cold, hot}, err
}

// A pairSigner signs with a key that is no secret: a development account's.
type pairSigner struct{ *keys.Pair }

func (p pairSigner) Sign(_ context.Context, payload []byte) ([]byte, error) {
	return p.Pair.Sign(payload)
}

func sudoSigner() (subtensor.Signer, error) {
	pair, err := keys.FromURI(sudoURI)
	return pairSigner{pair}, err
}

// fund gives every account that has nothing what it needs, from the development
// account.
func (n *Network) fund(ctx context.Context, c *subtensor.Client, from subtensor.Signer, owner account) error {
	var calls []any
	give := func(a account, tao uint64) error {
		balance, err := c.Balance(ctx, string(a.cold.Hotkey()))
		if err != nil || balance > 0 {
			return err
		}
		call, err := c.Call(ctx, "Balances", "transfer_keep_alive", a.cold.Public(), tao*rao)
		calls = append(calls, scale.Raw(call))
		return err
	}
	if err := give(owner, ownerFunds); err != nil {
		return err
	}
	for i, m := range n.plan.Neurons {
		a, err := n.wallet(m.Name)
		if err != nil {
			return err
		}
		n.plan.Neurons[i].Hotkey = string(a.hot.Hotkey())
		tao := uint64(minerFunds)
		if m.Role == "validate" {
			tao = validatorFunds
		}
		if err := give(a, tao); err != nil {
			return err
		}
	}
	n.state.update(func(s *Snapshot) {
		for i := range s.Neurons {
			s.Neurons[i].Hotkey = n.plan.Neurons[i].Hotkey
		}
	})
	if err := n.plan.save(n.dir); err != nil || len(calls) == 0 {
		return err
	}
	return submitAll(ctx, c, from, calls)
}

// submitAll carries out calls in one extrinsic, all or none.
func submitAll(ctx context.Context, c *subtensor.Client, s subtensor.Signer, calls []any) error {
	batch, err := c.Call(ctx, "Utility", "batch_all", calls)
	if err != nil {
		return err
	}
	_, err = c.Submit(ctx, s, batch, subtensor.SubmitOptions{})
	return err
}

// A setting is an admin call.
type setting struct {
	call string
	args []any
}

// sudoAll changes settings as root, in one extrinsic.
func sudoAll(ctx context.Context, c *subtensor.Client, root subtensor.Signer, settings []setting) error {
	var calls []any
	for _, s := range settings {
		call, err := c.Call(ctx, "AdminUtils", s.call, s.args...)
		if err != nil {
			return err
		}
		calls = append(calls, scale.Raw(call))
	}
	batch, err := c.Call(ctx, "Utility", "batch_all", calls)
	if err != nil {
		return err
	}
	_, err = c.Sudo(ctx, root, batch)
	return err
}

// foundSubnet registers the subnet and starts it, without the days that the
// main network makes one wait.
func (n *Network) foundSubnet(ctx context.Context, c *subtensor.Client, root subtensor.Signer, owner account) error {
	err := sudoAll(ctx, c, root, []setting{
		{"sudo_set_network_rate_limit", []any{uint64(0)}},
		{"sudo_set_start_call_delay", []any{uint64(0)}},
		{"sudo_set_admin_freeze_window", []any{uint16(0)}},
		{"sudo_set_tx_rate_limit", []any{uint64(0)}},
	})
	if err != nil {
		return err
	}
	netuid, err := c.RegisterNetwork(ctx, owner.cold, owner.hot.Public())
	if err != nil {
		return err
	}
	if err := c.StartCall(ctx, owner.cold, netuid); err != nil {
		return err
	}
	n.plan.NetUID = uint16(netuid)
	return n.plan.save(n.dir)
}

// tune sets the subnet's hyperparameters to the pace of a local network.
func (n *Network) tune(ctx context.Context, c *subtensor.Client, root subtensor.Signer) error {
	netuid := n.plan.NetUID
	return sudoAll(ctx, c, root, []setting{
		{"sudo_set_tempo", []any{netuid, uint16(n.recipe.tempo())}},
		{"sudo_set_weights_set_rate_limit", []any{netuid, uint64(0)}},
		{"sudo_set_serving_rate_limit", []any{netuid, uint64(0)}},
		{"sudo_set_commit_reveal_weights_enabled", []any{netuid, false}},
		{"sudo_set_network_registration_allowed", []any{netuid, true}},
		// Whoever stakes later gets less for it, and miners earn stake: with as many
		// permits as validators the last of them would lose its own. Who validates
		// is in the neurons' settings.
		{"sudo_set_max_allowed_validators", []any{netuid, uint16(len(n.plan.Neurons) + 1)}},
	})
}

// register makes every neuron of the plan one of the subnet, and the validators'
// stake enough for a permit.
func (n *Network) register(ctx context.Context, c *subtensor.Client) error {
	var fresh []*member
	for i := range n.plan.Neurons {
		m := &n.plan.Neurons[i]
		a, err := n.wallet(m.Name)
		if err != nil {
			return err
		}
		netuid := subnet.NetUID(n.plan.NetUID)
		meta, err := c.Subnet(netuid, a.hot).Metagraph(ctx, subnet.Latest)
		if err != nil {
			return err
		}
		neuron, there := meta.ByHotkey(a.hot.Hotkey())
		if !there {
			if err := c.BurnedRegister(ctx, a.cold, netuid, a.hot.Public()); err != nil {
				return fmt.Errorf("register %s: %w", m.Name, err)
			}
			fresh = append(fresh, m)
		}
		if m.Role == "validate" && neuron.Stake == 0 {
			if err := c.AddStake(ctx, a.cold, netuid, a.hot.Public(), validatorStake*rao); err != nil {
				return fmt.Errorf("stake for %s: %w", m.Name, err)
			}
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	return n.noteStakes(ctx, c, fresh)
}

// noteStakes keeps what members have before they earn anything.
func (n *Network) noteStakes(ctx context.Context, c *subtensor.Client, members []*member) error {
	meta, err := c.Subnet(subnet.NetUID(n.plan.NetUID), nil).Metagraph(ctx, subnet.Latest)
	if err != nil {
		return err
	}
	for _, m := range members {
		v, _ := meta.ByHotkey(subnet.Hotkey(m.Hotkey))
		m.Stake = v.Stake
	}
	return n.plan.save(n.dir)
}
