package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// A family is one kind of model: its network, and how config.json describes it.
type family struct {
	name  string // model_type
	class string // in "architectures"
	build func(b *builder, c Config) network
	// fields returns those of config.json, with the defaults that Hugging Face's
	// libraries give what a file leaves out.
	fields func() fields
}

// fields are those of one family's config.json that say what is computed, as a
// struct.
type fields interface {
	// config returns what they mean.
	config() (Config, error)
	// set makes them mean c.
	set(c Config)
}

func families() []family {
	return []family{
		{Llama, "LlamaForCausalLM", llama, newLlamaFields},
		{Mistral, "MistralForCausalLM", llama, newMistralFields},
		{Qwen2, "Qwen2ForCausalLM", llama, newQwen2Fields},
		{Qwen3MoE, "Qwen3MoeForCausalLM", qwen3MoE, newQwen3Fields},
		{DeepSeekV2, "DeepseekV2ForCausalLM", deepseekV2, newDeepSeekV2Fields},
		{GPT2, "GPT2LMHeadModel", gpt2, newGPT2Fields},
		{DeepSeek, "", llama, newDeepSeekFields},
		{Torchtitan, "", llama, newTorchtitanFields},
	}
}

// Families names the families of models that there are.
func Families() []string {
	var names []string
	for _, f := range families() {
		names = append(names, f.name)
	}
	return names
}

func familyOf(name string) (family, bool) {
	all := families()
	i := slices.IndexFunc(all, func(f family) bool { return f.name == name })
	if i < 0 {
		return family{}, false
	}
	return all[i], true
}

// harmless lists the fields of config.json that say nothing about what is
// computed in any family.
var harmless = strings.Fields(`
	_name_or_path architectures auto_map bos_token_id chunk_size_feed_forward
	dtype eos_token_id gradient_checkpointing id2label is_decoder
	is_encoder_decoder label2id output_attentions output_hidden_states
	pad_token_id pretraining_tp problem_type return_dict sep_token_id
	task_specific_params torch_dtype transformers_version unk_token_id use_cache`)

// ParseConfig reads a config.json. What it leaves out has the default that
// Hugging Face's libraries give it. A field that would change what the model
// computes in a way that this package does not know is an error naming it: a
// model must not run as something it is not.
func ParseConfig(data []byte) (Config, error) {
	c, err := parse(data)
	if err == nil {
		err = c.Validate()
	}
	if err != nil {
		return Config{}, fmt.Errorf("model config: %w", err)
	}
	return c, nil
}

func parse(data []byte) (Config, error) {
	var given map[string]json.RawMessage
	if err := json.Unmarshal(data, &given); err != nil {
		return Config{}, err
	}
	var name string
	if err := json.Unmarshal(given["model_type"], &name); err != nil {
		return Config{}, errors.New("model_type: it is missing, or not a text")
	}
	family, ok := familyOf(name)
	if !ok {
		return Config{}, fmt.Errorf("model_type: %q is none of %s", name, strings.Join(Families(), ", "))
	}
	f := family.fields()
	known := append(names(reflect.TypeOf(f).Elem()), harmless...)
	var problems []error
	for _, name := range sortedKeys(given) {
		if !slices.Contains(known, name) {
			problems = append(problems, fmt.Errorf("%s: a %s model has no such field", name, family.name))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return Config{}, err
	}
	if err := json.Unmarshal(data, f); err != nil {
		return Config{}, err
	}
	c, err := f.config()
	c.ModelType = name
	return c, err
}

func sortedKeys(m map[string]json.RawMessage) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// names returns the JSON names of a struct's fields.
func names(t reflect.Type) []string {
	var out []string
	for _, f := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			out = append(out, name)
		}
	}
	return out
}

// MarshalJSON writes a config.json.
func (c Config) MarshalJSON() ([]byte, error) {
	family, ok := familyOf(c.ModelType)
	if !ok {
		return nil, fmt.Errorf("model_type: %q is none of %s", c.ModelType, strings.Join(Families(), ", "))
	}
	f := family.fields()
	f.set(c)
	text, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	head, err := json.Marshal(struct {
		Architectures []string `json:"architectures,omitempty"`
	}{slices.DeleteFunc([]string{family.class}, func(s string) bool { return s == "" })})
	if err != nil {
		return nil, err
	}
	if len(head) <= len("{}") {
		return text, nil
	}
	return bytes.Join([][]byte{head[:len(head)-1], text[1:]}, []byte(",")), nil
}

// UnmarshalJSON is [ParseConfig].
func (c *Config) UnmarshalJSON(data []byte) error {
	out, err := ParseConfig(data)
	if err == nil {
		*c = out
	}
	return err
}

// A decimal is written with a point or an exponent always: transformers takes no
// whole number for a field that is a float.
type decimal float64

// MarshalJSON writes the number.
func (d decimal) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(d)) || math.IsInf(float64(d), 0) {
		return nil, fmt.Errorf("%v cannot be written", float64(d))
	}
	text := strconv.FormatFloat(float64(d), 'g', -1, 64)
	if !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	return []byte(text), nil
}

// must returns an error unless a field has the only value that is built.
func must[T comparable](name string, got, want T) error {
	if got != want {
		return fmt.Errorf("%s: %v is not supported; it must be %v", name, got, want)
	}
	return nil
}

// join lists layers by number; listed finds one in what it returned.
func join(layers []int) string {
	texts := make([]string, len(layers))
	for i, l := range layers {
		texts[i] = strconv.Itoa(l)
	}
	return strings.Join(texts, ",")
}

func listed(layers string, l int) bool {
	return layers != "" && slices.Contains(strings.Split(layers, ","), strconv.Itoa(l))
}

func unjoin(layers string) []int {
	out := []int{}
	for _, text := range strings.Split(layers, ",") {
		if l, err := strconv.Atoi(text); err == nil {
			out = append(out, l)
		}
	}
	return out
}
