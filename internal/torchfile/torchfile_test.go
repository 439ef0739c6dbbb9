package torchfile

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"adit/internal/subnet"
	"adit/internal/tensor"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func decodeBytes(b []byte, limit int64) (any, error) {
	return Decode(bytes.NewReader(b), int64(len(b)), limit)
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Encode(&b, v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// archived puts entries, pairs of name and content, into a zip.
func archived(t testing.TB, method uint16, entries ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(entries); i += 2 {
		w, err := z.CreateHeader(&zip.FileHeader{Name: entries[i], Method: method})
		if err == nil {
			_, err = w.Write([]byte(entries[i+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// pickled is a file whose pickle has these instructions, with sixteen bytes of
// storage.
func pickled(t testing.TB, ops string) []byte {
	return archived(t, zip.Store, "m/data.pkl", "\x80\x02"+ops+".", "m/data/0", "0123456789abcdef")
}

// Pieces of pickles.
const (
	mkOrdered = "ccollections\nOrderedDict\n)R"
	mkStorage = "(X\x07\x00\x00\x00storagectorch\nByteStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x10tQ"
)

// mkView rebuilds a tensor of the sixteen bytes; size and stride are pickled.
func mkView(offset byte, size, stride string) string {
	return "ctorch._utils\n_rebuild_tensor_v2\n(" + mkStorage + "K" + string(offset) + size + stride + "\x89" + mkOrdered + "tR"
}

func TestRoundTrip(t *testing.T) {
	shared := tensor.FromFloats(tensor.BF16, []int{2, 2}, []float32{1, 2, 3, 4})
	big := tensor.Tensor{DType: tensor.U8, Shape: []int{300}, Data: bytes.Repeat([]byte{7}, 300)}
	v := &Dict{Items: []Item{
		{"z", tensor.FromFloats(tensor.F32, []int{1, 3}, []float32{1, -2, 3})},
		{"a", &Dict{Ordered: true, Items: []Item{{int64(7), "seven"}, {true, nil}, {0.5, false}}}},
		{"list", []any{int64(-1), int64(255), int64(65535), int64(math.MaxInt32), int64(math.MinInt64), math.Inf(-1), "größe"}},
		{"tuples", Tuple{Tuple{}, Tuple{int64(1)}, Tuple{int64(1), int64(2)}, Tuple{"a", "b", "c", "d"}}},
		{"empty", []any{&Dict{}, []any{}, "", tensor.Tensor{DType: tensor.I64, Shape: []int{0, 3}}}},
		{"half", tensor.FromFloats(tensor.F16, nil, []float32{1.5})},
		{"tied", []any{shared, shared}},
		{"ints", []any{big, tensor.Tensor{DType: tensor.Bool, Shape: []int{2}, Data: []byte{0, 1}}}},
		{"double", tensor.FromFloats(tensor.F64, []int{1}, []float32{9})},
	}}
	b := encode(t, v)
	if !bytes.Equal(b, encode(t, v)) {
		t.Error("the same value gives other bytes")
	}
	got, err := decodeBytes(b, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(v, got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	tied, _ := got.(*Dict).Get("tied")
	a := tied.([]any)
	if &a[0].(tensor.Tensor).Data[0] != &a[1].(tensor.Tensor).Data[0] {
		t.Error("tied tensors have come apart")
	}

	// An ordinary zip reader agrees, and every entry's bytes are aligned.
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range z.File {
		names = append(names, f.Name)
		off, err := f.DataOffset()
		if err != nil || off%64 != 0 {
			t.Errorf("%s begins at %d, %v", f.Name, off, err)
		}
		r, err := f.Open()
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		if err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
	want := "archive/data.pkl archive/.format_version archive/.storage_alignment archive/byteorder " +
		"archive/data/0 archive/data/1 archive/data/2 archive/data/3 archive/data/4 archive/data/5 archive/data/6 " +
		"archive/version archive/.data/serialization_id"
	if diff := cmp.Diff(want, strings.Join(names, " ")); diff != "" {
		t.Error(diff)
	}
}

func TestMapsAreSorted(t *testing.T) {
	one := tensor.Tensor{DType: tensor.U8, Data: []byte{1}}
	got, err := decodeBytes(encode(t, map[string]any{"b": tensor.Dict{"z": one, "y": one}, "a": 1}), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	want := &Dict{Items: []Item{{"a", int64(1)}, {"b", &Dict{Items: []Item{{"y", one}, {"z", one}}}}}}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func TestEncodeRefuses(t *testing.T) {
	loop := &Dict{}
	loop.Items = []Item{{"self", loop}}
	for name, v := range map[string]any{
		"channel":      make(chan int),
		"key":          &Dict{Items: []Item{{nil, nil}}},
		"bad tensor":   tensor.Tensor{DType: tensor.F32, Shape: []int{2}},
		"endless":      loop,
		"long string":  strings.Repeat("x", maxString+1),
		"many dims":    tensor.Tensor{DType: tensor.U8, Shape: make([]int, maxRank+1)},
		"inside lists": []any{Tuple{uint8(1)}},
	} {
		if err := Encode(io.Discard, v); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	full := errors.New("disk full")
	if err := Encode(fullDisk{full}, nil); !errors.Is(err, full) {
		t.Errorf("a full disk gives %v", err)
	}
}

type fullDisk struct{ err error }

func (f fullDisk) Write([]byte) (int, error) { return 0, f.err }

func TestViews(t *testing.T) {
	for _, tt := range []struct {
		name         string
		offset       byte
		size, stride string
		shape        []int
		want         string
	}{
		{"scalar", 3, ")", ")", nil, "3"},
		{"all", 0, "K\x10\x85", "K\x01\x85", []int{16}, "0123456789abcdef"},
		{"slice", 10, "K\x02K\x03\x86", "K\x03K\x01\x86", []int{2, 3}, "abcdef"},
		{"transposed", 0, "K\x03K\x02\x86", "K\x01K\x03\x86", []int{3, 2}, "031425"},
		{"columns", 1, "K\x04K\x02\x86", "K\x04K\x01\x86", []int{4, 2}, "12569ade"},
		{"expanded", 5, "K\x03K\x01\x86", "K\x00K\x01\x86", []int{3, 1}, "555"},
		{"stride of one", 4, "K\x01K\x02\x86", "M\xff\xffK\x01\x86", []int{1, 2}, "45"},
		{"overlapping", 0, "K\x03K\x02\x86", "K\x01K\x01\x86", []int{3, 2}, "011223"},
		{"three", 0, "K\x02K\x02K\x02\x87", "K\x01K\x02K\x08\x87", []int{2, 2, 2}, "082a193b"},
		{"nothing", 16, "K\x00K\x05\x86", "K\x05K\x01\x86", []int{0, 5}, ""},
	} {
		b := pickled(t, mkView(tt.offset, tt.size, tt.stride))
		got, err := decodeBytes(b, 1<<20)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		sameIndex(t, b, got)
		want := tensor.Tensor{DType: tensor.U8, Shape: tt.shape, Data: []byte(tt.want)}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s:\n%s", tt.name, diff)
		}
	}
}

// TestGather compares the copies of strided tensors with what the definition of
// strides says, for elements of every size.
func TestGather(t *testing.T) {
	src := make([]byte, 4096)
	for i := range src {
		src[i] = byte(i * 31)
	}
	for _, d := range []tensor.DType{tensor.U8, tensor.BF16, tensor.F32, tensor.I64} {
		elem := d.Size()
		v := view{dtype: d, offset: 5, rank: 3}
		copy(v.dims[:], []int{3, 2, 7})
		for _, steps := range [][]int64{{1, 3, 9}, {70, 20, 2}, {0, 0, 0}, {14, 7, 1}, {7, 0, 3}} {
			copy(v.steps[:], steps)
			var want []byte
			for i := range 3 * 2 * 7 {
				at := (5 + i/14*int(steps[0]) + i/7%2*int(steps[1]) + i%7*int(steps[2])) * elem
				want = append(want, src[at:at+elem]...)
			}
			if got := v.gather(make([]byte, 0, len(want)), src, v.offset, 0); !bytes.Equal(got, want) {
				t.Errorf("%v of strides %v is %x, not %x", d, steps, got, want)
			}
		}
	}
}

func TestStateDict(t *testing.T) {
	// What a module's state_dict pickles to: an OrderedDict with attributes,
	// and a Parameter, and an integer of the long kind.
	ops := mkOrdered + "q\x00(X\x01\x00\x00\x00w" +
		"ctorch._utils\n_rebuild_parameter\n(" + mkView(0, "K\x02\x85", "K\x01\x85") + "\x88" + mkOrdered + "tR" +
		"X\x01\x00\x00\x00n\x8a\x03\xff\xff\xfeu}X\x09\x00\x00\x00_metadata" + mkOrdered + "sb"
	got, err := decodeBytes(pickled(t, ops), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	want := &Dict{Ordered: true, Items: []Item{
		{"w", tensor.Tensor{DType: tensor.U8, Shape: []int{2}, Data: []byte("01")}},
		{"n", int64(-65537)},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestBadPickles(t *testing.T) {
	one := mkView(0, "K\x10\x85", "K\x01\x85")
	for name, tt := range map[string]struct{ ops, want string }{
		"code":              {"cos\nsystem\n(X\x02\x00\x00\x00lstR", "os.system"},
		"nearly torch":      {"ctorch.serialization\nHalfStorage\n", "torch.serialization.HalfStorage"},
		"other class":       {"ctorch\nUntypedStorage\n", "torch.UntypedStorage"},
		"nested name":       {"ctorch\nFloatStorage.__init__\n", "torch.FloatStorage.__init__"},
		"object":            {"N)\x81", `'\u0081'`},
		"old global":        {"(ios\nsystem\n", `'i'`},
		"memoize":           {"N\x94", `'\u0094'`},
		"protocol":          {"\x80\x04N", "protocol 4"},
		"endless global":    {"c" + strings.Repeat("x", 300), "too early"},
		"nothing":           {"", "one value"},
		"two values":        {"NN", "one value"},
		"mark left":         {"N(", "one value"},
		"a name":            {"ccollections\nOrderedDict\n", "no value"},
		"a storage":         {mkStorage, "no value"},
		"call a number":     {"K\x01)R", "cannot be called"},
		"call a tuple":      {"))R", "cannot be called"},
		"call a storage":    {"ctorch\nByteStorage\n)R", "cannot be called"},
		"no arguments":      {"ccollections\nOrderedDict\nNR", "tuple"},
		"ordered from list": {"ccollections\nOrderedDict\n]\x85R", "arguments"},
		"parameter of none": {"ctorch._utils\n_rebuild_parameter\nN\x89N\x87R", "something other than a tensor"},
		"tensor of none":    {"ctorch._utils\n_rebuild_tensor_v2\n(NK\x00))\x89NtR", "unexpected"},
		"few arguments":     {"ctorch._utils\n_rebuild_tensor_v2\n)R", "unexpected"},
		"id":                {"NQ", "persistent id"},
		"id of other":       {"(X\x06\x00\x00\x00moduleNNNNtQ", "persistent id"},
		"id with a dict":    {"(}NNNNtQ", "persistent id"},
		"build a dict":      {"}}b", "BUILD"},
		"build of a list":   {mkOrdered + "]b", "BUILD"},
		"build of nothing":  {"}b", "BUILD"},
		"append to a dict":  {"}Na", "nothing to fill"},
		"set in a list":     {"]NNs", "nothing to fill"},
		"odd items":         {"}(Nu", "nothing to fill"},
		"append to nothing": {"Na", "nothing to fill"},
		"below the mark":    {"N(\x85", "too few"},
		"no mark":           {"t", "no mark"},
		"memo":              {"h\x05", "memo 5"},
		"remember nothing":  {"q\x05", "nothing on the stack"},
		"remember a mark":   {"(q\x05", "nothing on the stack"},
		"long int":          {"\x8a\x09123456789", "too large"},
		"cut int":           {"\x8a\x09", "too early"},
		"cut string":        {"X\x10\x00\x00\x00abc", "too early"},
		"huge string":       {"X\xff\xff\xff\xff", "too long"},
		"not UTF-8":         {"X\x01\x00\x00\x00\xff", "UTF-8"},
		"key twice":         {"}(K\x01NK\x02NK\x01\x88u", "key 1 comes twice"},
		"string twice":      {"}(X\x01\x00\x00\x00aNX\x01\x00\x00\x00aNu", "key a comes twice"},
		"long key":          {"}X\x01\x04\x00\x00" + strings.Repeat("k", 1025) + "Ns", "key of 1025 bytes"},
		"far memo":          {"Nr\xff\xff\xff\xff", "more than"},
		"size of none":      {"ctorch\nSize\nN\x85R", "torch.Size"},
		"class":             {"ctorch\nTensor\n)R", "class cannot be called"},
		"type of code":      {"ctorch._tensor\n_rebuild_from_type_v2\n(ccollections\nOrderedDict\nctorch\nTensor\n)NtR", "_rebuild_from_type_v2"},
		"later protocol":    {"\x8c\x01a", "later pickle protocol"},
		"earlier protocol":  {"I1\n", "earlier pickle protocol"},
		"later types":       {"ctorch._utils\n_rebuild_tensor_v3\n", "_rebuild_tensor_v3"},
		"list as key":       {"}]Ns", "as a dict's key"},
		"none as key":       {"}NNs", "as a dict's key"},
		"endless list":      {"]q\x00h\x00a", "within one another"},
		"endless dict":      {"}q\x00K\x00h\x00s", "within one another"},
		"deep":              {strings.Repeat("]", 100) + strings.Repeat("a", 99), "within one another"},
		"laughs":            {"(]" + strings.Repeat("q\x00](h\x00h\x00h\x00h\x00e", 20) + "t", "more than"},
		"outside":           {mkView(1, "K\x10\x85", "K\x01\x85"), "not inside"},
		"stride outside":    {mkView(0, "K\x02\x85", "K\x10\x85"), "not inside"},
		"offset outside":    {mkView(17, "K\x00\x85", "K\x01\x85"), "not inside"},
		"offset alone":      {mkView(16, ")", ")"), "not inside"},
		"negative stride":   {mkView(9, "K\x02\x85", "J\xff\xff\xff\xff\x85"), "unexpected"},
		"negative size":     {mkView(0, "J\xff\xff\xff\xff\x85", "K\x01\x85"), "unexpected"},
		"negative offset":   {strings.Replace(one, "K\x00K\x10\x85", "J\xff\xff\xff\xffK\x10\x85", 1), "not inside"},
		"rank mismatch":     {mkView(0, ")", "K\x01\x85"), "unexpected"},
		"overflow":          {mkView(0, "\x8a\x08\x00\x00\x00\x00\x01\x00\x00\x00\x8a\x08\x00\x00\x00\x00\x01\x00\x00\x00\x86", "K\x00K\x00\x86"), "too large"},
		"stride overflow":   {mkView(0, "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85", "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85"), "not inside"},
		"amplified":         {mkView(0, "\x8a\x05\x00\x00\x00\x10\x00\x85", "K\x00\x85"), "larger than allowed"},
		"missing storage":   {strings.Replace(one, "\x00\x00\x000", "\x00\x00\x001", 1), `no "data/1"`},
		"storage size":      {strings.Replace(one, "K\x10tQ", "K\x0ftQ", 1), "not inside"},
		"other size":        {strings.Replace(mkView(0, "K\x05\x85", "K\x01\x85"), "K\x10tQ", "K\x0ftQ", 1), "has 16 bytes, not 15"},
		"wide type":         {strings.Replace(one, "ByteStorage", "LongStorage", 1), "has 16 bytes, not 128"},
		"path in the key":   {strings.Replace(one, "X\x01\x00\x00\x000", "X\x08\x00\x00\x00../../..", 1), "no \"data/../"},
		"conjugate":         {strings.TrimSuffix(one, "tR") + "}X\x04\x00\x00\x00conj\x88stR", "properties"},
	} {
		_, err := decodeBytes(pickled(t, tt.ops), 1<<20)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want … %s …", name, err, tt.want)
		}
	}
	if _, err := decodeBytes(archived(t, zip.Store, "m/data.pkl", "\x80\x02N"), 1<<20); err == nil {
		t.Error("a pickle without an end is read")
	}
	steps := "N" + strings.Repeat("q\x00", maxSteps)
	if _, err := decodeBytes(pickled(t, steps), 1<<30); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("too many steps: %v", err)
	}
}

// TestAdvice has what a person may have meant well, and what cures it.
func TestAdvice(t *testing.T) {
	if !Is([]byte(magicZip)) || !Is([]byte(magicLegacy+"more")) || Is([]byte("\x80\x02\x8a")) || Is(nil) {
		t.Error("Is tells files of torch.save wrongly")
	}
	one := mkView(0, "K\x10\x85", "K\x01\x85")
	for name, tt := range map[string]struct {
		file []byte
		want string
	}{
		"legacy":     {[]byte(magicLegacy), "save it again"},
		"compressed": {archived(t, zip.Deflate, "m/data.pkl", "\x80\x02N."), "never compresses"},
		"byte order": {archived(t, zip.Store, "m/byteorder", "big"), "little-endian machine"},
		"version":    {archived(t, zip.Store, "m/version", "99"), "safetensors"},
		"script":     {archived(t, zip.Store, "m/constants.pkl", ""), "state_dict"},
		"module":     {pickled(t, "ctorch.nn.modules.linear\nLinear\n"), "state_dict"},
		"object":     {pickled(t, "N)\x81"), "state_dict"},
		"protocol":   {pickled(t, "\x80\x05"), "pickle_protocol"},
		"types":      {pickled(t, "ctorch._utils\n_rebuild_tensor_v3\n"), ".to("},
		"storage":    {pickled(t, "ctorch\nComplexFloatStorage\n"), ".to("},
		"sparse":     {pickled(t, "ctorch._utils\n_rebuild_sparse_tensor\n"), "to_dense"},
		"no data":    {pickled(t, "ctorch._utils\n_rebuild_meta_tensor_no_storage\n"), "load the model"},
		"parts":      {pickled(t, "ctorch.distributed.tensor\nDTensor\n"), "full_tensor"},
		"numpy":      {pickled(t, "cnumpy._core.multiarray\nscalar\n"), "item()"},
		"conjugate":  {pickled(t, strings.TrimSuffix(one, "tR")+"}X\x04\x00\x00\x00conj\x88stR"), "resolve_conj"},
		"expanded":   {pickled(t, mkView(0, "J\x00\x00\x00\x7f\x85", "K\x00\x85")), "clone()"},
		"bomb":       {pickled(t, strings.Repeat("}", 1<<20)), "safetensors"},
	} {
		if _, err := decodeBytes(tt.file, 1<<40); err == nil || !strings.Contains(subnet.Hint(err), tt.want) {
			t.Errorf("%s: %v, with the hint %q", name, err, subnet.Hint(err))
		}
	}
}

func TestBadArchives(t *testing.T) {
	good := archived(t, zip.Store, "m/data.pkl", "\x80\x02N.", "m/byteorder", "little\n")
	if _, err := decodeBytes(good, 1<<20); err != nil {
		t.Fatal(err)
	}
	// patch changes bytes of the directory's first entry, or of the end.
	patch := func(at int, b ...byte) []byte {
		p := bytes.Clone(good)
		base := bytes.Index(p, []byte(centralSig))
		if at < 0 {
			base = len(p)
		}
		copy(p[base+at:], b)
		return p
	}
	last := bytes.Clone(good) // its last entry longer than what there is
	copy(last[bytes.LastIndex(last, []byte(centralSig))+20:], "\xff\x00\x00\x00\xff\x00\x00\x00")
	local := bytes.Clone(good) // a local header that reaches into the next
	local[28] = 20
	elsewhere := bytes.Clone(good)
	elsewhere[0] = 'p'
	elsewhere = append([]byte(localSig), elsewhere...)
	elsewhere[bytes.Index(elsewhere, []byte(centralSig))+42] = 4
	elsewhere[bytes.LastIndex(elsewhere, []byte(centralSig))+42] += 4
	elsewhere[len(elsewhere)-6] += 4
	for name, tt := range map[string]struct {
		file []byte
		want string
	}{
		"last past the end": {last, "not in the file"},
		"long local header": {local, "lie over one another"},
		"no local header":   {elsewhere, "not in the file"},
		"nothing":           {nil, "no zip archive"},
		"text":              {bytes.Repeat([]byte("not a zip "), 10000), "no zip archive"},
		"begins as a zip":   {bytes.Repeat([]byte(localSig), 10000), "cut off"},
		"legacy":            {[]byte(magicLegacy + "\x80\x02M\xe9\x03."), "before version 1.6"},
		"TorchScript":       {archived(t, zip.Store, "m/data.pkl", "\x80\x02N.", "m/constants.pkl", "\x80\x02)."), "TorchScript"},
		"version":           {archived(t, zip.Store, "m/data.pkl", "\x80\x02N.", "m/version", "11\n"), "version"},
		"no version":        {archived(t, zip.Store, "m/data.pkl", "\x80\x02N.", "m/version", "new"), "version"},
		"overlap":           {patch(20, 60, 0, 0, 0, 60, 0, 0, 0), "lie over one another"},
		"cut":               {good[:len(good)-1], "cut off"},
		"longer":            {append(bytes.Clone(good), 0), "cut off"},
		"compressed":        {archived(t, zip.Deflate, "m/data.pkl", "\x80\x02N."), "compressed"},
		"big-endian":        {archived(t, zip.Store, "m/data.pkl", "\x80\x02N.", "m/byteorder", "big"), "little-endian"},
		"two folders":       {archived(t, zip.Store, "m/data.pkl", "\x80\x02N.", "n/data/0", ""), "same folder"},
		"no folder":         {archived(t, zip.Store, "data.pkl", "\x80\x02N."), "same folder"},
		"twice":             {archived(t, zip.Store, "m/data.pkl", "\x80\x02N.", "m/data.pkl", "\x80\x02\x88."), "twice"},
		"no pickle":         {archived(t, zip.Store, "m/data/0", ""), `no "data.pkl"`},
		"encrypted":         {patch(8, 1), "encrypted"},
		"other signature":   {patch(0, 'X'), "damaged"},
		"long name":         {patch(28, 255, 255), "damaged"},
		"size past the end": {patch(20, 255, 0, 0, 0, 255, 0, 0, 0), "lie over one another"},
		"zip64 for nothing": {patch(20, 255, 255, 255, 255, 255, 255, 255, 255), "lie over one another"},
		"header elsewhere":  {patch(42, 255, 255, 0, 0), "not in the file"},
		"header on data":    {patch(42, 1, 0, 0, 0), "not in the file"},
		"directory outside": {patch(-6, 255, 255, 255, 0), "not in the file"},
		"directory longer":  {patch(-10, 255, 255, 255, 0), "not in the file"},
		"directory shorter": {patch(-10, 40, 0, 0, 0), "damaged"},
	} {
		_, err := decodeBytes(tt.file, 1<<20)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want … %s …", name, err, tt.want)
		}
	}
	if _, err := decodeBytes(good, int64(len(good))-1); err == nil {
		t.Error("a file over the limit is read")
	}
	if _, err := Decode(bytes.NewReader(good), 1<<40, 1<<50); err == nil {
		t.Error("a file shorter than it says is read")
	}
}

// wide is the same archive with its directory's numbers moved to zip64
// records, as torch writes them.
func wide(plain []byte) []byte {
	at := bytes.Index(plain, []byte(centralSig))
	end := len(plain) - endLen
	dir := plain[at:end]
	var moved []byte
	for len(dir) > 0 {
		n, x := int(le.Uint16(dir[28:])), int(le.Uint16(dir[30:]))
		e := bytes.Clone(dir[:centralLen+n])
		extra := append([]byte("xx\x02\x00\x00\x00"), 1, 0, 24, 0)
		for _, field := range []int{24, 20, 42} {
			extra = le.AppendUint64(extra, uint64(le.Uint32(e[field:])))
			le.PutUint32(e[field:], zip64)
		}
		le.PutUint16(e[30:], uint16(len(extra)))
		moved = append(append(moved, e...), extra...)
		dir = dir[centralLen+n+x:]
	}
	b := append(bytes.Clone(plain[:at]), moved...)
	record := len(b)
	b = append(b, end64Sig...)
	b = append(b, make([]byte, end64Len-4)...)
	le.PutUint64(b[record+40:], uint64(len(moved)))
	le.PutUint64(b[record+48:], uint64(at))
	b = append(b, locatorSig+"\x00\x00\x00\x00"...)
	b = le.AppendUint64(b, uint64(record))
	b = append(b, 1, 0, 0, 0)
	return append(b, endSig+"\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00"...)
}

func TestZip64(t *testing.T) {
	b := wide(pickled(t, mkView(0, "K\x10\x85", "K\x01\x85")))
	got, err := decodeBytes(b, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if string(got.(tensor.Tensor).Data) != "0123456789abcdef" {
		t.Errorf("read %q", got.(tensor.Tensor).Data)
	}
	for _, pos := range []uint64{math.MaxUint64, 1 << 40, 0} {
		bad := bytes.Clone(b)
		le.PutUint64(bad[len(bad)-endLen-12:], pos)
		if _, err := decodeBytes(bad, 1<<20); err == nil {
			t.Errorf("a zip64 record at %d is found", pos)
		}
	}
}
