package ledger

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"adit/internal/scale"
)

// An item is one declared storage item: a field of a pallet's storage struct.
// Its name is the field's; its tags say the rest:
//
//	hash:"identity,blake2_128_concat"  one hasher per key
//	default:"360"                      the value of a missing key
//	optional:"true"                    a missing key has no value
type item struct {
	name     string
	prefix   string
	hashers  []scale.Hasher
	optional bool
	fallback []byte // SCALE of the default
	value    reflect.Type
	keyTypes []reflect.Type
}

var hashers = map[string]scale.Hasher{
	"identity": scale.Identity, "twox_64_concat": scale.Twox64Concat, "blake2_128_concat": scale.Blake2_128Concat,
}

// must returns v. Only a declaration of ours can make it panic: no foreign
// value is ever encoded.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func encode(b []byte, v any) []byte {
	switch v := v.(type) {
	case uint16:
		return binary.LittleEndian.AppendUint16(b, v)
	case uint64:
		return binary.LittleEndian.AppendUint64(b, v)
	case bool:
		if v {
			return append(b, 1)
		}
		return append(b, 0)
	case AccountID:
		return append(b, v[:]...)
	case []pair:
		b = scale.AppendCompact(b, uint64(len(v)))
		for _, p := range v {
			b = binary.LittleEndian.AppendUint16(b, p.F0)
			b = binary.LittleEndian.AppendUint16(b, p.F1)
		}
		return b
	}
	return must(scale.Append(b, v))
}

// decode reads what encode wrote. A damaged store is not survivable.
func decode[V any](b []byte) (v V) {
	switch p := any(&v).(type) {
	case *uint16:
		if len(b) == 2 {
			*p = binary.LittleEndian.Uint16(b)
			return v
		}
	case *uint64:
		if len(b) == 8 {
			*p = binary.LittleEndian.Uint64(b)
			return v
		}
	case *bool:
		if len(b) == 1 {
			*p = b[0] == 1
			return v
		}
	case *AccountID:
		if len(b) == 32 {
			*p = AccountID(b)
			return v
		}
	case *[]pair:
		d := scale.NewDecoder(b)
		n, err := d.Compact()
		if rest := d.Rest(); err == nil && uint64(len(rest)) == 4*n {
			*p = make([]pair, n)
			for i := range *p {
				(*p)[i] = pair{F0: binary.LittleEndian.Uint16(rest[4*i:]), F1: binary.LittleEndian.Uint16(rest[4*i+2:])}
			}
			return v
		}
	}
	check(scale.Unmarshal(b, &v))
	return v
}

func get[V any](s *state, i *item, key string) V {
	b := s.values[key]
	if b == nil {
		b = i.fallback
	}
	return decode[V](b)
}

func lookup[V any](s *state, key string) (v V, ok bool) {
	b := s.values[key]
	if b == nil {
		return v, false
	}
	return decode[V](b), true
}

// A value is an item without key.
type value[V any] struct{ item }

func (d *value[V]) get(s *state) V            { return get[V](s, &d.item, d.prefix) }
func (d *value[V]) lookup(s *state) (V, bool) { return lookup[V](s, d.prefix) }
func (d *value[V]) set(s *state, v V)         { s.put(d.prefix, encode([]byte{}, v)) }

// A table is an item with one key.
type table[K, V any] struct{ item }

func (d *table[K, V]) key(k K) string {
	var buf [96]byte
	b := append(buf[:0], d.prefix...)
	return string(appendKey(b, d.hashers[0], k))
}

func appendKey(b []byte, h scale.Hasher, k any) []byte {
	var buf [64]byte
	return h.Append(b, encode(buf[:0], k))
}

func (d *table[K, V]) get(s *state, k K) V            { return get[V](s, &d.item, d.key(k)) }
func (d *table[K, V]) lookup(s *state, k K) (V, bool) { return lookup[V](s, d.key(k)) }
func (d *table[K, V]) has(s *state, k K) bool         { return s.values[d.key(k)] != nil }
func (d *table[K, V]) set(s *state, k K, v V)         { s.put(d.key(k), encode([]byte{}, v)) }
func (d *table[K, V]) delete(s *state, k K)           { s.put(d.key(k), nil) }

// each calls f with every key and value, in storage order. f may write.
func (d *table[K, V]) each(s *state, f func(K, V)) {
	for _, key := range s.under(d.prefix, "", -1) {
		var k K
		unkey(key[len(d.prefix):], d.hashers, &k)
		f(k, decode[V](s.values[key]))
	}
}

// A table2 is an item with two keys.
type table2[K1, K2, V any] struct{ item }

func (d *table2[K1, K2, V]) head(k1 K1) []byte {
	return appendKey(append(make([]byte, 0, 128), d.prefix...), d.hashers[0], k1)
}

func (d *table2[K1, K2, V]) key(k1 K1, k2 K2) string {
	return string(appendKey(d.head(k1), d.hashers[1], k2))
}

func (d *table2[K1, K2, V]) get(s *state, k1 K1, k2 K2) V { return get[V](s, &d.item, d.key(k1, k2)) }
func (d *table2[K1, K2, V]) lookup(s *state, k1 K1, k2 K2) (V, bool) {
	return lookup[V](s, d.key(k1, k2))
}
func (d *table2[K1, K2, V]) has(s *state, k1 K1, k2 K2) bool { return s.values[d.key(k1, k2)] != nil }
func (d *table2[K1, K2, V]) set(s *state, k1 K1, k2 K2, v V) {
	s.put(d.key(k1, k2), encode([]byte{}, v))
}
func (d *table2[K1, K2, V]) delete(s *state, k1 K1, k2 K2) { s.put(d.key(k1, k2), nil) }

// each calls f with every second key and value under k1, in storage order.
func (d *table2[K1, K2, V]) each(s *state, k1 K1, f func(K2, V)) {
	head := string(d.head(k1))
	for _, key := range s.under(head, "", -1) {
		var k2 K2
		unkey(key[len(head):], d.hashers[1:], &k2)
		f(k2, decode[V](s.values[key]))
	}
}

// A table3 is an item with three keys.
type table3[K1, K2, K3, V any] struct{ item }

func (d *table3[K1, K2, K3, V]) head(k1 K1) []byte {
	return appendKey(append(make([]byte, 0, 160), d.prefix...), d.hashers[0], k1)
}

func (d *table3[K1, K2, K3, V]) key(k1 K1, k2 K2, k3 K3) string {
	return string(appendKey(appendKey(d.head(k1), d.hashers[1], k2), d.hashers[2], k3))
}

func (d *table3[K1, K2, K3, V]) get(s *state, k1 K1, k2 K2, k3 K3) V {
	return get[V](s, &d.item, d.key(k1, k2, k3))
}

func (d *table3[K1, K2, K3, V]) lookup(s *state, k1 K1, k2 K2, k3 K3) (V, bool) {
	return lookup[V](s, d.key(k1, k2, k3))
}

func (d *table3[K1, K2, K3, V]) set(s *state, k1 K1, k2 K2, k3 K3, v V) {
	s.put(d.key(k1, k2, k3), encode([]byte{}, v))
}

func (d *table3[K1, K2, K3, V]) delete(s *state, k1 K1, k2 K2, k3 K3) { s.put(d.key(k1, k2, k3), nil) }

// unkey reads keys back: all our hashers are followed by what they hash.
func unkey(b string, hashers []scale.Hasher, keys ...any) {
	rest := []byte(b)
	for i, k := range keys {
		d := scale.NewDecoder(must(hashers[i].Key(rest)))
		check(d.Decode(k))
		rest = d.Rest()
	}
}

// declare fills in the items of a pallet's storage struct from its tags.
func declare[S any](pallet string) *S {
	s := new(S)
	v := reflect.ValueOf(s).Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		d := v.Field(i).Addr().Interface().(declared)
		it := d.declaration()
		types := d.types()
		it.name, it.value, it.keyTypes = f.Name, types[len(types)-1], types[:len(types)-1]
		it.prefix = string(scale.StorageKey(pallet, f.Name))
		it.optional = f.Tag.Get("optional") == "true"
		if tag := f.Tag.Get("hash"); tag != "" {
			for h := range strings.SplitSeq(tag, ",") {
				it.hashers = append(it.hashers, hashers[h])
			}
		}
		if len(it.hashers) != len(it.keyTypes) {
			panic(fmt.Sprintf("%s.%s has %d keys and %d hashers", pallet, f.Name, len(it.keyTypes), len(it.hashers)))
		}
		it.fallback = fallback(it.value, f.Tag.Get("default"))
	}
	return s
}

// fallback is the SCALE of a default: a number, true, raw bytes in hex after
// 0x, or else zero.
func fallback(t reflect.Type, tag string) []byte {
	v := reflect.New(t).Elem()
	switch {
	case tag == "":
	case len(tag) > 2 && tag[:2] == "0x":
		return must(hex.DecodeString(tag[2:]))
	case v.Kind() == reflect.Bool:
		v.SetBool(tag == "true")
	case v.CanUint():
		v.SetUint(must(strconv.ParseUint(tag, 10, 64)))
	case v.CanInt():
		v.SetInt(must(strconv.ParseInt(tag, 10, 64)))
	}
	b, err := scale.Marshal(v.Interface())
	if err != nil {
		return []byte{} // an optional enum has no default
	}
	return b
}

// declared is any item, for those who go through all of them.
type declared interface {
	declaration() *item
	types() []reflect.Type // of the keys, then of the value
}

func (i *item) declaration() *item { return i }

func (*value[V]) types() []reflect.Type { return []reflect.Type{reflect.TypeFor[V]()} }
func (*table[K, V]) types() []reflect.Type {
	return []reflect.Type{reflect.TypeFor[K](), reflect.TypeFor[V]()}
}
func (*table2[K1, K2, V]) types() []reflect.Type {
	return []reflect.Type{reflect.TypeFor[K1](), reflect.TypeFor[K2](), reflect.TypeFor[V]()}
}
func (*table3[K1, K2, K3, V]) types() []reflect.Type {
	return []reflect.Type{reflect.TypeFor[K1](), reflect.TypeFor[K2](), reflect.TypeFor[K3](), reflect.TypeFor[V]()}
}
