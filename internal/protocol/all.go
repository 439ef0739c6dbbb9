// Package protocol lists the networks this program knows. To add one, write its
// package and name it here.
package protocol

import (
	"adit/internal/protocol/connito"
	"adit/internal/protocol/templar"
	"adit/internal/subnet"
)

// All is every known protocol, in the order in which they are listed to users.
var All = []subnet.Protocol{
	connito.Protocol,
	templar.Protocol,
}

// ByName returns the protocol of that name, or false.
func ByName(name string) (subnet.Protocol, bool) {
	for _, p := range All {
		if p.Name == name {
			return p, true
		}
	}
	return subnet.Protocol{}, false
}
