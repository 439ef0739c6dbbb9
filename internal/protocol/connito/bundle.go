package connito

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// An activeTask is the answer of the live network's owner to /active_task: which
// task is worked on.
type activeTask struct {
	Name    string `json:"name"`
	GroupID int    `json:"group_id"`
	Sum     string `json:"bundle_sha256"`
}

// A taskBundle is the answer to /active_task_bundle: the task's settings and the
// experts it is about. They are materialised under expert_groups/<name>/, beside a
// file .bundle_sha256.
type taskBundle struct {
	activeTask
	Config      json.RawMessage `json:"config"`
	Experts     json.RawMessage `json:"expert_assignment"`
	ShardPolicy json.RawMessage `json:"shard_policy"`
}

const (
	bundleSumFile = ".bundle_sha256"
	maxBundle     = 16 << 20 // bytes
	maxDepth      = 64       // of what stands in one another
)

// bundleSum returns the hash by which a bundle is known: the sha256, in
// hexadecimal, of the compact JSON, sorted by key, of its name, config, expert
// assignment and shard policy.
func (b taskBundle) bundleSum() (string, error) {
	obj := map[string]any{"name": b.Name}
	for name, raw := range map[string]json.RawMessage{"config": b.Config, "expert_assignment": b.Experts, "shard_policy": b.ShardPolicy} {
		v, err := decodeAny(raw)
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		obj[name] = v
	}
	return hexSum(string(appendJSON(nil, obj, jsonStyle{}))), nil
}

// decodeAny reads JSON as [appendJSON] writes it. What is absent is null.
func decodeAny(raw json.RawMessage) (any, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one value")
	}
	if depth(v) > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxDepth)
	}
	return v, nil
}

func depth(v any) int {
	most := 0
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			most = max(most, depth(e))
		}
	case []any:
		for _, e := range v {
			most = max(most, depth(e))
		}
	default:
		return 0
	}
	return most + 1
}

// parseTask reads the answer to /active_task.
func parseTask(data []byte) (activeTask, error) {
	var t activeTask
	if len(data) > maxService {
		return t, fmt.Errorf("active task of %d bytes, want at most %d", len(data), maxService)
	}
	if err := json.Unmarshal(data, &t); err != nil {
		return activeTask{}, fmt.Errorf("active task: %w", err)
	}
	return t, t.check()
}

// check refuses a name that could lead out of the directory of expert groups.
func (t activeTask) check() error {
	if !safeName.MatchString(t.Name) || strings.HasPrefix(t.Name, ".") || len(t.Name) > 100 {
		return fmt.Errorf("active task: unsafe name %.100q", t.Name)
	}
	if t.GroupID < 0 {
		return fmt.Errorf("active task: group %d", t.GroupID)
	}
	if _, err := decodeHex(t.Sum, 32); err != nil {
		return fmt.Errorf("active task: bundle_sha256: %w", err)
	}
	return nil
}

// parseBundle reads the answer to /active_task_bundle, and checks that it is the
// bundle it says it is. The experts are those of its assignment.
func parseBundle(data []byte) (taskBundle, Assignment, error) {
	if len(data) > maxBundle {
		return taskBundle{}, nil, fmt.Errorf("task bundle of %d bytes, want at most %d", len(data), maxBundle)
	}
	var b taskBundle
	if err := json.Unmarshal(data, &b); err != nil {
		return taskBundle{}, nil, fmt.Errorf("task bundle: %w", err)
	}
	if err := b.check(); err != nil {
		return taskBundle{}, nil, err
	}
	sum, err := b.bundleSum()
	if err != nil {
		return taskBundle{}, nil, fmt.Errorf("task bundle: %w", err)
	}
	if sum != b.Sum {
		return taskBundle{}, nil, fmt.Errorf("task bundle: sha256 is %s, and it says %s", sum, b.Sum)
	}
	a, err := ParseAssignment(b.Experts)
	if err != nil {
		return taskBundle{}, nil, fmt.Errorf("task bundle: %w", err)
	}
	return b, a, nil
}

// SealTask returns the bundle of a task as /active_task_bundle answers it: its
// settings, which name its group_id, its expert assignment and its shard policy,
// "" for none, as JSON, and the hash of them.
func SealTask(name string, config, experts, policy []byte) ([]byte, error) {
	b := taskBundle{activeTask: activeTask{Name: name}, Config: config, Experts: experts, ShardPolicy: policy}
	if len(policy) == 0 {
		b.ShardPolicy = json.RawMessage("null")
	}
	var settings struct {
		GroupID *int `json:"group_id"`
	}
	if err := json.Unmarshal(config, &settings); err != nil {
		return nil, fmt.Errorf("task %s: config: %w", name, err)
	}
	if settings.GroupID == nil {
		return nil, fmt.Errorf("task %s: config has no group_id", name)
	}
	b.GroupID = *settings.GroupID
	var err error
	if b.Sum, err = b.bundleSum(); err != nil {
		return nil, fmt.Errorf("task %s: %w", name, err)
	}
	data, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("task %s: %w", name, err)
	}
	if _, _, err := parseBundle(data); err != nil {
		return nil, fmt.Errorf("task %s: %w", name, err)
	}
	return data, nil
}
