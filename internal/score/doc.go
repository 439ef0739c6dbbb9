// Package score holds what a validator makes of its measurements, as far as
// more than one protocol can use it: ratings of players by the order in which
// they finish, moving averages, and copies among what many miners sent.
//
// All of it is arithmetic: nothing here reads a clock or a file, and randomness
// comes in as a seed. Measurements come from strangers, so that any number may
// be NaN or infinite: then nobody gains by it.
package score
