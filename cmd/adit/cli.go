package main

// CLI is the command line: one field a command, in the order of the help.
type CLI struct {
	Up     UpCommand     `cmd:"" help:"Run a whole network on this machine."`
	Status StatusCommand `cmd:"" help:"Show a network that runs."`
	Logs   LogsCommand   `cmd:"" help:"Show the logs of its processes."`
	Down   DownCommand   `cmd:"" help:"End it."`

	Mine     MineCommand     `cmd:"" help:"Mine: train, commit, submit."`
	Train    TrainCommand    `cmd:"" help:"Only train: the first half of a miner."`
	ModelIO  ModelIOCommand  `cmd:"" name:"model-io" help:"Only exchange models: the second half of a miner."`
	Validate ValidateCommand `cmd:"" help:"Validate: score, merge, set weights."`

	Bench BenchCommand `cmd:"" help:"Measure how fast this machine trains."`

	Chain ChainCommand `cmd:"" help:"The local chain."`
	Hub   HubCommand   `cmd:"" help:"The local model hub."`

	Protocols ProtocolsCommand `cmd:"" help:"List the networks that adit knows."`
	Version   VersionCommand   `cmd:"" help:"Show which adit this is."`
}
