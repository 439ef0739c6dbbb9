package connito

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// appendYAML appends a JSON value as a YAML file lays it out, with so many levels
// above it: members sorted by name, each on its line, indented by two. Strings are
// as in JSON, which is YAML too; numbers have a point where they are no integers,
// since old readers of YAML take 1e-05 for text.
func appendYAML(b []byte, v any, level int) []byte {
	indent := strings.Repeat("  ", level)
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 0 {
			return append(b, "{}\n"...)
		}
		if level > 0 {
			b = append(b, '\n')
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			b = append(append(b, indent...), yamlKey(key)...)
			b = append(b, ':')
			if !nested(v[key]) {
				b = append(b, ' ')
			}
			b = appendYAML(b, v[key], level+1)
		}
		return b
	case []any:
		if len(v) == 0 {
			return append(b, "[]\n"...)
		}
		if level > 0 {
			b = append(b, '\n')
		}
		for _, e := range v {
			b = append(append(b, indent...), '-')
			if !nested(e) {
				b = append(b, ' ')
			}
			b = appendYAML(b, e, level+1)
		}
		return b
	case json.Number:
		text := string(appendJSON(nil, v, jsonStyle{}))
		if mantissa, exponent, ok := strings.Cut(text, "e"); ok && !strings.Contains(mantissa, ".") {
			text = mantissa + ".0e" + exponent
		}
		return append(append(b, text...), '\n')
	}
	return append(appendJSON(b, v, jsonStyle{}), '\n')
}

// nested says whether a value stands on the lines after its name.
func nested(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return len(v) > 0
	case []any:
		return len(v) > 0
	}
	return false
}

// yamlKey returns a name as it stands before the colon: bare if it is a plain word.
func yamlKey(key string) []byte {
	for i, r := range key {
		if !(r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || i > 0 && r >= '0' && r <= '9') {
			return appendString(nil, key)
		}
	}
	if slices.Contains([]string{"", "y", "n", "yes", "no", "on", "off", "true", "false", "null"}, strings.ToLower(key)) {
		return appendString(nil, key)
	}
	return []byte(key)
}
