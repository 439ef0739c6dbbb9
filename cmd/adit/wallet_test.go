package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const alice = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"

func TestWalletListText(t *testing.T) {
	t.Parallel()
	list := listedWallets{[]listedWallet{{
		listedKey{Name: "miner", Address: alice, Form: "encrypted"},
		[]listedKey{
			{Name: "hk1", Address: alice, Form: "not encrypted", Exposed: true},
			{Name: "b\x1b[2Jd", Address: "?", Form: "encrypted", Error: "read\nit"},
		},
	}}}
	wide := "" +
		"miner          " + alice + "  encrypted\n" +
		"  hk1          " + alice + "  not encrypted, open to others\n" +
		`  "b\x1b[2Jd"  ?` + strings.Repeat(" ", 47) + "  encrypted\n" +
		`    ! "read\nit"` + "\n"
	narrow := "" +
		"miner  encrypted\n    " + alice + "\n" +
		"  hk1  not encrypted, open to others\n    " + alice + "\n" +
		`  "b\x1b[2Jd"  encrypted` + "\n    ?\n" +
		`    ! "read\nit"` + "\n"
	for _, tt := range []struct {
		width int
		want  string
	}{{0, wide}, {120, wide}, {80, narrow}} {
		if diff := cmp.Diff(tt.want, list.text(tt.width)); diff != "" {
			t.Errorf("in %d cells (-want +got):\n%s", tt.width, diff)
		}
	}
}

func TestWalletExpandURI(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"alice": "//Alice", "BOB": "//Bob", "élise": "//Élise", "//Alice": "//Alice", "//alice": "//alice", "": "",
		"0xab": "0xab", "bottom drive": "bottom drive", "word//a": "word//a",
	} {
		if got := expandURI(uri); got != want {
			t.Errorf("%q became %q, want %q", uri, got, want)
		}
	}
}
