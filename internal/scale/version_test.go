package scale_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"adit/internal/scale"
	"adit/internal/scale/scaletest"
)

// rich is metadata of version 16 in which everything there is stands once.
func rich(t testing.TB) *scale.Metadata {
	m := shopRuntime(t, 16)
	gone := scale.Deprecation{Is: true, Note: scale.SomeOf("ask elsewhere"), Since: scale.SomeOf("1.2")}
	p := &m.Pallets[0]
	p.Docs = []string{"The system."}
	p.Deprecated = scale.Deprecation{Is: true}
	p.Associated = []scale.AssociatedType{{Name: "Hash", Type: 1, Docs: []string{"a hash"}}}
	p.Views = []scale.ViewFunction{{ID: [32]byte{9}, Name: "look", Inputs: []scale.Param{{Name: "at", Type: 2}}, Output: 3, Deprecated: gone}}
	p.DeprecatedCalls = []scale.VariantDeprecation{{Index: 0, Deprecated: gone}}
	p.DeprecatedEvents = []scale.VariantDeprecation{{Index: 1, Deprecated: scale.Deprecation{Is: true}}}
	p.Storage.V.Items[0].Deprecated = gone
	m.APIs[0].Deprecated = gone
	m.APIs[0].Methods[0].Deprecated = scale.Deprecation{Is: true, Note: scale.SomeOf("")}
	m.Extrinsic.Versions = []uint8{4, 5}
	last := uint32(len(m.Extrinsic.Extensions) - 1)
	m.Extrinsic.Sets = append(m.Extrinsic.Sets, scale.ExtensionSet{Version: 7, Extensions: []scale.Compact[uint32]{{V: last}, {V: 0}}})
	return m
}

// TestVersions writes each version and reads back what was written, all of it.
func TestVersions(t *testing.T) {
	def := scaletest.Runtime()
	def.APIs = shopAPIs()
	built, err := scale.BuildMetadata(def)
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range scale.MetadataVersions() {
		b, err := built.EncodeVersion(version)
		if err != nil {
			t.Fatal(err)
		}
		m, err := scale.ReadMetadata(b)
		if err != nil {
			t.Fatal(err)
		}
		if m.Version != version || !bytes.Equal(m.Encode(), b) {
			t.Errorf("version %d is read as %d and written otherwise", version, m.Version)
		}
		want := *built
		want.Version = version
		switch version {
		case 14:
			want.Types = want.Types[:len(m.Types)]
			want.APIs, want.Outer = nil, scale.Option[scale.OuterEnums]{}
			if len(m.Types) == len(built.Types) {
				t.Error("version 14 holds the types of the runtime APIs")
			}
		case 15:
			want.Extrinsic.Type = scale.Option[scale.TypeID]{}
			api := want.APIs[0]
			api.Version = 0
			want.APIs = []scale.API{api}
		case 16:
			want.Extrinsic.Type, want.Extrinsic.Extra, want.Runtime = m.Extrinsic.Type, m.Extrinsic.Extra, m.Runtime
			want.Extrinsic.Sets = m.Extrinsic.Sets
			if len(m.Extrinsic.Sets) != 1 || len(m.Extrinsic.Sets[0].Extensions) != len(m.Extrinsic.Extensions) {
				t.Errorf("the extensions are %+v", m.Extrinsic.Sets)
			}
		}
		if d := cmp.Diff(&want, m, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(scale.Metadata{})); d != "" {
			t.Errorf("version %d: %s", version, d)
		}
	}
}

func TestRichMetadata(t *testing.T) {
	m := rich(t)
	again, err := scale.ReadMetadata(m.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(m, again, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(scale.Metadata{})); d != "" {
		t.Error(d)
	}
	if _, err := m.EncodeVersion(14); err == nil || !strings.Contains(err.Error(), "type of extrinsics") {
		t.Errorf("as version 14: %v", err)
	}
	if _, err := m.EncodeVersion(17); err == nil || !strings.Contains(err.Error(), "version 17 is none of [14 15 16]") {
		t.Errorf("as version 17: %v", err)
	}
	whole := m.Encode()
	for n := 0; n < len(whole); n += 1 + n/100 {
		if _, err := scale.ReadMetadata(whole[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes are read", n, len(whole))
		}
	}
}

// TestLyingMetadata makes each mention of a type one that is not there.
func TestLyingMetadata(t *testing.T) {
	none := scale.TypeID(1 << 20)
	for name, lie := range map[string]func(m *scale.Metadata){
		"type 0":             func(m *scale.Metadata) { m.Types[0].Params = []scale.TypeParam{{Name: "T", Type: scale.SomeOf(none)}} },
		"pallet System":      func(m *scale.Metadata) { m.Pallets[0].Events.V = none },
		"associated":         func(m *scale.Metadata) { m.Pallets[0].Associated[0].Type = none },
		"view input":         func(m *scale.Metadata) { m.Pallets[0].Views[0].Inputs[0].Type = none },
		"view output":        func(m *scale.Metadata) { m.Pallets[0].Views[0].Output = none },
		"address":            func(m *scale.Metadata) { m.Extrinsic.Address.V = none },
		"extension":          func(m *scale.Metadata) { m.Extrinsic.Extensions[2].Implicit = none },
		"set":                func(m *scale.Metadata) { m.Extrinsic.Sets[0].Extensions[0].V = 99 },
		"API input":          func(m *scale.Metadata) { m.APIs[0].Methods[0].Inputs[0].Type = none },
		"API output":         func(m *scale.Metadata) { m.APIs[0].Methods[0].Output = none },
		"outer":              func(m *scale.Metadata) { m.Outer.V.Error = none },
		"custom":             func(m *scale.Metadata) { m.Custom[0].Type = none },
		"modifier":           func(m *scale.Metadata) { m.Pallets[0].Storage.V.Items[0].Modifier = 2 },
		"hasher":             func(m *scale.Metadata) { m.Pallets[0].Storage.V.Items[0].Type.Map.Hashers[0] = 7 },
		"no deprecation":     func(m *scale.Metadata) { m.Pallets[0].DeprecatedCalls[0].Deprecated = scale.Deprecation{} },
		"deprecation listed": func(m *scale.Metadata) { m.Pallets[0].DeprecatedEvents[0].Deprecated.Is = false },
	} {
		m := rich(t)
		lie(m)
		if _, err := scale.ReadMetadata(m.Encode()); err == nil {
			t.Errorf("a lie about %s is believed", name)
		}
	}
	long := append([]byte("meta\x10"), make([]byte, 9<<20)...)
	if _, err := scale.ReadMetadata(long); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("%d bytes of metadata: %v", len(long), err)
	}
}

func FuzzReadMetadata(f *testing.F) {
	for _, version := range scale.MetadataVersions() {
		f.Add(shopRuntime(f, version).Encode())
	}
	f.Add(rich(f).Encode())
	f.Add([]byte("meta\x0e\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := scale.ReadMetadata(b)
		if err != nil {
			return
		}
		if !bytes.Equal(m.Encode(), b) {
			t.Error("what is read is written otherwise")
		}
		// Whatever it says must be fit to be worked with.
		for id := range min(len(m.Types), 64) {
			if v, err := m.DecodeValue(scale.TypeID(id), scale.NewDecoder(b[:min(len(b), 512)])); err == nil {
				m.EncodeValue(scale.TypeID(id), v)
			}
		}
		for i := range m.Pallets {
			p := &m.Pallets[i]
			for _, s := range p.Storage.V.Items {
				m.StorageKey(p.Name, s.Name, 1)
				m.DecodeStorageKey(p.Name, s.Name, b)
				m.DecodeStorage(p.Name, s.Name, nil)
			}
			for _, c := range p.Constants {
				m.Constant(p.Name, c.Name)
			}
		}
		for _, a := range m.APIs {
			for _, method := range a.Methods {
				m.EncodeRuntimeCall(a.Name, method.Name)
				m.DecodeRuntimeResult(a.Name, method.Name, nil)
			}
		}
		m.Extensions(scale.SignedParts{Era: scale.ImmortalEra()})
		m.DecodeExtrinsic(b[:min(len(b), 512)])
		m.DecodeEvents(b[:min(len(b), 512)])
	})
}
