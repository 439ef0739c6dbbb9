package scale

import (
	"bytes"
	"fmt"
)

// item returns a storage item and the prefix of its keys.
func (m *Metadata) item(pallet, item string) (prefix []byte, s *StorageItem, err error) {
	p, err := m.Pallet(pallet)
	if err != nil {
		return nil, nil, err
	}
	items := p.Storage.V.Items
	for i := range items {
		if items[i].Name == item {
			return StorageKey(p.Storage.V.Prefix, item), &items[i], nil
		}
	}
	return nil, nil, fmt.Errorf("pallet %s has no storage item %q", pallet, item)
}

// keyTypes returns the types of a map's keys; none for a plain value.
func (m *Metadata) keyTypes(s *StorageItem) ([]TypeID, []Hasher) {
	if s.Type.Map == nil {
		return nil, nil
	}
	if hs := s.Type.Map.Hashers; len(hs) > 1 {
		return *m.Types[s.Type.Map.Key].Def.Tuple, hs
	}
	return []TypeID{s.Type.Map.Key}, s.Type.Map.Hashers
}

func (s *StorageItem) value() TypeID {
	if s.Type.Map != nil {
		return s.Type.Map.Value
	}
	return *s.Type.Plain
}

// StorageKey returns the key of an entry by its names. With fewer keys than
// the map has, it is the prefix that all entries under them share.
func (m *Metadata) StorageKey(pallet, item string, keys ...any) ([]byte, error) {
	b, s, err := m.item(pallet, item)
	if err != nil {
		return nil, err
	}
	types, hashers := m.keyTypes(s)
	if len(keys) > len(types) {
		return nil, fmt.Errorf("%s.%s takes %d keys, not %d", pallet, item, len(types), len(keys))
	}
	for i, k := range keys {
		v, err := m.EncodeValue(types[i], k)
		if err != nil {
			return nil, fmt.Errorf("key %d of %s.%s: %w", i, pallet, item, err)
		}
		b = hashers[i].Append(b, v)
	}
	return b, nil
}

// DecodeStorageKey returns the keys of a map's entry from its storage key. The
// hashers must be such as keep the key.
func (m *Metadata) DecodeStorageKey(pallet, item string, key []byte) ([]any, error) {
	prefix, s, err := m.item(pallet, item)
	if err != nil {
		return nil, err
	}
	rest, ok := bytes.CutPrefix(key, prefix)
	if !ok {
		return nil, fmt.Errorf("storage key %x is not one of %s.%s", key, pallet, item)
	}
	types, hashers := m.keyTypes(s)
	var keys []any
	for i, h := range hashers {
		raw, err := h.Key(rest)
		if err != nil {
			return nil, fmt.Errorf("key %d of %s.%s: %w", i, pallet, item, err)
		}
		d := NewDecoder(raw)
		k, err := m.DecodeValue(types[i], d)
		if err != nil {
			return nil, fmt.Errorf("key %d of %s.%s: %w", i, pallet, item, err)
		}
		raw = raw[:len(raw)-d.Len()]
		if n := len(rest) - d.Len(); !bytes.Equal(h.Append(nil, raw), rest[:n]) {
			return nil, fmt.Errorf("key %d of %s.%s: the hash is not that of the key", i, pallet, item)
		}
		keys, rest = append(keys, k), d.Rest()
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("storage key %x: %d bytes left over", key, len(rest))
	}
	return keys, nil
}

// DecodeStorage returns the value of an entry. Of nil, which stands for an
// entry that is not there, it is the default, or nil if the item has none.
func (m *Metadata) DecodeStorage(pallet, item string, b []byte) (any, error) {
	_, s, err := m.item(pallet, item)
	if err != nil {
		return nil, err
	}
	if b == nil {
		if s.Modifier == Optional {
			return nil, nil
		}
		b = s.Default
	}
	v, err := m.whole(s.value(), b)
	if err != nil {
		return nil, fmt.Errorf("decode %s.%s: %w", pallet, item, err)
	}
	return v, nil
}

// StorageDefault returns the SCALE of what reading an item finds where nothing
// is stored, or nil if that is nothing.
func (m *Metadata) StorageDefault(pallet, item string) ([]byte, error) {
	_, s, err := m.item(pallet, item)
	if err != nil || s.Modifier == Optional {
		return nil, err
	}
	return s.Default, nil
}
