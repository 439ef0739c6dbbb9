package templar

// Generations returns every generation, the oldest first, and then ours.
func Generations() []Rules {
	return []Rules{slicesRules(), r2Rules(), sparse213Rules(), sparseRules(), aditRules()}
}

// r2Endpoint is where an account of Cloudflare's store has its buckets.
const r2Endpoint = "https://{account}.r2.cloudflarestorage.com"

// slicesRules is version 0.1.0 of November 2024: windows of two blocks, one value
// in a hundred of every parameter, and everybody's mean in its place.
func slicesRules() Rules {
	return Rules{
		Name:          "slices",
		Scheme:        SliceScheme,
		Commitment:    BucketName,
		Region:        "us-east-1",
		DataSet:       "HuggingFaceFW/fineweb-edu-score-2",
		NonSubmission: 1,
		JudgeLag:      2,
		WeightsBy:     ByBlock,
		WeightsEvery:  100,
		KeptWindows:   10,
		Slice: SliceHParams{
			Compression: 100, SequenceLength: 2048, TokenizerName: "togethercomputer/LLaMA-2-7B-32K",
			NumHiddenLayers: 16, HiddenSize: 2048, IntermediateSize: 8192, NumAttentionHeads: 8, NumKeyValueHeads: 8,
			ActivationFunction: "swiGLU", MaxPosition: 2048,
			WindowLength: 2, MaxHistory: 10,
			LearningRate: 7.5e-5, Beta1: 0.9, Beta2: 0.95, WeightDecay: 0.1, GradClip: 1,
			CosineEpochLength: 5000, EtaMin: 1e-5,
			ValidatorMovingAlpha: 0.999, ValidatorLRFactor: 1, PagesPerWindow: 3, DesiredBatchSize: 512,
			EpochLength: 250_000, WindowSpeed: 100, NormRegularization: 0.01, WeightsTemperature: 10, ValidatorSampleRateOf: 0.01,
		},
	}
}

// r2Rules is version 0.1.33 of the end of December 2024, the last of the slices: a
// bucket for each neuron, versions, checkpoints, and scores by the loss.
func r2Rules() Rules {
	r := slicesRules()
	r.Name = "r2"
	r.Version = "0.1.33"
	r.Commitment = BucketKeys
	r.Endpoint, r.Region = r2Endpoint, "enam"
	r.DataSet = "airtrain-ai/fineweb-edu-fortified"
	r.EqualNorms = true
	r.Losses = true
	r.NonSubmission = 0.9
	r.WeightsBy = ByStep
	r.WeightsVersion = 4000
	r.CheckpointEvery, r.KeptCheckpoints = 500, 3
	r.Slice.WindowLength = 3
	r.Slice.ValidatorMovingAlpha = 0.85
	r.Slice.ValidatorLRFactor = 0.1
	r.Slice.NumWarmupSteps, r.Slice.NumStableSteps, r.Slice.NumDecaySteps = 1000, 1_000_000_000_000, 5000
	return r
}

// sparseRules is version 2.1.28 of January 2026, the last: the run of 72 billion
// parameters, thirty inner steps to a window, and 64 of 4096 values sent.
func sparseRules() Rules {
	r := Rules{
		Name:          "sparse",
		Scheme:        GradientScheme,
		Version:       "2.1.28",
		Commitment:    BucketKeys,
		Endpoint:      r2Endpoint,
		Region:        "ENAM",
		NonSubmission: 1,
		WeightsBy:     ByWindow,
		// Upstream's miners mean to keep a hundred, and their debug objects, for
		// which the default holds, remove all but these.
		KeptWindows: 10,
		Shards:      14,
		ShardAlias:  map[int64]int64{7: 13},
		IDsSuffix:   ".npy",
		SyncLimit:   3,
		SyncTrimmed: true,
		Penalties: Penalties{
			Inactive: 0.75,
			Missing:  []float64{0.75, 0.5, 0}, MissingOf: 8, MissingMost: 3, MissingBan: 20,
			MissingEval: 0.75, RateMissing: true,
			Behind:      0.75,
			OverlapHigh: 0.5, OverlapMax: 0.5, OverlapMega: 0.6, OverlapFrom: 20, OverlapBan: 20,
			NegativeOf: 8, NegativeMost: 4, Negative: 0.25, NegativeWaivedAt: 5,
		},
		Sparse: SparseHParams{
			SpecVersion: 5, Project: "dough", TokenizerName: "google/gemma-3-270m", ModelSize: "70B", SequenceLength: 2048,
			MicroBatchSize: 1, BatchSize: 192, TargetBatchSize: 1024, InnerSteps: 30,
			OuterLearningRate: 0.4, WeightDecay: 0.1, MomentumDecay: 0.95,
			TopKCompression: 64, TargetChunk: 64, QuantizationBins: 4, QuantizationRange: 6, EvalLRFactor: 0.2,
			BlocksPerWindow: 115, WindowsPerWeights: 3, OuterStepsPerShard: 455, ShardResetOuterStep: 4040,
			ValidatorOffset: 1, PeerListWindowMargin: 1, PeerReplacementFrequency: 2, CheckpointFrequency: 10,
			GatherPeerCount: 20, ReservePeerCount: 10, MinimumPeers: 1, ActiveCheckInterval: 100, RecentWindows: 2,
			TimeWindowDeltaSeconds: 70,
			GatherShare:            0.75, GatherTopRatio: 2, ReserveDecayRatio: 0.5, BurnRate: 0.5,
			ValidatorSampleMicroBS: 8, UIDsPerWindow: 20, NumEvaluationBins: 5,
			BinaryScoreMAAlpha: 0.05, BMAThreshold: 0.1, BMAWarmupWindows: 10,
			GatherPeersSlashThreshold: 0.4, ResetInactivityWindows: 3, SyncMaxStepsBehind: 2,
			OpenSkillBeta: 7, OpenSkillTau: 0.1, IdxOverlapThreshold: 0.4,
			MissingGradientPenalty: -99, ConsecutiveNegative: 3, ExcludeNegativePeers: true,
			PowerNormalisation: 2, MovingAverageWindow: 5,
			OffloadOptimizerStates: true, CheckpointInitVersion: "2.1.18", CheckpointInitWindow: 62834,
			Optimizer: OptimizerHParams{
				Type: "adamw",
				AdamW: AdamWHParams{
					LearningRate: 1.17e-4, Betas: [2]float64{0.9, 0.95}, Eps: 1e-8, WeightDecay: 0.1,
					Scheduler: SchedulerHParams{
						WarmupSteps: 1500, TMax: 140_000, EtaMinFactor: 0.1,
						WarmupInner: 30, InitialWarmup: 200, ReplayRewind: 20_000, FlattenStartStep: 2740, FlattenDuration: 450,
					},
				},
				Muon: MuonHParams{LearningRate: 2e-3, Momentum: 0.95, WeightDecay: 0.01, HeadLRScale: 0.2, EmbedLRScale: 0.2, ScalarLRScale: 0.2},
			},
			Anneal: AnnealHParams{
				Enabled: true, StartGlobalStep: 6100, WarmupInnerSteps: 100, DecayOuterSteps: 150, PeakFactor: 0.25, FilePrefix: "anneal",
			},
			Titan: TitanHParams{
				TP: 1, PP: 1, CP: 1, Replicate: 1, Shard: 8, Compile: true,
				PrecisionParam: "bfloat16", PrecisionReduce: "bfloat16", TieEmbeddings: true,
			},
		},
	}
	r.Sparse.Titan.Checkpointing.Mode, r.Sparse.Titan.Checkpointing.Option = "selective", "op"
	r.follow()
	return r
}

// sparse213Rules is version 2.1.3 of September 2025: as [sparseRules], with another
// learning rate applied twice, and other penalties.
func sparse213Rules() Rules {
	r := sparseRules()
	r.Name = "sparse-2.1.3"
	r.Version = "2.1.3"
	r.FeedbackRate = true
	r.Shards, r.ShardAlias = 10, nil
	r.IDsSuffix = ".bin"
	r.SyncLimit, r.SyncTrimmed = 5, false
	r.Penalties = Penalties{
		Inactive: 0.75,
		Missing:  []float64{0.75}, MissingLost: true,
		MissingEval: 0.75, FaultMissing: true,
		Behind:      0.75,
		OverlapHigh: 0.5, OverlapMax: 0.5, OverlapMega: 0.6, OverlapFrom: 20, OverlapBan: 200,
	}
	h := &r.Sparse
	h.OuterLearningRate = 1
	h.BlocksPerWindow, h.WindowsPerWeights = 125, 2
	h.ShardResetOuterStep = 0
	h.PeerReplacementFrequency = 5
	h.UIDsPerWindow = 15
	h.BMAThreshold, h.BMAWarmupWindows = 0, 0
	h.SyncMaxStepsBehind = 3
	h.MissingGradientPenalty, h.ConsecutiveNegative, h.ExcludeNegativePeers = 0, 0, false
	h.CheckpointInitVersion, h.CheckpointInitWindow = "2.1.2", 51802
	h.Optimizer.AdamW.LearningRate = 1.3e-4
	s := &h.Optimizer.AdamW.Scheduler
	s.WarmupInner, s.InitialWarmup, s.ReplayRewind, s.FlattenStartStep, s.FlattenDuration = 0, 0, 0, 0, 0
	h.Anneal = AnnealHParams{}
	h.Titan.PrecisionReduce = "float32"
	r.follow()
	return r
}

// aditRules is ours: the windows and the scores of [sparseRules], with messages of
// fewer bits, and an aggregate in which a coordinate that one miner alone has sent
// weighs as one miner's. Nothing that is unsaid is forgotten, and a miner learns on
// from a part of it; docs/templar-bytes.md says what that is worth.
func aditRules() Rules {
	r := sparseRules()
	r.Name = "adit"
	r.Version = "adit1"
	r.Message = Compact
	r.Aggregate = MeanOfAll
	r.Ahead, r.AheadTables = 0.15, 1
	r.Sparse.OuterLearningRate, r.Sparse.MomentumDecay = 1.2, 1
	r.Sparse.CheckpointInitVersion, r.Sparse.CheckpointInitWindow = "", 0
	r.Sparse.Anneal = AnnealHParams{}
	r.Sparse.ShardResetOuterStep, r.ShardAlias = 0, nil
	return r
}
