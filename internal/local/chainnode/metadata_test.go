package chainnode

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/ledger"
	"adit/internal/scale"
)

// TestDescribe adds the parameters that clients read, and changes nothing else.
func TestDescribe(t *testing.T) {
	t.Parallel()
	plain := ledger.New(ledger.DevGenesis()).Metadata()
	b, err := describe(plain)
	if err != nil {
		t.Fatal(err)
	}
	m, err := scale.ReadMetadata(b)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"sp_runtime::multiaddress::MultiAddress": "AccountId=AccountId32 AccountIndex=",
		"frame_system::EventRecord":              "E=RuntimeEvent T=H256",
		"Result":                                 "T= E=DispatchError",
	}
	for i := range m.Types {
		typ := &m.Types[i]
		path := strings.Join(typ.Path, "::")
		if want[path] == "" {
			continue
		}
		var got []string
		for _, p := range typ.Params {
			got = append(got, p.Name+"="+m.Types[p.Type.V].Name())
		}
		if diff := cmp.Diff(want[path], strings.Join(got, " ")); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
		delete(want, path)
		typ.Params = nil
	}
	if len(want) > 0 {
		t.Errorf("not in the metadata: %v", want)
	}
	if diff := cmp.Diff(plain, m.Encode()); diff != "" {
		t.Error("without the parameters it is not what it was")
	}
	if _, err := describe(plain[:100]); err == nil {
		t.Error("what is cut short is described")
	}
}
