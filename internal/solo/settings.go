package solo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"adit/internal/subnet"
	"adit/internal/tensor"
)

// settings are what a model's files say of how it wants to be used. A pointer is
// nil where they say nothing.
type settings struct {
	Ends        []int32 // any of these tokens ends a text
	Begin       *int32  // the token that one begins with
	Sample      *bool   // whether to choose at random
	Temperature *float64
	TopK        *int
	TopP        *float64
}

// tokenIDs is a token, several, or null, as the transformers library writes
// eos_token_id.
type tokenIDs []int32

func (t *tokenIDs) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*t = nil
		return nil
	}
	var one int32
	if err := json.Unmarshal(b, &one); err == nil {
		*t = tokenIDs{one}
		return nil
	}
	var many []int32
	if err := json.Unmarshal(b, &many); err != nil {
		return errors.New("it is neither a token nor a list of tokens")
	}
	*t = many
	return nil
}

// readSettings reads config.json and generation_config.json, of which the latter,
// which may be nil, has the last word. Fields that say how to generate and are
// not known here are passed over: they belong to other programs' ways of doing
// that.
func readSettings(config, generation []byte) (settings, error) {
	type fields struct {
		EOS         tokenIDs `json:"eos_token_id"`
		BOS         *int32   `json:"bos_token_id"`
		DoSample    *bool    `json:"do_sample"`
		Temperature *float64 `json:"temperature"`
		TopK        *int     `json:"top_k"`
		TopP        *float64 `json:"top_p"`
	}
	var out settings
	for _, file := range []struct {
		name string
		b    []byte
	}{{configName, config}, {"generation_config.json", generation}} {
		if file.b == nil {
			continue
		}
		var f fields
		if err := json.Unmarshal(file.b, &f); err != nil {
			return out, subnet.WithHint(fmt.Errorf("%s: %w", file.name, err), "correct the file, or download it again")
		}
		if f.EOS != nil {
			out.Ends = slices.DeleteFunc(f.EOS, func(id int32) bool { return id < 0 }) // some write -1 for none
		}
		if f.BOS != nil {
			out.Begin = f.BOS
		}
		if file.name != configName { // where older files have other defaults under these names
			out.Sample, out.Temperature, out.TopK, out.TopP = f.DoSample, f.Temperature, f.TopK, f.TopP
		}
	}
	return out, nil
}

// setField returns a JSON object with the field set, in its place if it is there
// and otherwise at the end. All else keeps its bytes: what a person wrote into a
// config.json is theirs.
func setField(object []byte, name string, value any) ([]byte, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(object))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, errors.New("it is no JSON object")
	}
	var out []byte
	copied, found, empty := 0, false, true
	last := int(dec.InputOffset()) // the end of what is there
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, err
		}
		var old json.RawMessage
		if err := dec.Decode(&old); err != nil {
			return nil, err
		}
		empty, last = false, int(dec.InputOffset())
		if key == name {
			out = append(append(out, object[copied:last-len(old)]...), text...)
			copied, found = last, true
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	if !found {
		out = append(out, object[copied:last]...)
		if !empty {
			out = append(out, ',')
		}
		out = fmt.Appendf(out, "\n  %q: %s", name, text)
		if empty {
			out = append(out, '\n')
		}
		copied = last
	}
	return append(out, object[copied:]...), nil
}

// setDType returns a config.json that says in which type the parameters are. The
// transformers library has called the field torch_dtype, and then dtype.
func setDType(config []byte, d tensor.DType) ([]byte, error) {
	name := d.Torch()
	var given map[string]json.RawMessage
	if err := json.Unmarshal(config, &given); err != nil {
		return nil, err
	}
	field := "torch_dtype" // which all versions read
	if _, ok := given["dtype"]; ok {
		if _, both := given[field]; both {
			var err error
			if config, err = setField(config, field, name); err != nil {
				return nil, err
			}
		}
		field = "dtype"
	}
	return setField(config, field, name)
}
