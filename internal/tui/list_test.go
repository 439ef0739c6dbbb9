package tui

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTable(t *testing.T) {
	t.Parallel()
	table := Table{
		Columns: []Column{{Head: "UID", Right: true}, {Head: "TRUST", Right: true, Drop: 1}, {Head: "HOTKEY", Short: "KEY", Brief: 8}},
		Rows:    [][]string{{"7", "0.50000", "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"}},
	}
	for _, tt := range []struct {
		width  int
		want   string
		hidden []string
	}{
		{0, "UID    TRUST  HOTKEY\n  7  0.50000  5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY", nil},
		{30, "UID    TRUST  KEY\n  7  0.50000  5GrwvaE…", nil},
		{16, "UID  KEY\n  7  5GrwvaE…", []string{"TRUST"}},
	} {
		if diff := cmp.Diff(tt.want, strings.Join(table.Lines(tt.width), "\n")); diff != "" {
			t.Errorf("in %d cells (-want +got):\n%s", tt.width, diff)
		}
		if got := table.Hidden(tt.width); !slices.Equal(got, tt.hidden) {
			t.Errorf("in %d cells, %v is hidden, want %v", tt.width, got, tt.hidden)
		}
	}
}
