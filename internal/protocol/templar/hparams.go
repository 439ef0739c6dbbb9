package templar

import "encoding/json"

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
