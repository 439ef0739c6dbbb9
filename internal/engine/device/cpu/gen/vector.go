package main

import "strings"

// A routine is a loop over vectors of equal length.
type routine struct {
	name    string
	doc     string
	vectors []string // parameters, the length being that of the first
	scalars []string // float32 parameters after these
	fields  []string // of the *adam parameter after these, if there are any
	result  string   // type of what is left in element 0 of register 0, if any
	pairs   bool     // whether elements belong together by twos; one over is left alone

	before func(l loop)
	body   func(l loop) // one vector of each
	after  func(l loop)
}

// An operation takes two registers and sets a third, or adds to it.
type operation int

const (
	add      operation = iota // z = x + y
	sub                       // z = x - y
	mul                       // z = x*y
	div                       // z = x/y
	most                      // z = the greater of x and y, and either if one is NaN
	addMul                    // z += x*y
	subMul                    // z -= x*y
	mulPlus                   // z = z*x + y
	add64                     // add, of halves of vectors in 64 bits
	addMul64                  // addMul, of the same
)

// A loop is a routine being written for one instruction set. Registers are named
// by number, from 0 to 8; scalar parameters and fields, which have registers of
// their own, by name; and so are constants, as a [constant].
//
// What before sets is there in every step, unless it is the z of mulPlus: that
// may change which register has its name.
type loop interface {
	// load sets register z to the next elements of v, and to zeros after the
	// last.
	load(z int, v string)
	// store is the opposite of load: nothing is written after the last.
	store(v string, x int)
	// fill sets what lies after the last element to that of register x.
	fill(z, x int)
	// zero clears a register.
	zero(z int)
	// constant sets a register to a constant.
	constant(z int, c constant)
	// alternating sets a register to -1, 1, -1, 1 and so on.
	alternating(z int)
	// do is one operation. In addMul, subMul and mulPlus y may be a constant, in
	// the others but div too.
	do(o operation, z int, x, y any)
	// sqrt sets z to the root of x.
	sqrt(z, x int)
	// swap sets z to x with the two of each pair exchanged.
	swap(z, x int)
	// widen sets z and z+1 to the halves of z, in 64 bits.
	widen(z int)
	// exp sets z to its exponential, through registers t and t+1: with
	// z*log2(e) the sum of a whole number n and a fraction of at most a half, it
	// is 2 to the fraction, by a polynomial, times 2 to n.
	exp(z, t int)
	// fold combines the elements of register 0 to one. It overwrites register 1.
	fold(o operation)
}

// signature returns how a routine is declared, how many bytes its arguments and
// results are, and where among them the scalars, or the pointer to the fields,
// and the result are.
func (r routine) signature() (text string, bytes, scalarsAt, resultAt int) {
	text = strings.Join(r.vectors, ", ") + " []float32"
	bytes = 24 * len(r.vectors)
	scalarsAt = bytes
	if len(r.scalars) > 0 {
		text += ", " + strings.Join(r.scalars, ", ") + " float32"
		bytes += 4 * len(r.scalars)
	}
	if len(r.fields) > 0 {
		text += ", a *adam"
		bytes += 8
	}
	text = "(" + text + ")"
	if r.result != "" {
		text += " " + r.result
		bytes = (bytes + 7) &^ 7
	}
	resultAt = bytes
	switch r.result {
	case "float32":
		bytes += 4
	case "float64":
		bytes += 8
	}
	return text, bytes, scalarsAt, resultAt
}

// of returns the name that a routine has in a set.
func (r routine) of(set string) string { return set + strings.ToUpper(r.name[:1]) + r.name[1:] }
