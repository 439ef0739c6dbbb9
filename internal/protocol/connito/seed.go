package connito

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"

	"adit/internal/subnet"
)

// combinedSeed joins the seeds that validators committed to: the sha256 of their
// decimal digits in the order of the hotkeys, in hexadecimal. Without a
// validator it is that of "0".
func combinedSeed(seeds map[subnet.Hotkey]uint64) string {
	var b strings.Builder
	for _, hotkey := range slices.Sorted(maps.Keys(seeds)) {
		b.WriteString(strconv.FormatUint(seeds[hotkey], 10))
	}
	if len(seeds) == 0 {
		b.WriteByte('0')
	}
	sum := sha256.Sum256([]byte(b.String()))
	return hex.EncodeToString(sum[:])
}
