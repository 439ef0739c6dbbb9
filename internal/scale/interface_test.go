package scale_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "adit/internal/scale"
	"adit/internal/scale/scaletest"
)

// iface is a runtime's interface as its list in testdata has it: by kind and name,
// such as "call Balances.burn", what follows, without white space.
type iface map[string]string

var kinds = []string{"call", "event", "error", "storage", "const", "api"}

func readInterface(t *testing.T, name string) iface {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	out := iface{}
	var last string
	for line := range strings.Lines(string(b)) {
		f := strings.SplitN(strings.TrimSpace(line), " ", 3)
		known := false
		for _, k := range kinds {
			known = known || f[0] == k && len(f) == 3
		}
		switch {
		case known:
			last = f[0] + " " + f[1]
			out[last] = strings.Join(strings.Fields(f[2]), "")
		case f[0] != "#" && f[0] != "":
			out[last] += strings.Join(strings.Fields(line), "") // a name that was broken
		}
	}
	return out
}

// interfaceOf lists what the metadata tell in the same way, as far as the two can
// be compared: of storage the hashers and the modifier, of constants and runtime
// APIs the names and those of the arguments.
func interfaceOf(m *Metadata) iface {
	out := iface{}
	variants := func(o Option[TypeID]) []VariantDef {
		if !o.Some {
			return nil
		}
		return m.Types[o.V].Def.Variant.Variants
	}
	fields := func(fs []Field) string {
		var s []string
		for _, f := range fs {
			s = append(s, f.Name.V+":"+f.TypeName.V)
		}
		return strings.Join(strings.Fields("("+strings.Join(s, ",")+")"), "")
	}
	for _, p := range m.Pallets {
		for _, v := range variants(p.Calls) {
			out["call "+p.Name+"."+v.Name] = fmt.Sprintf("[%d,%d]%s", p.Index, v.Index, fields(v.Fields))
		}
		for _, v := range variants(p.Events) {
			out["event "+p.Name+"."+v.Name] = fmt.Sprintf("%d%s", v.Index, fields(v.Fields))
		}
		for _, v := range variants(p.Errors) {
			out["error "+p.Name+"."+v.Name] = fmt.Sprint(v.Index)
		}
		for _, s := range p.Storage.V.Items {
			hashers := ""
			if s.Type.Map != nil {
				hashers = strings.ReplaceAll(strings.Trim(fmt.Sprint(s.Type.Map.Hashers), "[]"), " ", ",")
			}
			out["storage "+p.Name+"."+s.Name] = hashers + " " + [...]string{"Optional", "Default"}[s.Modifier]
		}
		for _, c := range p.Constants {
			out["const "+p.Name+"."+c.Name] = ""
		}
	}
	for _, a := range m.APIs {
		for _, f := range a.Methods {
			var names []string
			for _, in := range f.Inputs {
				names = append(names, in.Name)
			}
			out["api "+a.Name+"_"+f.Name] = strings.Join(names, ",")
		}
	}
	return out
}

// comparable cuts a line of the list down to what interfaceOf tells.
func comparable(key, line string) string {
	switch kind, _, _ := strings.Cut(key, " "); kind {
	case "storage":
		hashers, modifier := "", "Default"
		if rest, ok := strings.CutPrefix(line, "map<"); ok {
			_, rest, _ = strings.Cut(rest, ";")
			if strings.HasPrefix(line, "map<([") || strings.HasPrefix(line, "map<[") || strings.Contains(line[:strings.Index(line, "->")], ";32]") {
				_, rest, _ = strings.Cut(rest, ";") // that of an array was the first
			}
			hashers, _, _ = strings.Cut(rest, ">->")
		}
		if strings.HasSuffix(line, "Optional") {
			modifier = "Optional"
		}
		return hashers + " " + modifier
	case "const":
		return ""
	case "api":
		args, _, _ := strings.Cut(strings.TrimPrefix(line, "("), ")->")
		var names []string
		depth := 0
		for _, part := range strings.SplitAfter(args, ",") {
			if name, _, ok := strings.Cut(part, ":"); ok && depth == 0 {
				names = append(names, name)
			}
			depth += strings.Count(part, "<") + strings.Count(part, "(") - strings.Count(part, ">") - strings.Count(part, ")")
		}
		return strings.Join(names, ",")
	}
	return line
}

// holds checks that each thing that is declared is in the list, the same.
func (want iface) holds(t *testing.T, got iface, types bool) (n int) {
	t.Helper()
	for key, line := range got {
		w, ok := want[key]
		if w = comparable(key, w); !types {
			line, w = untyped(line), untyped(w)
		}
		if !ok {
			t.Errorf("%s is not in the list", key)
		} else if line != w {
			t.Errorf("%s %s, want %s", key, line, w)
		} else {
			n++
		}
	}
	return n
}

// untyped cuts off the arguments.
func untyped(line string) string {
	s, _, _ := strings.Cut(line, "(")
	return s
}

// TestDeclared holds the runtime that tests declare against the main network's.
func TestDeclared(t *testing.T) {
	got := interfaceOf(runtime(t))
	if n := readInterface(t, "testdata/interface-424.txt").holds(t, got, false); n < 50 {
		t.Errorf("%d things were compared", n)
	}
}

// TestRealMetadata reads metadata of real runtimes. They are no part of this
// project: the variable ADIT_METADATA names a directory with those of Subtensor's
// runtimes 293, in versions 14 and 15, and 424, in version 16, as their nodes
// return them, by the names below. Each list in testdata is what polkadot.js
// finds in the same metadata.
func TestRealMetadata(t *testing.T) {
	dir := os.Getenv("ADIT_METADATA")
	if dir == "" {
		t.Skip("ADIT_METADATA names no directory with metadata")
	}
	for _, tt := range []struct {
		name string
		spec int
	}{{"metadata-293.v14.scale.gz", 293}, {"metadata-293.v15.scale.gz", 293}, {"metadata-424.v16.scale.gz", 424}} {
		t.Run(tt.name, func(t *testing.T) {
			b := unzip(t, filepath.Join(dir, tt.name))
			m, err := ReadMetadata(b)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(m.Encode(), b) {
				t.Error("what is read is written otherwise")
			}
			want, got := readInterface(t, fmt.Sprintf("testdata/interface-%d.txt", tt.spec)), interfaceOf(m)
			n := want.holds(t, got, true)
			for key := range want {
				if _, ok := got[key]; !ok && (m.Version > 14 || !strings.HasPrefix(key, "api ")) {
					t.Errorf("%s is not in the metadata", key)
				}
			}
			t.Logf("%d of %d entries of the list are found, equal", n, len(want))

			v := readVectors(t, fmt.Sprintf("testdata/polkadotjs-%d.json", tt.spec))
			all := len(v.Calls) + len(v.Payloads) + len(v.Storage)
			if n := v.check(t, m); n != all {
				t.Errorf("%d of %d vectors agree", n, all)
			}
			values(t, m)
			anything(t, m)
		})
	}
}

// values decodes every constant and default and writes them again.
func values(t *testing.T, m *Metadata) {
	same := func(what string, id TypeID, b []byte) {
		d := NewDecoder(b)
		v, err := m.DecodeValue(id, d)
		if err != nil || d.Len() > 0 {
			t.Errorf("%s: %v, %d bytes left", what, err, d.Len())
			return
		}
		if again, err := m.EncodeValue(id, v); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%s: %v is written as %x, %v, want %x", what, v, again, err, b)
		}
	}
	for _, p := range m.Pallets {
		for _, c := range p.Constants {
			same(p.Name+"."+c.Name, c.Type, c.Value)
		}
		for _, s := range p.Storage.V.Items {
			id := s.Type.Plain
			if id == nil {
				id = &s.Type.Map.Value
			}
			if s.Modifier == Default {
				same(p.Name+"."+s.Name, *id, s.Default)
			}
		}
	}
}

// anything reads random bytes as each of the types: what can be read must be
// written the same.
func anything(t *testing.T, m *Metadata) {
	r := rand.New(rand.NewPCG(4, 2))
	read := 0
	for id := range m.Types {
		for range 40 {
			b := make([]byte, 600)
			for i := range b {
				b[i] = byte(r.Uint32()) >> r.IntN(8) // small numbers are what lengths and variants are
			}
			d := NewDecoder(b)
			v, err := m.DecodeValue(TypeID(id), d)
			if err != nil {
				continue
			}
			read++
			b = b[:len(b)-d.Len()]
			if again, err := m.EncodeValue(TypeID(id), v); err != nil || !bytes.Equal(again, b) {
				t.Errorf("type %d, %s: %x is read as %v and written as %x, %v", id, m.Types[id].Name(), b, v, again, err)
				break
			}
		}
	}
	t.Logf("%d random values of %d types are read", read, len(m.Types))
}

func unzip(t *testing.T, name string) []byte {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(io.LimitReader(z, 8<<20))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestVectors293 encodes what polkadot-js made with the metadata of runtime 293:
// the same calls, but for fewer, and fewer extensions.
func TestVectors293(t *testing.T) {
	def := scaletest.Runtime()
	v := readVectors(t, "testdata/polkadotjs-293.json")
	var xs []ExtensionDef
	for _, x := range def.Extensions {
		for _, name := range v.SignedExtensions {
			if x.Name == name {
				xs = append(xs, x)
			}
		}
	}
	def.Extensions = xs
	m, err := BuildMetadata(def)
	if err != nil {
		t.Fatal(err)
	}
	// The call that 424 has no longer is one that it has, less the last argument.
	p, err := m.Pallet("SubtensorModule")
	if err != nil {
		t.Fatal(err)
	}
	calls := m.Types[p.Calls.V].Def.Variant
	for _, c := range calls.Variants {
		if c.Name == "commit_timelocked_weights" {
			calls.Variants = append(calls.Variants, VariantDef{Name: "commit_crv3_weights", Index: 99, Fields: c.Fields[:3]})
		}
	}
	if got, want := v.check(t, m), len(v.Calls)+len(v.Payloads)+len(v.Storage); got != want || want != 33 {
		t.Errorf("%d of %d vectors agree", got, want)
	}
}
