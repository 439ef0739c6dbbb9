package connito

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/protocol/actor"
	"adit/internal/subnet"
	"adit/internal/tensor"
)

// TestAgreeOn decides who is averaged. A list is written as who has which parts, by
// their first letters; an upper-case letter is another hash.
func TestAgreeOn(t *testing.T) {
	stake := map[subnet.Hotkey]uint64{"a": 10, "b": 10, "c": 10, "d": 1000}
	for _, tt := range []struct {
		name  string
		lists map[subnet.Hotkey]string
		want  string
	}{
		{"all see all", map[subnet.Hotkey]string{"a": "abc", "b": "abc", "c": "abc"}, "abc"},
		{"one alone", map[subnet.Hotkey]string{"a": "a"}, "a"},
		{"vanished after its part", map[subnet.Hotkey]string{"a": "abc", "b": "abc"}, "ab"},
		{"one did not see another's", map[subnet.Hotkey]string{"a": "abc", "b": "abc", "c": "bc"}, "abc"},
		{"two did not", map[subnet.Hotkey]string{"a": "abc", "b": "bc", "c": "bc"}, "bc"},
		{"a part for each", map[subnet.Hotkey]string{"a": "abC", "b": "abc", "c": "abC"}, "abC"},
		{"a list that leaves all out", map[subnet.Hotkey]string{"a": "abc", "b": "abc", "c": "c"}, "abc"},
		{"by stake", map[subnet.Hotkey]string{"a": "ab", "b": "ab", "d": "d"}, "d"},
		{"abstains", map[subnet.Hotkey]string{"a": "ab", "b": "ab", "c": "ab"}, "ab"},
		{"half is not enough", map[subnet.Hotkey]string{"a": "a", "b": "b"}, ""},
		{"nobody", nil, ""},
	} {
		lists := make(map[subnet.Hotkey]map[subnet.Hotkey]string)
		for who, text := range tt.lists {
			lists[who] = make(map[subnet.Hotkey]string)
			for _, c := range text {
				lists[who][subnet.Hotkey(strings.ToLower(string(c)))] = string(c)
			}
		}
		agreed := agreeOn(lists, stake)
		var got string
		for _, who := range slices.Sorted(maps.Keys(agreed)) {
			got += agreed[who]
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestMergeHead(t *testing.T) {
	s := &stage{}
	a, b := s.actor("a", true), s.actor("b", true)
	h := mergeHead{Hotkey: a, Round: 7, Group: 1, Base: "base", Hash: "hash", Have: map[subnet.Hotkey]string{b: "x", a: "y"}}
	sig, err := actorKey{a, s.keys[a]}.Sign(t.Context(), h.message())
	if err != nil {
		t.Fatal(err)
	}
	h.Signature = Base64URL.encode(sig)
	back, err := parseMergeHead([]byte(actor.JSON(h)))
	if err != nil || !cmp.Equal(back, h) {
		t.Fatalf("%+v, %v", back, err)
	}
	want := mergeHead{Hotkey: a, Round: 7, Group: 1, Base: "base"}
	if err := checkMergeHead(back, want, s.verify); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*mergeHead){
		"round": func(h *mergeHead) { h.Round = 8 }, "group": func(h *mergeHead) { h.Group = 0 }, "hotkey": func(h *mergeHead) { h.Hotkey = b },
		"base": func(h *mergeHead) { h.Base = "x" }, "hash": func(h *mergeHead) { h.Hash = "x" }, "have": func(h *mergeHead) { h.Have = nil },
		"signature": func(h *mergeHead) { h.Signature = "x" },
	} {
		spoiled := back
		spoil(&spoiled)
		if err := checkMergeHead(spoiled, want, s.verify); err == nil {
			t.Errorf("another %s was taken", name)
		}
	}
	want.Base = "other"
	if err := checkMergeHead(back, want, s.verify); err == nil || !strings.Contains(err.Error(), "leads away") {
		t.Errorf("from another baseline: %v", err)
	}
}

func TestCheckPart(t *testing.T) {
	global := tensor.Dict{"k": tensor.FromFloats(tensor.F16, []int{2, 1}, []float32{1, 2})}
	part := func(vals ...float32) tensor.Dict {
		return tensor.Dict{"k": tensor.FromFloats(tensor.F32, []int{len(vals), 1}, vals)}
	}
	good := part(0.5, -0.5)
	if err := checkPart(good, global, Hash(good)); err != nil {
		t.Error(err)
	}
	nan := part(1, float32(math.NaN()))
	other := tensor.Dict{"x": good["k"]}
	for name, d := range map[string]tensor.Dict{
		"NaN": nan, "shape": part(1, 2, 3), "key": other, "none": {}, "type": {"k": global["k"]},
	} {
		if err := checkPart(d, global, Hash(d)); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if err := checkPart(good, global, Hash(nan)); err == nil {
		t.Error("another hash was taken")
	}
	g := Gradient{"k": {0.5, -0.5}}
	back, err := gradientOf(g.tensors(global))
	if err != nil || !cmp.Equal(back, g) {
		t.Errorf("%v, %v", back, err)
	}
}

// TestMergeEnds divides a phase among the groups of a validator.
func TestMergeEnds(t *testing.T) {
	for _, r := range []Rules{Local, G0, G2Early, G2, G3} {
		for groups := 1; groups <= 3; groups++ {
			last := r.Schedule.Start(4, Merge)
			for g := range groups {
				parts, lists := r.mergeEnds(4, g, groups)
				if parts < last || lists < parts || lists > r.Schedule.End(4, Merge) {
					t.Errorf("%s, group %d of %d: parts until %d, lists until %d, after %d", r.Name, g, groups, parts, lists, last)
				}
				last = lists
			}
		}
	}
	if parts, lists := G3.mergeEnds(0, 0, 1); parts != 466 || lists != 478 {
		t.Errorf("g3: %d and %d", parts, lists)
	}
}

func FuzzParseMergeHead(f *testing.F) {
	f.Add([]byte(`{"hotkey":"5a","round":1,"group":0,"base":"b","hash":"h","have":{"5a":"h"},"signature":"s"}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := parseMergeHead(data)
		if err != nil {
			return
		}
		if h.Hotkey == "" || len(h.Have) > maxParts || !json.Valid([]byte(actor.JSON(h))) || len(h.message()) == 0 {
			t.Errorf("took %+v", h)
		}
		if checkMergeHead(h, h, func(subnet.Hotkey, []byte, []byte) bool { return false }) == nil {
			t.Error(fmt.Sprint("took an unsigned head: ", h))
		}
	})
}
