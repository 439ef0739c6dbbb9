package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"adit/internal/protocol"
	"adit/internal/subnet"
)

// Each metric and column of a protocol is fed by an event that its code emits, with the
// attributes that it wants.
func TestMetricsHaveSources(t *testing.T) {
	t.Parallel()
	for _, p := range protocol.All {
		all := sources(t, "../../internal/protocol/"+p.Name, "../../internal/node")
		kinds, attrs := make(map[string]bool), map[string]bool{"block": true, "kind": true, "level": true}
		for _, m := range regexp.MustCompile(`(?:(?i:note|say|warn|tell)\([^"\n]*|Kind: )"([\w-]+)"`).FindAllStringSubmatch(all, -1) {
			kinds[m[1]] = true
		}
		for _, m := range regexp.MustCompile(`slog\.\w+\("(\w+)"`).FindAllStringSubmatch(all, -1) {
			attrs[m[1]] = true
		}
		kind := func(k string) bool { return k == "" || kinds[k] }
		attr := func(a string) bool { return a == "" || attrs[a] }
		for _, m := range p.Metrics {
			if !kind(m.Event) || !attr(m.Attr) {
				t.Errorf("%s: %s: nothing emits %q with %q", p.Name, m.Name, m.Event, m.Attr)
			}
			for _, l := range m.Labels {
				if !attr(l.Attr) {
					t.Errorf("%s: %s: nothing emits the label %q", p.Name, m.Name, l.Attr)
				}
			}
			if m.Help == "" || strings.HasSuffix(m.Name, "_total") || (m.Kind == subnet.Histogram) != (len(m.Buckets) > 0) || !slices.IsSorted(m.Buckets) {
				t.Errorf("%s: %s is not as it should be", p.Name, m.Name)
			}
		}
		for _, c := range p.Columns {
			if !kind(c.Event) || !attr(c.Attr) {
				t.Errorf("%s: column %s: nothing emits %q with %q", p.Name, c.Name, c.Event, c.Attr)
			}
		}
	}
}
