// Package chainnode is a chain node for one machine: blocks over the ledger at
// a steady pace, kept on disk with the states of the last few thousand, and
// the JSON-RPC of a Substrate node over WebSocket and HTTP, so that clients of
// the real chain work with it.
//
// Unlike upstream, one node makes every block and each is final at once; state
// and extrinsics roots are plain hashes of what the block changed and holds, as
// nobody proves anything by them here.
//
// Blocks are at least the block time apart by their own clock. Made on demand
// they may come faster, and then their time runs ahead of ours: what waits for
// the chain's time, and not for its blocks, must be asked of the chain.
//
// The files: node.go and produce.go make blocks of what pool.go holds; disk.go,
// segment.go and record.go keep them, history.go what they changed, snapshot.go
// copies of one state. serve.go, session.go, outbox.go and rpc.go carry requests,
// methods.go lists what can be asked, apis.go what the runtime can be asked
// through runtimecall.go. beacon.go lets the time lock open.
package chainnode
