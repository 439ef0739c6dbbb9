// Package wirebench measures what the wires of a network cost and what they are
// worth: it trains one small model with several miners, once for each way of
// merging what they learn, and tells the loss on text that no miner sees beside the
// bytes that each miner has sent and received.
//
// All is in one process and in lockstep. A round is so many steps of every miner, on
// text of its own; then they exchange real messages, which are encoded, counted and
// decoded. The model, its beginning, the text, the order of it, the inner optimizer
// and its rates are the same for every method:
//
//	dense   the mean of all differences in f32; what the others are compared with
//	slices  Templar's first generation: one value in a hundred, after every step
//	r2      the same with slices of one norm
//	sparse  Templar's last: the largest 64 of 4096 in 12 and 8 bits, from everybody
//	adit    ours: the same values in less, and one aggregate that can be verified
package wirebench
