// Package subtensor is a client of Subtensor, the chain of the Bittensor
// network, over its JSON-RPC on WebSocket.
//
// A [Client] keeps one connection to one of several endpoints, and opens the
// next when it breaks. Reads are made of a [View], the state after one block.
// [Client.Submit] signs a call, sends it, and follows it into a block.
// [Client.Subnet] puts all this behind the [subnet.Chain] that protocols see.
//
// Nothing here knows the number of a pallet, call, event or error: the runtime's
// metadata tells, and is fetched anew when the runtime is upgraded.
package subtensor
