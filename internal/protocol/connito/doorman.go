package connito

import (
	"crypto/subtle"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"adit/internal/subnet"
)

// A refusal is an answer of the checkpoint server other than success. Its body is
// {"detail": Detail}.
type refusal struct {
	Status int
	Detail string
}

func (r *refusal) Error() string { return fmt.Sprintf("%d %s", r.Status, r.Detail) }

// body returns the JSON of the answer.
func (r *refusal) body() []byte {
	return appendJSON(nil, fields{{"detail", r.Detail}}, jsonStyle{})
}

// What the server says, in upstream's words.
const (
	textNoBearer      = "Missing or invalid Authorization header"
	textForbidden     = "Forbidden"
	textBadSignature  = "Invalid checkpoint download signature"
	textOtherTarget   = "Submission target hotkey does not match this validator"
	textNoCheckpoint  = "No checkpoint available on disk yet"
	textNotFound      = "Checkpoint not found"
	textNoPhase       = "Could not get phase from api."
	textWrongPhase    = "Submissions are only accepted during submission phase"
	textOtherBlock    = "Origin block is not within the submission phase"
	textNotAssigned   = "Miner is not assigned to this validator"
	textTwice         = "Miner already submitted during this phase"
	textNoMessage     = "Internal Server Error" // an assertion that fails, upstream
	textNotOnChain    = "No checkpoint found on chain for this miner"
	textUnsafeName    = "Unsafe filename"
	textExtension     = "Unsupported file extension"
	textTooLarge      = "Submission too large"
	textStoreFailed   = "Failed to store file"
	textFailedChecks  = "Submitted checkpoint failed validation."
	textOldRequest    = "Origin block of the request is too old or not yet there" // ours
	textNotRegistered = "Origin hotkey is not registered on this subnet"          // ours
)

// Limits of the server.
const (
	maxSubmission   = 8 << 30 // bytes
	uploadSeconds   = 300
	downloadSeconds = 30 // without a byte
	submitRetries   = 3  // of the client, after the first try
	submitBackoff   = 60 // seconds between them
	downloadBlocks  = 50 // the age of a download's signature, about ten minutes
	uploadsAtOnce   = 2
)

// checkBearer is the first check of every request. Without a token all may come
// in.
func checkBearer(token, header string) *refusal {
	if token == "" {
		return nil
	}
	got, ok := strings.CutPrefix(header, "Bearer ")
	if !ok {
		return &refusal{401, textNoBearer}
	}
	if subtle.ConstantTimeCompare([]byte(got), []byte(token)) != 1 {
		return &refusal{403, textForbidden}
	}
	return nil
}

// A doorway is what the checkpoint server knows when a request comes.
type doorway struct {
	Me         subnet.Hotkey
	Lax        Laxity
	Head       subnet.Block
	Verify     func(who subnet.Hotkey, msg, sig []byte) bool
	Registered func(who subnet.Hotkey) bool

	// For a download: whether there is a checkpoint, and this file in it.
	Checkpoint bool
	HasFile    func(name string) bool

	// For a submission: the phase, if it is known; the block of a file of the
	// miner's that came in this phase, or 0; whether the assignment of this round
	// has the miner with this validator; what the miner has on chain.
	Phase       *phaseInfo
	SubmittedAt subnet.Block
	Assigned    bool
	OnChain     *Commit
}

// checkDownload decides on a download, in upstream's order, and returns the name
// of the file to send.
func (r Rules) checkDownload(d downloadRequest, s doorway) (string, *refusal) {
	if s.Lax&LaxSignature == 0 {
		msg, err := blockMessage(d.Target, d.OriginBlock)
		sig, sigErr := r.Signatures.decode(d.Signature)
		if err != nil || sigErr != nil || !s.Verify(d.Origin, msg, sig) {
			return "", &refusal{403, textBadSignature}
		}
	}
	if d.Target != s.Me {
		return "", &refusal{403, textOtherTarget}
	}
	if age := int64(s.Head - d.OriginBlock); s.Lax&LaxFresh == 0 && (age > downloadBlocks || age < -aheadBlocks) {
		return "", &refusal{403, textOldRequest}
	}
	if s.Lax&LaxMember == 0 && !s.Registered(d.Origin) {
		return "", &refusal{403, textNotRegistered}
	}
	if !s.Checkpoint {
		return "", &refusal{503, textNoCheckpoint}
	}
	for _, f := range r.Formats {
		if name := d.file(f); s.HasFile(name) {
			return name, nil
		}
	}
	return "", &refusal{404, textNotFound + ": " + d.file(r.Formats[0])}
}

var safeName = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// submitExtensions are the endings a submitted file may have.
var submitExtensions = []string{".pt", ".bin", ".ckpt", ".safetensors", ".tar"}

// checkSubmit decides, in upstream's order, whether a submission may be received;
// what it holds is seen afterwards, by [Rules.checkStored].
func (r Rules) checkSubmit(req submitRequest, s doorway) *refusal {
	if req.Target != s.Me {
		return &refusal{403, fmt.Sprintf("%s (expected=%s, received=%s)", textOtherTarget, s.Me, req.Target)}
	}
	if s.Lax&LaxPhase == 0 {
		if s.Phase == nil {
			return &refusal{409, textNoPhase}
		}
		p := s.Phase
		if p.PhaseName != r.PhaseName(Submission) {
			return &refusal{409, fmt.Sprintf("%s (current_phase=%s, block=%d, phase_range=%d-%d)", textWrongPhase, p.PhaseName, p.Block, p.PhaseStart, p.PhaseEnd)}
		}
		if req.OriginBlock < p.PhaseStart || req.OriginBlock > p.PhaseEnd {
			return &refusal{400, fmt.Sprintf("%s (origin_block=%d, phase_range=%d-%d)", textOtherBlock, req.OriginBlock, p.PhaseStart, p.PhaseEnd)}
		}
	}
	if s.Lax&LaxAssigned == 0 && !s.Assigned {
		return &refusal{403, fmt.Sprintf("%s (miner=%s)", textNotAssigned, req.Origin)}
	}
	if s.Lax&LaxTwice == 0 && s.SubmittedAt > 0 {
		return &refusal{409, fmt.Sprintf("%s (miner=%s, block=%d)", textTwice, req.Origin, s.SubmittedAt)}
	}
	if !r.OldService && (req.ModelHex == "" || req.BlockHex == "") {
		return &refusal{500, textNoMessage}
	}
	if s.Lax&LaxChain == 0 && s.OnChain == nil {
		return &refusal{400, textNotOnChain}
	}
	name := path.Base(req.File)
	if !safeName.MatchString(name) {
		return &refusal{400, textUnsafeName}
	}
	if ext := path.Ext(name); !slices.Contains(submitExtensions, ext) {
		return &refusal{400, textExtension + ": " + ext}
	}
	return nil
}

// submissionLimit returns the largest submission in bytes: limit, or, where each
// expert has its own, that of all in the group.
func submissionLimit(limit, perExpert int64, experts int) int64 {
	if perExpert > 0 && experts > 0 && perExpert <= limit/int64(experts) {
		return perExpert * int64(experts)
	}
	return limit
}

// tooLarge, tooSlow and notStored are what may go wrong while a submission is
// received.
func tooLarge(limit int64) *refusal {
	return &refusal{413, fmt.Sprintf("%s: limit %d bytes", textTooLarge, limit)}
}

func tooSlow() *refusal {
	return &refusal{408, fmt.Sprintf("Upload timed out after %ds", uploadSeconds)}
}

func notStored() *refusal { return &refusal{500, textStoreFailed} }

// checkStored decides on a submission that was received, by what the gates say of
// its content (see [Rules.inspect]): where it is refused, the file is deleted.
func (r Rules) checkStored(req submitRequest, s doorway, content Why) *refusal {
	failed := &refusal{400, textFailedChecks}
	if _, bad := content.failed(); bad {
		return failed
	}
	if s.Lax&LaxModelHex == 0 && req.ModelHex != "" && (s.OnChain == nil || req.ModelHex != s.OnChain.Hash) {
		return failed
	}
	block, err := blockMessage(req.Target, req.OriginBlock)
	if err != nil {
		return failed
	}
	told := block
	if !r.OldService {
		if told, err = decodeHex(req.BlockHex, len(block)); err != nil {
			return failed
		}
	}
	if s.Lax&LaxBlockHex == 0 && string(told) != string(block) {
		return failed
	}
	if s.Lax&LaxPackage != 0 {
		return nil
	}
	msg := told
	if !r.OldService {
		if msg, err = submitMessage(req.ModelHex, told); err != nil {
			return failed
		}
	}
	if sig, err := r.Signatures.decode(req.Signature); err != nil || !s.Verify(req.Origin, msg, sig) {
		return failed
	}
	return nil
}

// A stored is the answer to a submission that was taken.
type stored struct {
	Status string `json:"status"` // "ok"
	Path   string `json:"stored_path"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // of the file
}

// A serverRoot is the answer to GET /. That to /ping is {"status":"ok"}, and that to
// /status is null.
type serverRoot struct {
	Name      subnet.Hotkey     `json:"name"`
	Service   string            `json:"service"`
	Version   string            `json:"version"`
	Endpoints map[string]string `json:"endpoints"`
	Auth      string            `json:"auth"`
}

// serverRootOf returns what a validator's checkpoint server says of itself.
func serverRootOf(me subnet.Hotkey, token string) serverRoot {
	auth := "none"
	if token != "" {
		auth = "bearer"
	}
	return serverRoot{me, "Checkpoint Sender", "0.0.0", map[string]string{
		"/ping": "GET", "/status": "GET", "/get-checkpoint": "GET", "/submit-checkpoint": "POST",
	}, auth}
}
