package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"adit/internal/keys"
	"adit/internal/scale"
	"adit/internal/subnet"
	"adit/internal/subtensor"
	"adit/internal/tui"
)

// SubnetSetCommand sets a hyperparameter.
type SubnetSetCommand struct {
	ownerFlags
	netuidFlag
	Name   string   `arg:"" optional:"" help:"The setting, as 'adit subnet hyperparameters' shows it."`
	Values []string `arg:"" optional:"" name:"value" help:"Its new value. Integers, true and false, decimals; amounts in RAO, or as 0.5tao."`
	Param  string   `placeholder:"NAME" help:"The same as the first argument."`
	Value  string   `placeholder:"V" help:"The same as the second."`
	Sudo   bool     `help:"Do it as root: the wallet's coldkey is the chain's sudo key, as on a chain of your own."`
}

// Help shows examples.
func (SubnetSetCommand) Help() string {
	return `Changes a setting of a subnet, which its owner may. Without a name it lists what
can be set, by whom, and what it is now. What the chain will take it says itself:
some settings have bounds, and none can be changed shortly before an epoch.

Examples:
  adit subnet set --netuid 1
  adit subnet set --netuid 1 immunity_period 7200 --wallet-name owner
  adit subnet set --netuid 1 alpha_values 45875 58982
  adit subnet set --netuid 1 tempo 20 --sudo --wallet-name alice --network local
  adit sudo set --netuid 1 immunity_period 7200 --wallet-name owner`
}

// A settable is a setting as JSON.
type settable struct {
	Name  string `json:"name"`
	Call  string `json:"call"`
	Type  string `json:"type"`
	Who   string `json:"who"` // "owner", or "root"
	Value any    `json:"value,omitempty"`
}

// A settingResult is what became of a setting.
type settingResult struct {
	Netuid uint16   `json:"netuid"`
	Name   string   `json:"name"`
	Values []string `json:"values"`
	Before any      `json:"before,omitempty"`
	After  any      `json:"after,omitempty"`
}

// Run sets it.
func (c SubnetSetCommand) Run(ctx context.Context, t terminal) error {
	n, err := c.netuid()
	if err != nil {
		return err
	}
	if c.Param != "" {
		c.Values = append([]string{c.Name}, c.Values...)
		if c.Values[0] == "" {
			c.Values = c.Values[1:]
		}
		c.Name = c.Param
	}
	if c.Value != "" {
		c.Values = append(c.Values, splitList(c.Value)...)
	}
	if c.Name == "" {
		return c.list(ctx, t, n)
	}
	o, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer o.client.Close()
	if err := o.exists(ctx, n); err != nil {
		return err
	}
	now, err := hyperparameters(ctx, o.View, n)
	if err != nil {
		return err
	}
	name, values, err := parted(c.Name, c.Values, now)
	if err != nil {
		return err
	}
	s, err := findSetting(settings(o.Runtime), name, c.Sudo)
	if err != nil {
		return err
	}
	if len(values) == 0 {
		return subnet.WithHint(fmt.Errorf("what is %s to be set to?", s.name), fmt.Sprintf("it takes %s; now it is %s", s.types(o.Runtime), valueText(now[c.Name])))
	}
	call, err := s.callWith(o.Runtime, n, values)
	if err != nil {
		return err
	}
	if err := o.mayset(ctx, n, c.Sudo); err != nil {
		return err
	}
	if c.Sudo {
		call = subtensor.Root(call)
	}
	shown := s.name
	if _, is := now[c.Name]; is {
		shown = c.Name
	}
	told := [][2]string{{"subnet", fmt.Sprint(n)}, {"setting", s.name}}
	if before, is := now[s.name]; is {
		told = append(told, [2]string{"now", valueText(before)})
	}
	r, err := c.deal(ctx, t, o.client, deal{signer: o.files, call: call, title: "set a hyperparameter",
		told: append(told, [2]string{"then", strings.Join(values, " ")}, [2]string{"by", s.pallet + "." + s.call})})
	if err != nil {
		return err
	}
	result := settingResult{Netuid: uint16(n), Name: shown, Values: values, Before: now[shown]}
	if !r.DryRun {
		v, err := o.client.At(ctx, subnet.Latest)
		if err != nil {
			return err
		}
		if now, err = hyperparameters(ctx, v, n); err != nil {
			return err
		}
		result.After = now[shown]
	}
	r.Message = fmt.Sprintf("Set %s of subnet %d", shown, n)
	if result.After == nil {
		return c.print(t, r, result, [2]string{shown, strings.Join(values, " ")})
	}
	return c.print(t, r, result, [2]string{shown, valueText(result.Before) + " → " + valueText(result.After)})
}

// parted returns which setting is meant by the name of a part of one, and all its
// values: of two that are set together the other stays, and a version is a switch.
func parted(name string, values []string, now map[string]any) (string, []string, error) {
	if len(values) != 1 {
		return name, values, nil
	}
	switch name {
	case "alpha_low":
		return "alpha_values", []string{values[0], valueText(now["alpha_high"])}, nil
	case "alpha_high":
		return "alpha_values", []string{valueText(now["alpha_low"]), values[0]}, nil
	case "yuma_version":
		if values[0] != "2" && values[0] != "3" {
			return "", nil, fmt.Errorf("yuma_version: %q is neither 2 nor 3", values[0])
		}
		return "yuma3_enabled", []string{fmt.Sprint(values[0] == "3")}, nil
	}
	return name, values, nil
}

// mayset returns an error if the account may not change the subnet's settings.
func (o *owner) mayset(ctx context.Context, n subnet.NetUID, sudo bool) error {
	var may subtensor.Account
	if sudo {
		got, err := o.Get(ctx, "Sudo", "Key")
		if err != nil {
			return err
		}
		if scale.Assign(&may, got) != nil || may != o.who {
			return subnet.WithHint(errors.New("the chain's sudo key is another, or there is none"), "on a chain of your own it is that of //Alice: --wallet-name tells who signs")
		}
		return nil
	}
	got, err := o.Get(ctx, "SubtensorModule", "SubnetOwner", n)
	if err != nil {
		return err
	}
	if err := scale.Assign(&may, got); err != nil {
		return fmt.Errorf("read the owner of subnet %d: %w", n, err)
	}
	if may != o.who {
		return subnet.WithHint(fmt.Errorf("subnet %d belongs to %s, not to %s", n, keys.Address(may), keys.Address(o.who)), "--wallet-name tells who signs; on a chain of your own, --sudo does it as root")
	}
	return nil
}

// hyperparameters returns a subnet's settings by their names.
func hyperparameters(ctx context.Context, v *subtensor.View, n subnet.NetUID) (map[string]any, error) {
	list, err := v.Hyperparameters(ctx, n)
	if err != nil {
		return nil, subnetHint(err)
	}
	out := map[string]any{}
	for _, h := range list {
		out[h.Name] = h.Value
	}
	// Two calls are named otherwise than what they set.
	if low, is := out["alpha_low"]; is {
		out["alpha_values"] = fmt.Sprint(low, " ", out["alpha_high"])
	}
	if version, is := out["yuma_version"]; is {
		out["yuma3_enabled"] = version == uint64(3)
	}
	return out, nil
}

func valueText(v any) string {
	if v == nil {
		return "not shown"
	}
	return fmt.Sprint(v)
}

// list shows what can be set.
func (c SubnetSetCommand) list(ctx context.Context, t terminal, n subnet.NetUID) error {
	client, v, err := c.head(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	now, err := hyperparameters(ctx, v, n)
	if err != nil {
		return err
	}
	all := []settable{}
	table := tui.Table{Columns: []tui.Column{{Head: "SETTING"}, {Head: "NOW", Right: true}, {Head: "TYPE", Drop: 1}, {Head: "WHO"}, {Head: "CALL", Drop: 2}}}
	for _, s := range settings(v.Runtime) {
		x := settable{s.name, s.pallet + "." + s.call, s.types(v.Runtime), s.ownerText(), now[s.name]}
		all = append(all, x)
		shown := ""
		if x.Value != nil {
			shown = valueText(x.Value)
		}
		table.Rows = append(table.Rows, []string{x.Name, shown, x.Type, x.Who, x.Call})
	}
	if c.JSON {
		return printJSON(t, map[string]any{"netuid": n, "settings": all})
	}
	if slices.IndexFunc(all, func(s settable) bool { return s.Who == "owner" }) < 0 {
		return errors.New("this runtime has no settings that an owner may change")
	}
	return printTable(t, table)
}
