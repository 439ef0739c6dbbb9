package connito

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"adit/internal/keys"
	"adit/internal/subnet"
)

// maxListed is how many validators an owner's list may have: as many as a subnet
// has neurons, many times over.
const maxListed = 4096

// ParseWhitelist reads a list of validators' hotkeys: the JSON that the owner's
// service answers with, or text with a hotkey, or several with commas between
// them, on each line, where # begins a comment. A hotkey that is none is an error,
// since a list that lacks one is not what its owner meant.
func ParseWhitelist(data []byte) ([]subnet.Hotkey, error) {
	if len(data) > maxService {
		return nil, fmt.Errorf("whitelist of %d bytes, want at most %d", len(data), maxService)
	}
	var words []string
	if text := bytes.TrimSpace(data); len(text) > 0 && text[0] == '[' {
		if err := json.Unmarshal(text, &words); err != nil {
			return nil, fmt.Errorf("whitelist: %w", err)
		}
	} else {
		for line := range strings.Lines(string(data)) {
			line, _, _ = strings.Cut(line, "#")
			words = append(words, strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) })...)
		}
	}
	if len(words) > maxListed {
		return nil, fmt.Errorf("whitelist: %d hotkeys, want at most %d", len(words), maxListed)
	}
	list := make([]subnet.Hotkey, 0, len(words))
	for _, w := range words {
		if _, err := keys.ParseAddress(w); err != nil {
			return nil, fmt.Errorf("whitelist: hotkey %.60q: %w", w, err)
		}
		if h := subnet.Hotkey(w); !slices.Contains(list, h) {
			list = append(list, h)
		}
	}
	return list, nil
}
