// Package subtensor is a client of Subtensor, the chain of the Bittensor
// network, over its JSON-RPC on WebSocket.
//
// A [Client] keeps one connection to one of several endpoints of one chain, and
// opens the next when it breaks: rpc.go and link.go. Whoever reads, waits for
// blocks, or follows an extrinsic does not notice, but for the time it takes.
//
// Reads are made of a [View], the state after one block. What a node no longer
// has is a [PrunedError], and never the newest state instead. [View.Get] and
// [View.Ask] read anything by its name; there is a method for what neurons and
// their owners need.
//
// A [Call] says what is to be done, and there is a function for each that neurons
// and their owners need. [Client.Do] signs it, sends it and follows it into a
// block, through broken connections and runtime upgrades, and never does it twice:
// submit.go and follow.go. [Client.Fee] and [Client.DryRun] tell beforehand.
// [Client.Subnet] puts all this behind the [subnet.Chain] that protocols see.
//
// Nothing here knows the number of a pallet, call, event or error: the runtime's
// metadata tells, and is fetched anew when the runtime is upgraded. The reasons of
// pools, and what all Substrate chains have in common, are the exception.
//
// Amounts are in RAO, 10^-9 TAO, or in the smallest unit of a subnet's alpha,
// 10^-9 of it.
package subtensor
