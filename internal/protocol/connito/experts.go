package connito

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"adit/internal/subnet"
	"adit/internal/tensor"
)

// An Assignment says which routed experts belong to an expert group: for each
// layer, pairs of the group's own number and the original number. It is read
// from expert_assignment.json, where layers are strings.
type Assignment map[int][][2]int

// Experts returns the original numbers of the group's experts, sorted.
func (a Assignment) Experts() subnet.Experts {
	experts := make(subnet.Experts, len(a))
	for layer, pairs := range a {
		for _, p := range pairs {
			experts[layer] = append(experts[layer], p[1])
		}
		slices.Sort(experts[layer])
	}
	return experts
}

// expertKey is the form of the name of a routed expert's tensor. Numbers are
// original ones, never a group's own.
var expertKey = regexp.MustCompile(`^model\.layers\.(\d{1,4})\.mlp\.experts\.(\d{1,5})\.(gate_up_proj|down_proj)$`)

// Owns says whether the tensor of that name belongs to an expert of the group.
func (a Assignment) Owns(name string) bool {
	m := expertKey.FindStringSubmatch(name)
	if m == nil {
		return false
	}
	layer, _ := strconv.Atoi(m[1]) // at most four digits
	expert, _ := strconv.Atoi(m[2])
	return slices.ContainsFunc(a[layer], func(p [2]int) bool { return p[1] == expert })
}

// keys returns how many tensors a complete shard of the group has.
func (a Assignment) keys() int {
	n := 0
	for _, pairs := range a {
		n += 2 * len(pairs)
	}
	return n
}

// shardFile is the name of a group's tensors in a checkpoint directory or a
// repository.
func shardFile(group int, f subnet.Format) string {
	return fmt.Sprintf("model_expgroup_%d.%s", group, f)
}

// checkShard refuses what a stranger may not submit: a tensor that is not an
// expert's of the group, one that is not finite, none at all, and, where exact,
// one that is missing.
func checkShard(d tensor.Dict, a Assignment, exact bool) error {
	c := contentsOf(d, d.Keys())
	if err := c.checkKeys(a, exact); err != nil {
		return err
	}
	return c.checkFinite()
}

func (c Contents) checkKeys(a Assignment, exact bool) error {
	if len(c.Names) == 0 {
		return errors.New("no tensors")
	}
	for _, key := range c.Names {
		if !a.Owns(key) {
			return fmt.Errorf("tensor %.120q is no expert's of this group", key)
		}
	}
	if exact && len(c.Names) != a.keys() {
		return fmt.Errorf("incomplete expert set: %d of %d tensors", len(c.Names), a.keys())
	}
	return nil
}

func (c Contents) checkFinite() error {
	if c.NotFinite != "" {
		return fmt.Errorf("tensor %q has NaN or Inf values", c.NotFinite)
	}
	return nil
}
