// Package sim runs a whole network in memory and in virtual time: the same
// protocol code, miners and validators, over the real ledger, with a store, a
// directory and a journal in memory. Only the training is replaced, by a cost
// model, and the signatures, by a keyed hash: both are tested elsewhere, and a
// simulated day should take a second.
//
// A network of Connito is a [Network], one of Templar a [Windows]. What goes wrong is
// drawn from a seed: fault.go and windowfault.go say what, ordeal.go and life.go how a
// neuron lives through it, and judge.go and windowjudge.go what must be in the end.
//
// It must run inside testing/synctest, whose clock it lives by.
package sim
