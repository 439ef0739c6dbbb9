// Package local runs a whole network on one machine: a chain node, a model hub,
// validators and miners, each a process of this same binary with a wallet, a
// directory and a log of its own. They use the same wire as on a live network
// and cannot tell the difference.
//
// [Up] starts it and keeps it running; a [Snapshot] is what it knows at any
// moment, for the terminal, for `adit status`, and for the summary at the end.
package local
