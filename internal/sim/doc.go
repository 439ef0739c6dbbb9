// Package sim runs a whole network in memory and in virtual time: the same
// protocol code, miners and validators, over the real ledger, with a store, a
// directory and a journal in memory. Only the training is replaced, by a cost
// model, and the signatures, by a keyed hash: both are tested elsewhere, and a
// simulated day should take a second.
//
// It must run inside testing/synctest, whose clock it lives by.
package sim
