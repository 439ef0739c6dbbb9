// Package scale speaks SCALE, the binary format of Substrate chains, in two
// ways.
//
// Statically: [Marshal] and [Unmarshal] follow a Go type, field by field.
// Integers are little-endian; [Compact] wraps those that are written short;
// slices, strings and []byte carry a compact length; arrays and structs carry
// none; [Option] is a byte and perhaps a value; a pointer is the value it
// points to. An enum is a struct that embeds [Enum] and has one pointer field
// per variant, exactly one of them set:
//
//	type Call struct {
//		scale.Enum
//		Remark *Remark     `scale:"0"`
//		Reset  *scale.Unit `scale:"4"`
//	}
//
// Dynamically: [Metadata] is what a chain says about itself, in any of
// [MetadataVersions], and encodes and decodes calls, storage keys, events,
// errors and runtime calls by their names. [BuildMetadata] makes such metadata
// of the same Go types and functions that the static codec and [APIs] execute.
//
// All input is foreign: a length is believed only as far as the bytes that
// are there, nesting is bounded, and numbers must be in their shortest form,
// as parity-scale-codec demands.
package scale
