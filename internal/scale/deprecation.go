package scale

import "fmt"

// A Deprecation says whether something will go, and why. The zero value is for
// what stays. It is told from version 16 of the metadata.
type Deprecation struct {
	Is    bool
	Note  Option[string]
	Since Option[string] // given with a note only
}

// AppendSCALE implements [Appender].
func (x Deprecation) AppendSCALE(b []byte) ([]byte, error) {
	switch {
	case !x.Is:
		return append(b, 0), nil
	case !x.Note.Some:
		return append(b, 1), nil
	}
	return Append(append(b, 2), Tuple2[string, Option[string]]{x.Note.V, x.Since})
}

// DecodeSCALE implements [Scanner].
func (x *Deprecation) DecodeSCALE(d *Decoder) error {
	kind, err := d.Byte()
	if err != nil {
		return err
	}
	*x = Deprecation{Is: kind != 0}
	switch kind {
	case 0, 1:
		return nil
	case 2:
		var note Tuple2[string, Option[string]]
		err = d.Decode(&note)
		x.Note, x.Since = SomeOf(note.F0), note.F1
		return err
	}
	return fmt.Errorf("unknown deprecation %d", kind)
}

// A VariantDeprecation is that of one call, event or error, by its index.
type VariantDeprecation struct {
	Index      uint8
	Deprecated Deprecation
}
