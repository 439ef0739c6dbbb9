package local

import (
	"context"
	"fmt"

	"adit/internal/data"
	"adit/internal/subnet"
	"adit/internal/subtensor"
)

// A recipe is what a network of one protocol is made of, besides a chain, wallets and
// the text: which services and neurons it has, what they begin with, and how time is
// cut. What a recipe makes stays from one start to the next.
type recipe interface {
	// ruleName names the rules that the network lives by.
	ruleName() string
	// validate says what of the options the protocol does not allow.
	validate(o Options) []error
	// extend adds the neurons that the options ask for and the plan lacks. Neurons
	// that are there stay, so that a network can grow from one start to the next.
	extend(p *plan, o Options, token func() string)
	// check says what no plan of the protocol can be.
	check(p *plan) error
	// ports returns where the plan has the ports of the protocol's services.
	ports(p *plan) []*int
	// services returns the processes besides the chain node and the neurons.
	services(n *Network) ([]*process, error)
	// textServices returns those that need what genesis makes.
	textServices(n *Network) []*process

	// genesis makes what the neurons begin with out of the text. The chain is set up
	// meanwhile.
	genesis(ctx context.Context, n *Network, corpus *data.Corpus) error
	// begin brings a new chain from its head to where the neurons are started.
	begin(ctx context.Context, n *Network, c *subtensor.Client, head subnet.Block) error
	// writeConfig writes a neuron's config.yaml, unless there is one: what a person
	// changed there stays.
	writeConfig(n *Network, m member) error
	// settings are what may change from one start to the next, as KEY=VALUE, and
	// secrets the environment of a neuron.
	settings(p *plan, m member) []string
	secrets(p *plan, m member) []string
	// measure tells what the network has learned, where no neuron does. It is called
	// after each block that was looked at.
	measure(ctx context.Context, n *Network, corpus *data.Corpus) error

	// tempo is how many blocks an epoch has.
	tempo() subnet.Block
	// moment returns where a block stands in its round.
	moment(b subnet.Block) subnet.Moment
	// whole returns the next round that is still whole at a block.
	whole(b subnet.Block) uint64
}

// Protocols lists what a local network can be one of, the usual one first.
var Protocols = [...]string{"connito", "templar"}

// recipeOf returns the recipe of a protocol. With rules that there are none of it
// returns an error, and a recipe that can say what else is wrong.
func recipeOf(protocol, rules string) (recipe, error) {
	switch protocol {
	case "", "connito":
		r, err := ruleset(rules)
		return connitoRecipe{r}, err
	case "templar":
		r, err := windowRules(rules)
		return templarRecipe{r}, err
	}
	return nil, fmt.Errorf("--protocol: there is no local network of %q, but of %v", protocol, Protocols)
}

// Usual returns the options of a protocol that nobody has chosen: how many miners and
// cheats there are, how long a block takes, and how long the first model is trained.
func Usual(protocol, rules string) Options {
	if protocol == "templar" {
		return usualTemplar()
	}
	return usualConnito(rules)
}
