package main

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// CLI is the command line: one field a command, in the order of the help.
type CLI struct {
	Up     UpCommand     `cmd:"" help:"Run a whole network on this machine."`
	Status StatusCommand `cmd:"" help:"Show a network that runs."`
	Logs   LogsCommand   `cmd:"" help:"Show the logs of its processes."`
	Down   DownCommand   `cmd:"" help:"End it."`

	Train    TrainCommand    `cmd:"" help:"Train a model by yourself, or for a miner with --path."`
	Eval     EvalCommand     `cmd:"" help:"Measure how well a model predicts a text."`
	Generate GenerateCommand `cmd:"" help:"Let a model go on from a text."`

	Mine     MineCommand     `cmd:"" help:"Mine: train, commit, submit."`
	ModelIO  ModelIOCommand  `cmd:"" name:"model-io" help:"Only exchange models: the second half of a miner."`
	Validate ValidateCommand `cmd:"" help:"Validate: score, merge, set weights."`
	Doctor   DoctorCommand   `cmd:"" help:"Look at what a neuron needs before its first round."`
	Why      WhyCommand      `cmd:"" help:"Tell, gate by gate, what came of a submission."`

	Owner OwnerCommand `cmd:"" help:"Serve phases and choose experts, as the owner of a subnet."`

	Config ConfigCommand `cmd:"" help:"Write, show and check the settings of a miner or a validator."`

	Wallet       WalletCommand             `cmd:"" help:"Make, restore, list and use wallets."`
	NewColdkey   WalletNewColdkeyCommand   `cmd:"" name:"new_coldkey" hidden:"" help:"See wallet new-coldkey."`
	NewHotkey    WalletNewHotkeyCommand    `cmd:"" name:"new_hotkey" hidden:"" help:"See wallet new-hotkey."`
	RegenColdkey WalletRegenColdkeyCommand `cmd:"" name:"regen_coldkey" hidden:"" help:"See wallet regen-coldkey."`
	RegenHotkey  WalletRegenHotkeyCommand  `cmd:"" name:"regen_hotkey" hidden:"" help:"See wallet regen-hotkey."`
	List         WalletListCommand         `cmd:"" hidden:"" help:"See wallet list."`
	Transfer     TransferCommand           `cmd:"" hidden:"" help:"See wallet transfer."`
	Inspect      InspectCommand            `cmd:"" hidden:"" help:"See wallet inspect."`
	Overview     OverviewCommand           `cmd:"" hidden:"" help:"See wallet overview."`

	Subnet    SubnetCommand         `cmd:"" aliases:"subnets" help:"Look at subnets, and make them."`
	Metagraph MetagraphCommand      `cmd:"" hidden:"" help:"See subnet metagraph."`
	Register  SubnetRegisterCommand `cmd:"" hidden:"" help:"See subnet register."`

	Weights    WeightsCommand    `cmd:"" aliases:"weight,wt" help:"Look at weights, set them, commit to them, reveal them."`
	SetWeights WeightsSetCommand `cmd:"" name:"set_weights" hidden:"" help:"See weights set."`

	Axon       AxonCommand       `cmd:"" help:"Show and publish where neurons serve."`
	Commitment CommitmentCommand `cmd:"" aliases:"commitments" help:"Read and write what neurons commit on the chain."`
	Proxy      ProxyCommand      `cmd:"" help:"Let accounts act for others."`

	Stake   StakeCommand       `cmd:"" aliases:"st" help:"Stake and unstake, move stake, lend it to children."`
	Unstake StakeRemoveCommand `cmd:"" hidden:"" help:"See stake remove."`

	Sudo SudoCommand `cmd:"" aliases:"su" hidden:"" help:"Settings of subnets: see subnet hyperparameters."`

	Rank RankCommand `cmd:"" hidden:"" help:"Train along with a miner that starts this."`

	Bench BenchCommand `cmd:"" help:"Measure how fast this machine trains."`

	Chain ChainCommand `cmd:"" help:"The local chain."`
	Hub   HubCommand   `cmd:"" help:"The local model hub."`
	S3    S3Command    `cmd:"" name:"s3" help:"The local object store."`
	Pages PagesCommand `cmd:"" help:"The local data set server."`

	Protocols ProtocolsCommand `cmd:"" help:"List the networks that adit knows."`
	Version   VersionCommand   `cmd:"" help:"Show which adit this is."`
}

// dashed replaces underscores in the names of commands, as earlier programs spell
// them, by dashes where the command has those: "wallet new_coldkey".
func dashed(node *kong.Node, args []string) []string {
	args = slices.Clone(args)
	for i, arg := range args {
		if strings.HasPrefix(arg, "-") {
			break
		}
		if child(node, arg) == nil {
			arg = strings.ReplaceAll(arg, "_", "-")
		}
		if node = child(node, arg); node == nil {
			break
		}
		args[i] = arg
	}
	return args
}

func child(node *kong.Node, name string) *kong.Node {
	for _, c := range node.Children {
		if c.Name == name || slices.Contains(c.Aliases, name) {
			return c
		}
	}
	return nil
}
