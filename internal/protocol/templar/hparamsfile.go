package templar

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// maxHParams is the largest hparams.json that is read.
const maxHParams = 1 << 20

// Merge reads an hparams.json over what h holds: upstream's order is the defaults,
// hparams.json, that of the model's size, and that of a local run. It returns the
// keys that mean nothing, such as of another version.
//
// Unlike upstream, which replaces a nested object as a whole, a later file
// changes only what it names.
func (h *SliceHParams) Merge(data []byte) (unknown []string, err error) {
	next := *h
	if unknown, err = mergeJSON(data, &next); err != nil {
		return nil, err
	}
	if err := next.check(); err != nil {
		return nil, fmt.Errorf("hparams: %w", err)
	}
	*h = next
	return unknown, nil
}

// Merge reads an hparams.json over what h holds, as [SliceHParams.Merge] does.
func (h *SparseHParams) Merge(data []byte) (unknown []string, err error) {
	next := *h
	if unknown, err = mergeJSON(data, &next); err != nil {
		return nil, err
	}
	if err := next.check(); err != nil {
		return nil, fmt.Errorf("hparams: %w", err)
	}
	*h = next
	return unknown, nil
}

// mergeJSON decodes an object over v and returns the paths that v does not have.
func mergeJSON(data []byte, v any) ([]string, error) {
	if len(data) > maxHParams {
		return nil, fmt.Errorf("hparams of %d bytes, want at most %d", len(data), maxHParams)
	}
	var given map[string]any
	if err := json.Unmarshal(data, &given); err != nil {
		return nil, fmt.Errorf("hparams: %w", err)
	}
	if given == nil {
		return nil, errors.New("hparams: want an object")
	}
	if err := json.Unmarshal(data, v); err != nil {
		return nil, fmt.Errorf("hparams: %w", err)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("hparams: %w", err)
	}
	var known map[string]any
	if err := json.Unmarshal(text, &known); err != nil {
		return nil, fmt.Errorf("hparams: %w", err)
	}
	list := unknownKeys(given, known, "")
	slices.Sort(list)
	return list, nil
}

// unknownKeys returns the paths of given that known has not.
func unknownKeys(given, known map[string]any, prefix string) (list []string) {
	for key, v := range given {
		other, ok := known[key]
		if !ok {
			list = append(list, prefix+key)
			continue
		}
		sub, is := v.(map[string]any)
		if subKnown, both := other.(map[string]any); is && both {
			list = append(list, unknownKeys(sub, subKnown, prefix+key+".")...)
		}
	}
	return list
}

// A limit is what a number of a foreign file must keep to.
type limit struct {
	name           string
	v, least, most float64
}

func checkLimits(list ...limit) error {
	var errs []error
	for _, l := range list {
		if !(l.v >= l.least && l.v <= l.most) {
			errs = append(errs, fmt.Errorf("%s is %v, want %v to %v", l.name, l.v, l.least, l.most))
		}
	}
	return errors.Join(errs...)
}

const (
	many    = 1 << 24 // of anything that is counted
	maxSeq  = 1 << 17
	maxUIDs = 1 << 16
)

func (h *SliceHParams) check() error {
	return checkLimits(
		limit{"compression", float64(h.Compression), 1, many},
		limit{"sequence_length", float64(h.SequenceLength), 2, maxSeq},
		limit{"window_length", float64(h.WindowLength), 1, many},
		limit{"max_history", float64(h.MaxHistory), 1, many},
		limit{"validator_window_eval_size", float64(h.PagesPerWindow), 1, 1000},
		limit{"validator_moving_alpha", h.ValidatorMovingAlpha, 0, 1},
		limit{"learning_rate", h.LearningRate, 0, 1},
		limit{"optimizer_beta1", h.Beta1, 0, 1},
		limit{"optimizer_beta2", h.Beta2, 0, 1},
		limit{"grad_clip", h.GradClip, 0, math.MaxFloat32},
	)
}

func (h *SparseHParams) check() error {
	err := checkLimits(
		limit{"sequence_length", float64(h.SequenceLength), 2, maxSeq},
		limit{"micro_batch_size", float64(h.MicroBatchSize), 1, many},
		limit{"batch_size", float64(h.BatchSize), 1, many},
		limit{"target_batch_size", float64(h.TargetBatchSize), 1, many},
		limit{"inner_steps", float64(h.InnerSteps), 1, many},
		limit{"outer_learning_rate", h.OuterLearningRate, 0, 100},
		limit{"momentum_decay", h.MomentumDecay, 0, 1},
		limit{"topk_compression", float64(h.TopKCompression), 2, 4096},
		limit{"quantization_bins", float64(h.QuantizationBins), 2, 256},
		limit{"eval_lr_factor", h.EvalLRFactor, 0, 100},
		limit{"blocks_per_window", float64(h.BlocksPerWindow), 1, many},
		limit{"windows_per_weights", float64(h.WindowsPerWeights), 1, many},
		limit{"outer_steps_per_shard", float64(h.OuterStepsPerShard), 1, many},
		limit{"shard_reset_outer_step", float64(h.ShardResetOuterStep), 0, many},
		limit{"validator_offset", float64(h.ValidatorOffset), 0, 1000},
		limit{"peer_list_window_margin", float64(h.PeerListWindowMargin), 0, 1000},
		limit{"peer_replacement_frequency", float64(h.PeerReplacementFrequency), 1, many},
		limit{"checkpoint_frequency", float64(h.CheckpointFrequency), 0, many},
		limit{"gather_peer_count", float64(h.GatherPeerCount), 1, maxUIDs},
		limit{"reserve_peer_count", float64(h.ReservePeerCount), 0, maxUIDs},
		limit{"minimum_peers", float64(h.MinimumPeers), 0, maxUIDs},
		limit{"active_check_interval", float64(h.ActiveCheckInterval), 1, many},
		limit{"recent_windows", float64(h.RecentWindows), 0, 1000},
		limit{"time_window_delta_seconds", h.TimeWindowDeltaSeconds, 0, many},
		limit{"gather_share", h.GatherShare, 0, 1},
		limit{"gather_top_ratio", h.GatherTopRatio, 1, many},
		limit{"reserve_decay_ratio", h.ReserveDecayRatio, 0, 1},
		limit{"burn_rate", h.BurnRate, 0, 1},
		limit{"validator_sample_micro_bs", float64(h.ValidatorSampleMicroBS), 1, many},
		limit{"uids_per_window", float64(h.UIDsPerWindow), 1, maxUIDs},
		limit{"num_evaluation_bins", float64(h.NumEvaluationBins), 1, maxUIDs},
		limit{"binary_score_ma_alpha", h.BinaryScoreMAAlpha, 0, 1},
		limit{"bma_threshold", h.BMAThreshold, 0, 1},
		limit{"idx_overlap_threshold", h.IdxOverlapThreshold, 0, 1},
		limit{"gather_peers_slash_threshold", h.GatherPeersSlashThreshold, 0, 1},
		limit{"sync_max_steps_behind", h.SyncMaxStepsBehind, 0, many},
		limit{"openskill_beta", h.OpenSkillBeta, 0, many},
		limit{"openskill_tau", h.OpenSkillTau, 0, many},
	)
	// What no run of the network has had, and would not be done as the file says.
	if t := h.Optimizer.Type; !strings.EqualFold(t, "adamw") {
		err = errors.Join(err, fmt.Errorf("optimizer.type is %.40q, want adamw", t))
	}
	if h.TargetChunk != 64 || h.QuantizationRange != 6 {
		err = errors.Join(err, fmt.Errorf("target_chunk is %d and quantization_range %v, want 64 and 6", h.TargetChunk, h.QuantizationRange))
	}
	return err
}
