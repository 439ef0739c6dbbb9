// Package tui shows a local network to the person who runs it: [Run] live, on a
// terminal, and [Summary] as plain text.
//
// Both are projections of a [local.Snapshot] and know nothing else, so that what
// is on the screen is also what `adit status --json` prints. The live view is
// laid out by [layout], a pure function of a snapshot, a time and a size; the
// terminal itself is left to the library.
//
// Of the screen the top belongs to the cycle and the bottom to the notices. What
// is between them (groups, miners, validators) scrolls if there is more of it
// than room. No line is ever wider than the terminal.
package tui
