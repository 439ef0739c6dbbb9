package scale_test

import (
	"bytes"
	"strings"
	"testing"

	"adit/internal/scale"
)

func TestExtrinsics(t *testing.T) {
	m := rich(t)
	call, err := m.EncodeCall("System", "remark", []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	extra, _, err := m.Extensions(scale.SignedParts{Nonce: 9, Tip: 3, Era: scale.ImmortalEra()})
	if err != nil {
		t.Fatal(err)
	}
	alice := [32]byte{1, 2, 3}
	signed, err := m.SignedExtrinsic(alice, bytes.Repeat([]byte{7}, 64), extra, call)
	if err != nil {
		t.Fatal(err)
	}
	bare, err := m.BareExtrinsic(call)
	if err != nil {
		t.Fatal(err)
	}
	general, err := m.GeneralExtrinsic(0, extra, call)
	if err != nil {
		t.Fatal(err)
	}
	other, err := m.GeneralExtrinsic(7, []byte{0}, call) // CheckMetadataHash alone adds something
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		b       []byte
		version uint8
		first   byte
		extras  int
	}{{"signed", signed, 4, 0x84, 13}, {"bare", bare, 5, 0x05, 0}, {"general", general, 5, 0x45, 13}, {"other", other, 5, 0x45, 2}} {
		x, err := m.DecodeExtrinsic(tt.b)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if x.Version != tt.version || x.Pallet != "System" || x.Name != "remark" || string(x.Get("remark").([]byte)) != "hello" ||
			!bytes.Equal(x.Call, call) || len(x.Extra) != tt.extras || !bytes.Contains(tt.b[:3], []byte{tt.first}) {
			t.Errorf("%s: %+v", tt.name, x)
		}
		if (x.Signer != nil) != (tt.first == 0x84) || (x.Extra == nil) != (tt.first == 5) {
			t.Errorf("%s: signer %v, extra %v", tt.name, x.Signer, x.Extra)
		}
		if tt.extras == 13 && x.Extra["CheckNonce"] != uint64(9) {
			t.Errorf("%s: nonce %v", tt.name, x.Extra["CheckNonce"])
		}
		for n := range tt.b {
			if _, err := m.DecodeExtrinsic(tt.b[:n]); err == nil {
				t.Errorf("%s: the first %d of %d bytes are read", tt.name, n, len(tt.b))
			}
		}
		if _, err := m.DecodeExtrinsic(append(tt.b[:len(tt.b):len(tt.b)], 0)); err == nil {
			t.Errorf("%s: a byte too many is read", tt.name)
		}
	}
	for first, b := range map[string][]byte{"0x85": {8, 0x85, 0}, "0x44": {8, 0x44, 0}, "0x6": {4, 6}, "0xc4": {4, 0xc4}} {
		if _, err := m.DecodeExtrinsic(b); err == nil || !strings.Contains(err.Error(), "begins with "+first) {
			t.Errorf("%x: %v", b, err)
		}
	}
	if _, err := m.GeneralExtrinsic(1, nil, call); err == nil || !strings.Contains(err.Error(), "no version 1") {
		t.Errorf("an unknown version of the extensions: %v", err)
	}
	if _, err := runtime(t).GeneralExtrinsic(0, extra, call); err == nil || !strings.Contains(err.Error(), "[4], not 5") {
		t.Errorf("version 5 where it is not taken: %v", err)
	}
}

// TestEmptyTypes has unknown extensions of types made of many nothings, and of
// themselves: what is counted is each type, once.
func TestEmptyTypes(t *testing.T) {
	m := runtime(t)
	var ids []scale.TypeID
	add := func(of ...scale.TypeID) {
		ids = append(ids, scale.TypeID(len(m.Types)))
		m.Types = append(m.Types, scale.Type{Def: scale.TypeDef{Tuple: &of}})
	}
	add()
	for range 60 {
		last := ids[len(ids)-1]
		add(last, last, last)
	}
	m.Extrinsic.Extensions = append(m.Extrinsic.Extensions, scale.Extension{Name: "Nothing", Type: ids[60], Implicit: ids[0]})
	parts := scale.SignedParts{Era: scale.ImmortalEra()}
	if _, _, err := m.Extensions(parts); err != nil {
		t.Error(err)
	}
	add(ids[0], scale.TypeID(len(m.Types)))
	m.Extrinsic.Extensions = append(m.Extrinsic.Extensions, scale.Extension{Name: "Ouroboros", Type: ids[61], Implicit: ids[0]})
	if _, _, err := m.Extensions(parts); err == nil || !strings.Contains(err.Error(), "Ouroboros") {
		t.Errorf("a type made of itself: %v", err)
	}
}

func FuzzExtrinsic(f *testing.F) {
	m := rich(f)
	call, err := m.EncodeCall("System", "remark", []byte("hello"))
	if err != nil {
		f.Fatal(err)
	}
	bare, err := m.BareExtrinsic(call)
	if err != nil {
		f.Fatal(err)
	}
	general, err := m.GeneralExtrinsic(7, []byte{0}, call)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(bare)
	f.Add(general)
	id, err := m.CallType()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := m.DecodeExtrinsic(b)
		if err != nil {
			return
		}
		again, err := m.EncodeValue(id, scale.V(x.Pallet, x.Variant))
		if err != nil || !bytes.Equal(again, x.Call) {
			t.Errorf("call %x comes back as %x, %v", x.Call, again, err)
		}
	})
}
