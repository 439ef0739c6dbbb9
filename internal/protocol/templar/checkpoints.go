package templar

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"adit/internal/subnet"
)

// keptCheckpoints is how many checkpoints a validator keeps in its bucket. Upstream
// keeps all, of 280 GB each.
const keptCheckpoints = 3

const checkpointDraft = "out/" + CheckpointModel

// saveCheckpoint uploads the model as it is after a window, for those who join. The
// pointer to it comes last.
//
// Unlike upstream, whose checkpoints are torch's distributed ones, of pickles: ours
// is one file of safetensors, whose hash is beside it. Nodes of upstream's cannot
// read it, nor we theirs.
func (s *sparse) saveCheckpoint(ctx context.Context, w Window) error {
	sum := sha256.New()
	err := s.Write(checkpointDraft, func(to io.Writer) error {
		return s.model.Save(io.MultiWriter(to, sum), subnet.Safetensors, func(string) bool { return true })
	})
	if err != nil {
		return err
	}
	name := Name{Kind: CheckpointObject, Version: s.rules.Version, Window: w, File: CheckpointModel}
	if _, err := s.put(ctx, name.String(), checkpointDraft, false); err != nil {
		return err
	}
	name.File = CheckpointExtra
	extra := ExtraMetadata{
		Version: s.rules.Version, Window: w, SyncWindow: w, GlobalStep: s.Step, WorldSize: 1, Topology: "whole",
		UID: s.roster.me.UID, Model: hex.EncodeToString(sum.Sum(nil)),
	}
	if err := s.putJSON(ctx, name.String(), extra, false); err != nil {
		return err
	}
	if err := s.putJSON(ctx, latestKey(s.rules.Version), LatestCheckpoint{&w}, false); err != nil {
		return err
	}
	s.Say("checkpoint", fmt.Sprintf("Saved a checkpoint of window %d.", w), slog.Uint64("window", uint64(w)), slog.Int64("global_step", s.Step))
	return s.dropCheckpoints(ctx)
}

func latestKey(version string) string {
	return Name{Kind: LatestCheckpointObject, Version: version}.String()
}

// dropCheckpoints removes the oldest checkpoints from the own bucket.
func (s *sparse) dropCheckpoints(ctx context.Context) error {
	const page = 1000
	list, err := s.own.List(ctx, "checkpoints/"+s.rules.Version+"/", "", page)
	if err != nil {
		return err
	}
	of := make(map[Window][]string)
	for _, o := range list {
		if n, err := ParseName(o.Key); err == nil && n.Kind == CheckpointObject {
			of[n.Window] = append(of[n.Window], o.Key)
		}
	}
	var windows []Window
	for w := range of {
		windows = append(windows, w)
	}
	slices.Sort(windows)
	for _, w := range windows[:max(0, len(windows)-keptCheckpoints)] {
		if err := s.own.Remove(ctx, of[w]...); err != nil {
			return err
		}
	}
	return nil
}

// loadCheckpoint takes over the newest checkpoint of the validator with the most
// stake that has one: of this version's run, or else the last of the one before. It
// wraps [subnet.ErrNotFound] if nobody has any.
func (s *sparse) loadCheckpoint(ctx context.Context) error {
	err := fmt.Errorf("no validator has a checkpoint: %w", subnet.ErrNotFound)
	for _, v := range s.roster.validators() {
		if s.distrusts(v) {
			continue
		}
		data, getErr := readSmall(ctx, v.bucket, latestKey(s.rules.Version), MaxJSON)
		if getErr != nil {
			if !errors.Is(getErr, subnet.ErrNotFound) {
				err = getErr
			}
			continue
		}
		w, loadErr := ParseLatest(data)
		var m ExtraMetadata
		if loadErr == nil {
			m, loadErr = s.takeCheckpoint(ctx, v, s.rules.Version, w)
		}
		if loadErr == nil {
			s.Step, s.Window, s.Known, s.From = m.GlobalStep, w, true, FromCheckpoint
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		err = loadErr
		s.refuse(v.Neuron, Name{Kind: CheckpointObject, Version: s.rules.Version, Window: w, File: CheckpointModel}, loadErr)
	}
	h := s.rules.Sparse
	if h.CheckpointInitVersion == "" || !errors.Is(err, subnet.ErrNotFound) {
		return err
	}
	for _, v := range s.roster.validators() {
		m, loadErr := s.takeCheckpoint(ctx, v, h.CheckpointInitVersion, Window(h.CheckpointInitWindow))
		if loadErr == nil {
			s.Step, s.From = m.GlobalStep, FromBootstrap
			return nil
		}
	}
	return err
}

// takeCheckpoint downloads one checkpoint, checks its hash, and loads it.
func (s *sparse) takeCheckpoint(ctx context.Context, v peer, version string, w Window) (ExtraMetadata, error) {
	name := Name{Kind: CheckpointObject, Version: version, Window: w, File: CheckpointExtra}
	data, err := readSmall(ctx, v.bucket, name.String(), MaxJSON)
	if err != nil {
		return ExtraMetadata{}, err
	}
	m, err := ParseExtra(data)
	if err != nil {
		return m, err
	}
	if m.Version != version || m.Window != w {
		return m, fmt.Errorf("checkpoint of window %d says that it is of window %d of version %s", w, m.Window, m.Version)
	}
	name.File = CheckpointModel
	object, err := v.bucket.Stat(ctx, name.String())
	if err != nil {
		return m, err
	}
	f, err := s.fetchVersion(ctx, v, object, s.maxModel())
	if err != nil {
		return m, err
	}
	sum := sha256.New()
	if _, err = io.Copy(sum, io.NewSectionReader(f, 0, f.Size())); err == nil && hex.EncodeToString(sum.Sum(nil)) != m.Model {
		err = fmt.Errorf("checkpoint of window %d: its hash is not the one beside it", w)
	}
	if err == nil {
		err = s.model.Load(f)
	}
	if err = errors.Join(err, f.drop()); err != nil {
		return m, err
	}
	s.Say("checkpoint", fmt.Sprintf("Loaded the checkpoint of window %d from uid %d.", w, v.UID),
		slog.Uint64("window", uint64(w)), slog.Int64("global_step", m.GlobalStep), slog.Int("uid", int(v.UID)))
	return m, nil
}

// maxModel is more bytes than a file of the model has.
func (s *sparse) maxModel() int64 {
	size := int64(1 << 20)
	for _, p := range s.params {
		size += 4*int64(p.Len()) + 1024
	}
	return size
}

// putBytes uploads a small object.
func (s *sparse) putBytes(ctx context.Context, key string, data []byte, once bool) (subnet.Object, error) {
	return s.putFile(ctx, key, blob{bytes.NewReader(data), key}, once)
}
