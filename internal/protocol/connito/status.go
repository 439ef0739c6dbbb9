package connito

// An EvalStatus is the outcome of an evaluation, in the numbers of the live
// generation.
type EvalStatus int

// The outcomes.
const (
	EvalOK               EvalStatus = 0
	EvalNonFiniteLoss    EvalStatus = 1
	EvalParseFailed      EvalStatus = 2
	EvalSignatureInvalid EvalStatus = 3
	EvalHashMismatch     EvalStatus = 4
	EvalGroupOrNaN       EvalStatus = 5
	EvalNoCommit         EvalStatus = 6
	EvalDownloadFailed   EvalStatus = 7
	EvalOutOfMemory      EvalStatus = 8
	EvalTimeout          EvalStatus = 9
	EvalDeadline         EvalStatus = 10
	EvalRPCError         EvalStatus = 11
	EvalUnknown          EvalStatus = 99
)

var evalNames = map[EvalStatus]string{
	EvalOK: "ok", EvalNonFiniteLoss: "non_finite_loss", EvalParseFailed: "statedict_parse_failed",
	EvalSignatureInvalid: "signature_invalid", EvalHashMismatch: "hash_mismatch", EvalGroupOrNaN: "expert_group_or_nan",
	EvalNoCommit: "no_chain_commit", EvalDownloadFailed: "download_failed", EvalOutOfMemory: "oom", EvalTimeout: "timeout",
	EvalDeadline: "deadline_exceeded", EvalRPCError: "rpc_error", EvalUnknown: "unknown",
}

func (s EvalStatus) String() string {
	if name, ok := evalNames[s]; ok {
		return name
	}
	return evalNames[EvalUnknown]
}

// statusByGate says what it means not to pass a gate. Those of the score are
// outcomes of a good evaluation.
var statusByGate = map[string]EvalStatus{
	gateSecond: EvalNoCommit, gateComplete: EvalNoCommit, gateVersion: EvalNoCommit, gateFirst: EvalNoCommit,
	gateSignature: EvalSignatureInvalid, gateDownload: EvalDownloadFailed, gateParse: EvalParseFailed,
	gateHash: EvalHashMismatch, gateKeys: EvalGroupOrNaN, gateFinite: EvalGroupOrNaN, gateMeasured: EvalNonFiniteLoss,
	gateLoss: EvalOK, gateRank: EvalOK, gateWeight: EvalOK,
	gateMemory: EvalOutOfMemory, gateTimeout: EvalTimeout, gateDeadline: EvalDeadline, gateChain: EvalRPCError,
}

// Status returns the outcome of the evaluation that passed these gates, or did
// not.
func (w Why) Status() EvalStatus {
	g, bad := w.failed()
	if !bad {
		return EvalOK
	}
	if s, ok := statusByGate[g.Name]; ok {
		return s
	}
	return EvalUnknown
}

// operational says whether an outcome may be the validator's own fault.
func (s EvalStatus) operational() bool {
	return s >= EvalDownloadFailed
}

// leavesPoint says whether a round's outcome goes into a miner's history: what
// may not be the miner's fault does not, where the generation is that fair.
func (r Rules) leavesPoint(s EvalStatus) bool {
	return !s.operational() || r.UnscoredLose || r.RepoFault && s == EvalDownloadFailed
}
