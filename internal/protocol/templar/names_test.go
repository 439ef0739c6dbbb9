package templar

import (
	"strings"
	"testing"
)

const alice = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"

func TestNames(t *testing.T) {
	for key, want := range map[string]Name{
		"state-1400000-" + alice + ".pt":                       {Kind: StateObject, Window: 1400000, Hotkey: alice},
		"delta-7-" + alice + "-v0.1.33.pt":                     {Kind: DeltaObject, Window: 7, Hotkey: alice, Version: "0.1.33"},
		"neuron_checkpoint_" + alice + "_b4612345_v0.1.33.pth": {Kind: SliceCheckpointObject, Hotkey: alice, Block: 4612345, Version: "0.1.33"},
		"gradient-51803-12-v2.1.3.pt":                          {Kind: GradientObject, Window: 51803, UID: 12, Version: "2.1.3"},
		"gradient-5-12-vadit1.pt":                              {Kind: GradientObject, Window: 5, UID: 12, Version: "adit1"},
		"debug-51803-0-v2.1.3.pt":                              {Kind: DebugObject, Window: 51803, Version: "2.1.3"},
		"aggregator-51803-v2.1.28.pt":                          {Kind: AggregatorObject, Window: 51803, Version: "2.1.28"},
		"peers_51804_v2.1.28.json":                             {Kind: PeersObject, Window: 51804, Version: "2.1.28"},
		"start_window_v2.1.28.json":                            {Kind: StartWindowObject, Version: "2.1.28"},
		"validator-state-2.1.28.pt":                            {Kind: ValidatorStateObject, Version: "2.1.28"},
		"checkpoints/2.1.28/62834/.metadata":                   {Kind: CheckpointObject, Window: 62834, Version: "2.1.28", File: ".metadata"},
		"checkpoints/2.1.28/62834/__3_0.distcp":                {Kind: CheckpointObject, Window: 62834, Version: "2.1.28", File: "__3_0.distcp"},
		"checkpoints/2.1.28/_LATEST.json":                      {Kind: LatestCheckpointObject, Version: "2.1.28"},
	} {
		if got, err := ParseName(key); err != nil || got != want {
			t.Errorf("%s = %+v, %v, want %+v", key, got, err, want)
		}
		if got := want.String(); got != key {
			t.Errorf("%+v is called %s, want %s", want, got, key)
		}
	}
	for _, bad := range []string{
		"", "state", "state-1-.pt", "state-1-" + alice, "state-01-" + alice + ".pt", "state-1-" + alice[1:] + ".pt", "state--1-" + alice + ".pt",
		"state-1-" + alice + "-v.pt", "state-1-" + alice + "-v1/2.pt", "gradient-1-65536-v1.pt", "gradient-1-1.pt", "gradient-1-+1-v1.pt", "gradient-1-1-v1.pt.pt",
		"peers_1.json", "aggregator-1-1-v1.pt", "checkpoints/1/2/../x", "checkpoints/../2/x", "checkpoints/1/2/a/b", "checkpoints/1/2/", "checkpoints/1/2/..",
		"gradient-18446744073709551616-1-v1.pt", "gradient-1-1-v" + strings.Repeat("1", 40) + ".pt", "validator-state-.pt", "master-" + alice + ".pt",
	} {
		if got, err := ParseName(bad); err == nil {
			t.Errorf("%q was read as %+v", bad, got)
		}
	}
	if got := Prefix(GradientObject, 12); got != "gradient-12-" {
		t.Error(got)
	}
}

func FuzzNames(f *testing.F) {
	f.Add("state-1-" + alice + "-v0.1.33.pt")
	f.Add("gradient-51803-12-v2.1.3.pt")
	f.Add("checkpoints/2.1.28/62834/__3_0.distcp")
	f.Add("neuron_checkpoint_" + alice + "_b1_v0.1.33.pth")
	f.Add("peers_51804_v2.1.28.json")
	f.Fuzz(func(t *testing.T, key string) {
		n, err := ParseName(key)
		if err != nil {
			return
		}
		if n.String() != key || strings.Contains(key, "..") || strings.ContainsAny(key, "\\\x00 ") {
			t.Errorf("%q was read as %+v", key, n)
		}
	})
}

func TestCheckpointParts(t *testing.T) {
	if rank, n, ok := ParseCheckpointPart("__12_3.distcp"); !ok || rank != 12 || n != 3 {
		t.Error(rank, n, ok)
	}
	for _, bad := range []string{"__1.distcp", "__01_0.distcp", "__1_0", "_1_0.distcp", "__-1_0.distcp"} {
		if _, _, ok := ParseCheckpointPart(bad); ok {
			t.Errorf("%s is a part", bad)
		}
	}
	m := ExtraMetadata{WorldSize: 2}
	if m.Whole([]string{"__0_0.distcp", ".metadata", "extra_metadata.json", "__0_1.distcp", "__2_0.distcp"}) {
		t.Error("a checkpoint without a rank's part is whole")
	}
	if !m.Whole([]string{"__0_0.distcp", "__1_0.distcp", ".metadata", "extra_metadata.json"}) {
		t.Error("a whole checkpoint is not")
	}
}
