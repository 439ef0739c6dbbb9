package config

import (
	"encoding/json"
	"errors"
	"log/slog"

	"github.com/goccy/go-yaml"
)

// A Secret is a token or a password. Wherever it is printed, logged or shown it
// is a mask; only [Write] puts it into a file, which nobody else may read.
type Secret string

const mask = "•••"

var errMask = errors.New("is the mask that stands for a secret: put in the secret itself")

// Reveal returns the secret itself, for the one place that needs it.
func (s Secret) Reveal() string { return string(s) }

// String returns the mask, or nothing if there is no secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return mask
}

// GoString masks the secret where %#v prints it.
func (s Secret) GoString() string { return `"` + s.String() + `"` }

// LogValue masks the secret in logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON masks the secret in what programs read.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// MarshalYAML masks the secret where settings are shown.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }

// UnmarshalYAML refuses the mask: somebody copied what was shown.
func (s *Secret) UnmarshalYAML(unmarshal func(any) error) error {
	var text string
	if err := unmarshal(&text); err != nil {
		return err
	}
	if text == mask {
		return errMask
	}
	*s = Secret(text)
	return nil
}

// revealed is for Write alone.
func revealed(s Secret) ([]byte, error) { return yaml.Marshal(string(s)) }
