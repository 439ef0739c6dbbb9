package scale

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// metadataMagic begins all metadata: "meta".
const metadataMagic = "meta"

// maxMetadata is how many bytes of metadata are read. Those of Subtensor have a
// third of a megabyte, and types of few bytes take some fifty times those in memory.
const maxMetadata = 4 << 20

// MetadataVersions are the versions read and written, in ascending order.
// Every runtime serves the first by state_getMetadata.
func MetadataVersions() []uint8 { return []uint8{14, 15, 16} }

// A layout is how one version of metadata is written, behind magic and version.
type layout interface {
	// from sets the layout to what m tells; an error names what is missing.
	from(m *Metadata) error
	// to adds what the layout tells to m.
	to(m *Metadata) error
}

func layoutOf(version uint8) (layout, error) {
	switch version {
	case 14:
		return new(wire14), nil
	case 15:
		return new(wire15), nil
	case 16:
		return new(wire16), nil
	}
	return nil, fmt.Errorf("version %d is none of %v", version, MetadataVersions())
}

// ReadMetadata reads metadata of any of [MetadataVersions], with the magic in
// front. The metadata may be trusted afterwards in so far as every type it
// mentions is there.
func ReadMetadata(b []byte) (*Metadata, error) {
	m, err := readMetadata(b)
	if err != nil {
		return nil, fmt.Errorf("read metadata: %w", err)
	}
	return m, nil
}

func readMetadata(b []byte) (*Metadata, error) {
	if len(b) > maxMetadata {
		return nil, fmt.Errorf("%d bytes, at most %d are read", len(b), maxMetadata)
	}
	rest, ok := bytes.CutPrefix(b, []byte(metadataMagic))
	if !ok || len(rest) == 0 {
		return nil, errors.New("it does not begin with \"meta\" and a version")
	}
	w, err := layoutOf(rest[0])
	if err != nil {
		return nil, err
	}
	if err := Unmarshal(rest[1:], w); err != nil {
		return nil, err
	}
	m := &Metadata{Version: rest[0]}
	if err := w.to(m); err != nil {
		return nil, err
	}
	return m, m.check()
}

// Encode returns the metadata in its own version, with the magic in front.
func (m *Metadata) Encode() []byte {
	b, err := m.EncodeVersion(m.Version)
	if err != nil {
		panic(err) // unreachable: both makers set all that the version tells
	}
	return b
}

// EncodeVersion returns the metadata in one of [MetadataVersions], with the
// magic in front. Metadata that was built can be written in all of them. Of
// what was read, some newer versions tell what older ones do not, and the other
// way around: what is missing is then the error.
func (m *Metadata) EncodeVersion(version uint8) ([]byte, error) {
	w, err := layoutOf(version)
	if err == nil {
		err = w.from(m)
	}
	if err == nil {
		var b []byte
		if b, err = Append(append([]byte(metadataMagic), version), w); err == nil {
			return b, nil
		}
	}
	return nil, fmt.Errorf("write metadata of version %d: %w", version, err)
}

// portableType is a type with its position, which is always the one it stands
// at.
type portableType struct {
	ID   TypeID
	Type Type
}

func portable(types []Type) []portableType {
	ps := make([]portableType, len(types))
	for i, t := range types {
		ps[i] = portableType{TypeID(i), t}
	}
	return ps
}

func unportable(ps []portableType) ([]Type, error) {
	types := make([]Type, len(ps))
	for i, t := range ps {
		if int(t.ID) != i {
			return nil, fmt.Errorf("type %d stands at %d", t.ID, i)
		}
		types[i] = t.Type
	}
	return types, nil
}

// wanted gives out what a version tells, and remembers what is not there.
type wanted struct{ missing []string }

func want[T any](w *wanted, o Option[T], what string) T {
	if !o.Some {
		w.missing = append(w.missing, what)
	}
	return o.V
}

func (w *wanted) err() error {
	if w.missing == nil {
		return nil
	}
	return fmt.Errorf("nothing says the runtime's %v", w.missing)
}

// oneVersion returns the version of extrinsics for metadata that tell one.
func (x *Extrinsic) oneVersion(w *wanted) uint8 {
	if len(x.Versions) == 0 {
		w.missing = append(w.missing, "version of extrinsics")
		return 0
	}
	return slices.Min(x.Versions)
}
