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

// SliceHParams is hparams.json in the time of slices. A field with the comment
// "unused" is read by no version: it is here so that a file that has it is not
// said to have an unknown one.
type SliceHParams struct {
	Compression        int64  `json:"compression"` // one value in so many is sent
	SequenceLength     int64  `json:"sequence_length"`
	TokenizerName      string `json:"tokenizer_name"`
	NumHiddenLayers    int64  `json:"num_hidden_layers"`
	HiddenSize         int64  `json:"hidden_size"`
	IntermediateSize   int64  `json:"intermediate_size"`
	NumAttentionHeads  int64  `json:"num_attention_heads"`
	NumKeyValueHeads   int64  `json:"num_key_value_heads"`
	ActivationFunction string `json:"activation_function"` // "swiGLU"; the model has silu whatever it says
	MaxPosition        int64  `json:"max_position_embeddings"`

	WindowLength int64 `json:"window_length"` // blocks
	MaxHistory   int64 `json:"max_history"`   // windows

	LearningRate      float64 `json:"learning_rate"`
	Beta1             float64 `json:"optimizer_beta1"`
	Beta2             float64 `json:"optimizer_beta2"`
	WeightDecay       float64 `json:"optimizer_weight_decay"`
	GradClip          float64 `json:"grad_clip"`
	CosineEpochLength int64   `json:"cosine_epoch_length"`
	EtaMin            float64 `json:"eta_min"`
	// The schedule that came after the cosine: linear warmup, a plateau, and a
	// decay by the root.
	NumWarmupSteps int64 `json:"num_warmup_steps"`
	NumStableSteps int64 `json:"num_stable_steps"`
	NumDecaySteps  int64 `json:"num_decay_steps"`

	// ValidatorMovingAlpha weighs the old average in the first generation, and the
	// new score in the second.
	ValidatorMovingAlpha  float64 `json:"validator_moving_alpha"`
	ValidatorLRFactor     float64 `json:"validator_learning_rate_scale_factor"`
	PagesPerWindow        int64   `json:"validator_window_eval_size"` // of miners too
	DesiredBatchSize      int64   `json:"desired_batch_size"`
	EpochLength           int64   `json:"epoch_length"`                  // unused
	MixedPrecisionParam   string  `json:"mixed_precision_param"`         // unused
	MixedPrecisionReduce  string  `json:"mixed_precision_reduce"`        // unused
	WindowSpeed           int64   `json:"window_speed"`                  // unused
	NormRegularization    float64 `json:"validator_norm_regularization"` // unused
	WeightsTemperature    float64 `json:"validator_weights_temperature"` // unused
	ValidatorSampleRateOf float64 `json:"valdiator_sample_rate"`         // unused, and misspelt upstream
}

// SparseHParams is hparams.json in the time of compressed pseudo-gradients.
type SparseHParams struct {
	SpecVersion    int64  `json:"spec_version"`
	Project        string `json:"project"`
	TokenizerName  string `json:"tokenizer_name"`
	ModelSize      string `json:"model_size"`
	SequenceLength int64  `json:"sequence_length"`

	MicroBatchSize  int64 `json:"micro_batch_size"`  // sequences
	BatchSize       int64 `json:"batch_size"`        // sequences in an inner step
	TargetBatchSize int64 `json:"target_batch_size"` // for which a pool has room in each
	InnerSteps      int64 `json:"inner_steps"`       // in a window

	OuterLearningRate float64 `json:"outer_learning_rate"`
	WeightDecay       float64 `json:"weight_decay"`     // unused beside the optimizer's own
	MomentumDecay     float64 `json:"momentum_decay"`   // of the error feedback
	TopKCompression   int64   `json:"topk_compression"` // values of a chunk that are sent
	TargetChunk       int64   `json:"target_chunk"`     // the longest side of a chunk
	UseDCT            bool    `json:"use_dct"`
	QuantizationBins  int64   `json:"quantization_bins"`
	QuantizationRange float64 `json:"quantization_range"` // standard deviations
	EvalLRFactor      float64 `json:"eval_lr_factor"`

	BlocksPerWindow          int64   `json:"blocks_per_window"`
	WindowsPerWeights        int64   `json:"windows_per_weights"`
	OuterStepsPerShard       int64   `json:"outer_steps_per_shard"`
	ShardResetOuterStep      int64   `json:"shard_reset_outer_step"` // 0 never
	ValidatorOffset          int64   `json:"validator_offset"`       // windows
	PeerListWindowMargin     int64   `json:"peer_list_window_margin"`
	PeerReplacementFrequency int64   `json:"peer_replacement_frequency"` // windows
	CheckpointFrequency      int64   `json:"checkpoint_frequency"`       // outer steps
	GatherPeerCount          int64   `json:"gather_peer_count"`
	ReservePeerCount         int64   `json:"reserve_peer_count"`
	MinimumPeers             int64   `json:"minimum_peers"`
	ActiveCheckInterval      int64   `json:"active_check_interval"` // seconds
	RecentWindows            int64   `json:"recent_windows"`
	TimeWindowDeltaSeconds   float64 `json:"time_window_delta_seconds"`

	GatherShare       float64 `json:"gather_share"`
	GatherTopRatio    float64 `json:"gather_top_ratio"`
	ReserveDecayRatio float64 `json:"reserve_decay_ratio"`
	BurnRate          float64 `json:"burn_rate"`

	ValidatorSampleMicroBS    int64   `json:"validator_sample_micro_bs"`
	UIDsPerWindow             int64   `json:"uids_per_window"`
	NumEvaluationBins         int64   `json:"num_evaluation_bins"`
	BinaryScoreMAAlpha        float64 `json:"binary_score_ma_alpha"`
	BMAThreshold              float64 `json:"bma_threshold"`
	BMAWarmupWindows          int64   `json:"bma_warmup_windows"`
	GatherPeersSlashThreshold float64 `json:"gather_peers_slash_threshold"`
	ResetInactivityWindows    int64   `json:"reset_inactivity_windows"`
	SyncMaxStepsBehind        float64 `json:"sync_max_steps_behind"`
	OpenSkillBeta             float64 `json:"openskill_beta"`
	OpenSkillTau              float64 `json:"openskill_tau"`
	IdxOverlapThreshold       float64 `json:"idx_overlap_threshold"`
	MissingGradientPenalty    float64 `json:"missing_gradient_penalty_score"`
	ConsecutiveNegative       int64   `json:"consecutive_negative_threshold"`
	ExcludeNegativePeers      bool    `json:"exclude_negative_peers"`
	PowerNormalisation        float64 `json:"power_normalisation"`   // unused
	MovingAverageWindow       int64   `json:"moving_average_window"` // unused

	OffloadOptimizerStates bool   `json:"offload_optimizer_states"` // unused
	CheckpointInitVersion  string `json:"checkpoint_init_version"`  // "" for none
	CheckpointInitWindow   int64  `json:"checkpoint_init_window"`

	Optimizer OptimizerHParams `json:"optimizer"`
	Anneal    AnnealHParams    `json:"anneal_mode"`
	Titan     TitanHParams     `json:"torchtitan"`

	// Those of the model, where model_size is none of torchtitan's.
	HiddenSize        int64   `json:"hidden_size"`
	NumHiddenLayers   int64   `json:"num_hidden_layers"`
	NumAttentionHeads int64   `json:"num_attention_heads"`
	NumKeyValueHeads  int64   `json:"num_key_value_heads"`
	IntermediateSize  int64   `json:"intermediate_size"`
	Activation        string  `json:"activation_function"`
	MaxPosition       int64   `json:"max_position_embeddings"`
	VocabSize         int64   `json:"vocab_size"`
	RopeTheta         float64 `json:"rope_theta"`
}

// OptimizerHParams says how the inner steps are taken.
type OptimizerHParams struct {
	Type  string       `json:"type"` // adamw or muon
	AdamW AdamWHParams `json:"adamw"`
	Muon  MuonHParams  `json:"muon"`
}

// AdamWHParams are those of AdamW.
type AdamWHParams struct {
	LearningRate float64          `json:"learning_rate"`
	Betas        [2]float64       `json:"betas"`
	Eps          float64          `json:"eps"`
	WeightDecay  float64          `json:"weight_decay"`
	Scheduler    SchedulerHParams `json:"scheduler"`
}

// MuonHParams are those of the alternative that no run of the network used.
type MuonHParams struct {
	LearningRate  float64          `json:"learning_rate"`
	Momentum      float64          `json:"momentum"`
	WeightDecay   float64          `json:"weight_decay"`
	HeadLRScale   float64          `json:"head_lr_scale"`
	EmbedLRScale  float64          `json:"embed_lr_scale"`
	ScalarLRScale float64          `json:"scalar_lr_scale"`
	Scheduler     SchedulerHParams `json:"scheduler"`
}

// SchedulerHParams is the inner learning rate's way: linear warmup, then half a
// cosine to EtaMinFactor of it.
type SchedulerHParams struct {
	WarmupSteps      int64   `json:"warmup_steps"`
	TMax             int64   `json:"t_max"`
	EtaMinFactor     float64 `json:"eta_min_factor"`
	WarmupInner      int64   `json:"warmup_inner_steps"`         // after a restart
	InitialWarmup    int64   `json:"initial_warmup_inner_steps"` // after a bootstrap
	ReplayRewind     int64   `json:"replay_rewind_inner_steps"`
	FlattenStartStep int64   `json:"flatten_start_step"` // outer steps
	FlattenDuration  int64   `json:"flatten_duration"`
}

// AnnealHParams is how training ends: on a shard of its own, with a rate that
// comes down to Min.
type AnnealHParams struct {
	Enabled          bool    `json:"enabled"`
	StartGlobalStep  int64   `json:"start_global_step"`
	WarmupInnerSteps int64   `json:"warmup_inner_steps"`
	DecayOuterSteps  int64   `json:"decay_outer_steps"`
	PeakFactor       float64 `json:"peak_lr_factor"`
	MinFactor        float64 `json:"min_lr_factor"`
	FilePrefix       string  `json:"file_prefix"`
}

// TitanHParams is how upstream spreads the model over its devices. None of it is
// seen on the wire, but for Compile and the checkpointing, which put words into the
// names of parameters: see [WireName].
type TitanHParams struct {
	TP              int64           `json:"tp_degree"`
	PP              int64           `json:"pp_degree"`
	CP              int64           `json:"cp_degree"`
	Replicate       int64           `json:"dp_replicate"`
	Shard           int64           `json:"dp_shard"`
	Compile         bool            `json:"compile"`
	PrecisionParam  string          `json:"mixed_precision_param"`
	PrecisionReduce string          `json:"mixed_precision_reduce"`
	TieEmbeddings   bool            `json:"tie_embeddings"`
	Reshard         json.RawMessage `json:"fsdp_reshard_after_forward"` // unused
	CPUOffload      json.RawMessage `json:"enable_cpu_offload"`         // unused, as all that follow
	AsyncTP         json.RawMessage `json:"enable_async_tensor_parallel"`
	LossParallel    json.RawMessage `json:"disable_loss_parallel"`
	CompiledGrad    json.RawMessage `json:"enable_compiled_autograd"`
	Float8          json.RawMessage `json:"float8_recipe_name"`
	Checkpointing   struct {
		Mode   string `json:"mode"`
		Option string `json:"option"`
	} `json:"activation_checkpoint"`
}

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
		limit{"target_chunk", float64(h.TargetChunk), 2, 64},
		limit{"quantization_bins", float64(h.QuantizationBins), 2, 256},
		limit{"quantization_range", h.QuantizationRange, 0, 1000},
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
	if t := h.Optimizer.Type; !slices.Contains([]string{"adamw", "muon"}, strings.ToLower(t)) {
		err = errors.Join(err, fmt.Errorf("optimizer.type is %.40q, want adamw or muon", t))
	}
	return err
}
