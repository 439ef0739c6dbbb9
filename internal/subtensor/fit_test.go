package subtensor

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"adit/internal/keys"
	"adit/internal/subnet"
)

type weightVectors struct {
	Commit struct {
		Hash, Hotkey       string
		Netuid             subnet.NetUID
		UIDs, Values, Salt []uint16
		VersionKey         uint64 `json:"version_key"`
	}
	Scaled []struct {
		UIDs    []subnet.UID
		Weights []float64
		OutUIDs []uint16 `json:"out_uids"`
		OutVals []uint16 `json:"out_vals"`
	}
	Limited []struct {
		X, Y  []float64
		Limit float64
	}
}

// Weights are hashed, scaled and limited as the SDK does it.
func TestWeightVectors(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("testdata/weights.json")
	if err != nil {
		t.Fatal(err)
	}
	var v weightVectors
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	hotkey, err := keys.ParseAddress(v.Commit.Hotkey)
	if err != nil {
		t.Fatal(err)
	}
	w := Weights{NetUID: v.Commit.Netuid, UIDs: v.Commit.UIDs, Values: v.Commit.Values, VersionKey: v.Commit.VersionKey}
	if h, err := w.Hash(hotkey, v.Commit.Salt); err != nil || hash32(h).String() != v.Commit.Hash {
		t.Errorf("hash %v, %v, want %s", hash32(h), err, v.Commit.Hash)
	}
	for _, tt := range v.Scaled {
		in := make([]subnet.Weight, len(tt.UIDs))
		for i := range in {
			in[i] = subnet.Weight{UID: tt.UIDs[i], Value: tt.Weights[i]}
		}
		got, err := NewWeights(1, in)
		if (err == nil) != (len(tt.OutUIDs) > 0) {
			t.Errorf("%v: %v", tt.Weights, err)
		}
		if err == nil && !(cmp.Equal(got.UIDs, tt.OutUIDs) && cmp.Equal(got.Values, tt.OutVals)) {
			t.Errorf("%v = %v %v, want %v %v", tt.Weights, got.UIDs, got.Values, tt.OutUIDs, tt.OutVals)
		}
	}
	if len(v.Scaled) == 0 || len(v.Limited) == 0 {
		t.Error("there are no vectors")
	}
	for _, tt := range v.Limited {
		got := FitWeights(tt.X, 1, tt.Limit)
		for i := range tt.Y {
			if math.Abs(got[i]-tt.Y[i]) > 1e-6 {
				t.Errorf("%v under %v: %v, want %v", tt.X, tt.Limit, got, tt.Y)
				break
			}
		}
	}
}

func TestFitWeights(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in    []float64
		min   int
		limit float64
		want  []float64
	}{
		{nil, 1, 1, []float64{}},
		{[]float64{0, -1, math.NaN(), math.Inf(1)}, 1, 1, []float64{0.25, 0.25, 0.25, 0.25}},
		{[]float64{1, 3}, 3, 1, []float64{0.5, 0.5}},
		{[]float64{1, 3}, 2, 1, []float64{0.25, 0.75}},
		{[]float64{0, 1}, 2, 1, []float64{1e-5 / 1.00002, 1.00001 / 1.00002}},
		{[]float64{math.MaxFloat64, math.MaxFloat64}, 1, 1, []float64{0.5, 0.5}},
	} {
		got := FitWeights(tt.in, tt.min, tt.limit)
		if len(got) != len(tt.want) {
			t.Errorf("%v: %v", tt.in, got)
			continue
		}
		for i := range got {
			if !(math.Abs(got[i]-tt.want[i]) < 1e-12) {
				t.Errorf("%v: %v, want %v", tt.in, got, tt.want)
			}
		}
	}
}
