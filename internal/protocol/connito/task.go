package connito

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"adit/internal/subnet"
)

// askTask asks which task is worked on, and brings its bundle if it is another.
func (f *follower) askTask(ctx context.Context, patient bool) error {
	data, err := f.get(ctx, "/active_task", maxService, patient)
	if err != nil {
		return err
	}
	task, err := parseTask(data)
	if err != nil {
		return err
	}
	f.mu.Lock()
	last, known := f.told.taskAt(subnet.Latest)
	f.mu.Unlock()
	if known && last == task {
		return nil
	}
	if data, err = f.get(ctx, "/active_task_bundle", maxBundle, patient); err != nil {
		return err
	}
	b, a, err := parseBundle(data)
	if err != nil {
		return err
	}
	if b.activeTask != task { // it changed between the two
		task = b.activeTask
	}
	if f.keeper {
		if err := f.materialise(b, a); err != nil {
			return fmt.Errorf("write the task's bundle: %w", err)
		}
	}
	return f.learn(ctx, patient, func(t *told, head, _ subnet.Block) {
		from := head
		if patient {
			from = t.taskFrom(f.rules, f.follow.validator, head)
		}
		if t.learnTask(task, head, from) {
			f.Say("task", "the owner's task changed", slog.String("task", task.Name), slog.Int("group", task.GroupID), slog.String("bundle", task.Sum),
				slog.String("task_before", last.Name), slog.Int("group_before", last.GroupID), slog.String("bundle_before", last.Sum),
				slog.Int("layers", len(a)), slog.Int("experts", a.keys()/2), slog.Uint64("from", uint64(from)))
		}
	})
}

// groupsDir is where expert groups are, in the neuron's directory.
const groupsDir = "expert_groups"

// materialise writes a bundle's files. The hash comes last: as long as it is not
// there, or another, the bundle is not.
func (f *follower) materialise(b taskBundle, a Assignment) error {
	dir := groupsDir + "/" + b.Name + "/"
	config, err := decodeAny(b.Config)
	if err != nil {
		return err
	}
	text := func(name string, data []byte) error {
		return f.Write(dir+name, func(w io.Writer) error { _, err := w.Write(data); return err })
	}
	err = errors.Join(f.Dir.Remove(dir+bundleSumFile), text("config.yaml", appendYAML(nil, config, 0)), text(assignmentFile, a.Encode()))
	if string(b.ShardPolicy) != "" && string(b.ShardPolicy) != "null" {
		err = errors.Join(err, text("shard_policy.json", b.ShardPolicy))
	}
	if err != nil {
		return err
	}
	return text(bundleSumFile, []byte(b.Sum+"\n"))
}

// group returns the expert group of a task, nil if there is no task.
func (f *follower) group(task activeTask) (*Group, error) {
	if task.Name == "" {
		return nil, nil
	}
	dir := groupsDir + "/" + task.Name + "/"
	sum, err := f.Read(dir + bundleSumFile)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(string(sum)) != task.Sum {
		return nil, fmt.Errorf("%s is of bundle %.64s, want %s", dir, strings.TrimSpace(string(sum)), task.Sum)
	}
	text, err := f.Read(dir + assignmentFile)
	if err != nil {
		return nil, err
	}
	a, err := ParseAssignment(text)
	return &Group{ID: task.GroupID, Assignment: a}, err
}
