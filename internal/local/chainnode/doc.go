// Package chainnode is a chain node for one machine: blocks over the ledger at
// a steady pace, kept on disk with the states of the last few thousand, and
// the JSON-RPC of a Substrate node over WebSocket and HTTP, so that clients of
// the real chain work with it.
//
// Unlike upstream, one node makes every block and each is final at once; state
// and extrinsics roots are plain hashes of what the block changed and holds, as
// nobody proves anything by them here.
package chainnode
