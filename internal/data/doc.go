// Package data turns text into the sequences a model is trained and judged on.
//
// A [Source] yields documents: [GoTree] the Go distribution that every machine
// with Go has, [Files] what the user names. [Prepare] takes a sample of one
// source per domain, holds about every twelfth document out, trains a byte-level
// BPE [Tokenizer] on the rest (or takes the one it is given) and writes a
// directory:
//
//	tokenizer.json     as Hugging Face's tokenizers library reads it
//	train-0.tok        the tokens of domain 0 to train on
//	heldout-0.tok      those no trainer sees
//	…                  two more for each further domain
//	corpus.json        what all this was made from; written last
//
// [OpenCorpus] reads such a directory in any process. The order of training
// sequences is a function of a seed and a number ([Corpus.Sequence]), so that a
// trainer which knows how far it got needs no other state, and two trainers with
// different seeds see different text first.
//
// A model from elsewhere comes with its own tokenizer: [LoadTokenizer] reads the
// tokenizer.json of today's models, [Encode] packs [Texts] into one file of
// tokens with it, and [Open] maps such files, or those of others, of any length.
// Sequences of [Tokens] are taken in an [Order], again a function of numbers. A
// [Stream] turns the tokens a model gives out into text.
//
// Everything here is deterministic: the same documents and options give the
// same bytes on every machine, with any number of cores.
package data
