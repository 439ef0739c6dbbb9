// Package connito is the network of expert groups known as Connito, and before
// as BlockZero: miners train one group's routed experts of a mixture-of-experts
// model, commit to the result, then show it, and validators score it by
// Proof-of-Loss, the drop in loss on text nobody trained on.
//
// A cycle, as the neurons live it:
//
//   - Distribute: a miner's model-io reads from the chain whose baseline of its
//     expert group has the most stake behind it, downloads it and checks it.
//   - Train: the miner's train takes optimizer steps on the group's experts, all
//     else frozen, and keeps checkpoints with their loss.
//   - MinerCommit1: model-io takes the best one, uploads it where nobody can
//     find it, and puts the signature of its hash on chain.
//   - MinerCommit2: it makes the upload public and puts hash and place on chain.
//   - Submission: the validator reads both commitments as they stood at the end
//     of each phase, fetches what they name and evaluates it.
//   - Validate: it ranks each group's miners and sets weights.
//   - Merge: it moves each group's baseline towards the best submissions.
//   - ValidatorCommit1 and ValidatorCommit2: it publishes the new baselines, in
//     the same two steps.
//
// There have been five generations of this network, and each is a [Rules] value in
// generations.go. Every decision is pure: rules.go, schedule.go, phaseservice.go
// and waiting.go say when; wire.go, commits.go, messages.go, doorman.go, laxity.go
// and blockzero.go what is sent and what is refused; seed.go, assign.go, groups.go and
// roles.go who evaluates whom; experts.go, assignmentfile.go and bundle.go what a
// group is; score.go, history.go, aggregator.go, weights.go and status.go what it
// is worth, and why.go tells why; merge.go and mergewire.go make the next baseline.
// train.go, modelio.go and validator.go act on them, straight down. A deviation from
// upstream begins with "Unlike upstream".
//
// What came of a submission is told by explain.go and, before the fact, foresee.go,
// by these same functions; checks.go is what should be in order before a first round.
//
// What the owner tells, the lengths of the phases, who validates and which task is
// worked on, is served in owner.go and asked for in asking.go and task.go. told.go
// says from which block on an answer counts, and phases.go begins the rounds anew
// there; a neuron whose owner does not answer goes on with what it knows.
//
// A validator's round is frozen when Submission begins, in freeze.go, kept in
// rounds/<id>.json as rounds.go says, evaluated in evaluate.go, in the foreground
// until the merge and in the background until the next cycle's weights, and closed
// in close.go. heartbeat.go commits to what the validator has and takes over what
// the others made without it; archive.go keeps and removes submissions. All of it
// goes on where it was after a restart. documents.go repeats a miner's log in the
// words of BlockZero's documents.
//
// A shard is never held to be judged: digest.go hashes, names and checks its tensors
// in one pass, watch.go while they are being downloaded, and sums.go while they are
// being written, where the Hub's digest is taken too. kept.go keeps what is on its
// way to the network from being pruned, and final.go leaves the whole model behind
// where training ends in the middle.
//
// Where models travel over HTTP, server.go, upload.go and docsserver.go are the
// validator's checkpoint server, and direct.go and submit.go the miner's side of it;
// address.go keeps what was accepted and is not here yet.
//
// Several validators of a group average what their miners brought, in exchange.go,
// over the same server. Each tells the others its pseudo-gradient, and then which
// ones have reached it; those are averaged that validators with more than half of
// the stake have seen. Who vanishes in between is left out by all that are left. If
// validators have seen different lists all the same, they come to different
// baselines: miners take the one with the most stake behind it, and so do the other
// validators, with its momentum, in the next Distribute. docs/validator-merge.md
// describes the wire.
package connito

import "adit/internal/subnet"

// Protocol is the network's entry in the table of protocols.
var Protocol = subnet.Protocol{
	Name:      "connito",
	Summary:   "train one expert group, commit, submit, be scored by Proof-of-Loss",
	Rules:     rulesNames(),
	NewConfig: NewConfig,
	Metrics:   metrics,
	Columns:   columns,
	Checks:    checks,
	Explain:   explainRound,
	Roles: []subnet.Role{
		{Name: "mine", Summary: "train and exchange models, in one process", Parts: []string{"train", "model-io"}, Run: following(follow{keeper: true}, mine)},
		{Name: "train", Summary: "train the baselines that model-io downloads", Parts: []string{"train"}, Run: following(follow{}, train)},
		{Name: "model-io", Summary: "download baselines, commit and publish checkpoints", Parts: []string{"model-io"}, Run: following(follow{keeper: true}, modelIO)},
		{Name: "validate", Summary: "score submissions, merge them, publish baselines", Parts: []string{"validate"}, Run: following(follow{keeper: true, validator: true}, validate)},
		{Name: "owner", Summary: "serve the phases, the whitelist and the task", Parts: []string{"owner"}, Run: owner},
	},
}
