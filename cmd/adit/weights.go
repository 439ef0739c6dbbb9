package main

// WeightsCommand is about what validators think of neurons.
type WeightsCommand struct {
	Show   WeightsShowCommand   `cmd:"" default:"withargs" help:"Show the weights of a subnet."`
	Set    WeightsSetCommand    `cmd:"" help:"Set weights, in the way that the subnet wants."`
	Commit WeightsCommitCommand `cmd:"" help:"Commit to weights by their hash."`
	Reveal WeightsRevealCommand `cmd:"" help:"Show weights that were committed to."`
}
