// Package compress makes small messages of large differences of weights, and
// one difference again of many messages.
//
// A tensor is cut into chunks of at most 64 by 64 elements ([Grid]). A sender
// adds its difference to what it has not said yet, keeps of every chunk the few
// elements of the largest magnitude, rounds those to a few values per tensor and
// remembers what that leaves unsaid ([Feedback]). What is kept travels in one
// of two codings: indices of 12 bits, each value in a byte, as the network
// Templar has it ([PackIndices], [NewPacked]); or in our own messages ([Writer],
// [Reader]), whose indices are Rice-coded gaps and whose values take two bits.
//
// A receiver merges the parts of many senders ([Gather]), whichever coding they
// came in. Or one receiver does so for all ([Aggregate]): in integers, so that
// anybody who has a few chunks of its inputs recomputes those chunks of its
// result to the bit ([Claim.Verify]).
//
// Nothing here believes a message: what comes from strangers is compared with
// the shapes that the receiver expects before memory is taken for it, and an
// error says the tensor and the reason.
package compress
