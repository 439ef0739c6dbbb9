package main

// SudoCommand is where btcli has the settings of subnets.
type SudoCommand struct {
	Get HyperparametersCommand `cmd:"" help:"See subnet hyperparameters."`
	Set SubnetSetCommand       `cmd:"" help:"See subnet set."`
}
