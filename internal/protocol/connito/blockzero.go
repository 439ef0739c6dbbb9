package connito

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"adit/internal/subnet"
)

// BlockZero's documents describe an HTTP interface that no public code has had:
// GET /health, GET /model/partial, GET /model/full and POST /submit, on port 8080,
// with a token in BZ_AUTH_TOKEN. What they leave open is decided here.

// docsPort is the port of the documents' server.
const docsPort = 8080

// A docsHealth is the answer to /health.
type docsHealth struct {
	Status string       `json:"status"` // "ok"
	Loaded bool         `json:"model_loaded"`
	Block  subnet.Block `json:"current_block"`
	Phase  string       `json:"phase"`
}

// A docsModel is what /model/partial says of the file it sends.
type docsModel struct {
	Group   int          `json:"expert_group"`
	Block   subnet.Block `json:"block_number"`
	Version string       `json:"model_version"` // "step_" and the global version
	Hash    string       `json:"content_hash"`  // "sha256:" and that of the file
}

// docsVersion and docsHash write two of its fields.
func docsVersion(version uint64) string { return fmt.Sprintf("step_%d", version) }
func docsHash(sha256 string) string     { return "sha256:" + sha256 }

// docsShardFile and docsCheckpointFile are the documents' names of files.
func docsShardFile(group int, version uint64, f subnet.Format) string {
	return fmt.Sprintf("expert_group_%d_step_%d.%s", group, version, f)
}

func docsCheckpointFile(step int, block subnet.Block, group int, f subnet.Format) string {
	return fmt.Sprintf("checkpoint_%d_%d_group%d.%s", step, block, group, f)
}

// A docsSubmit is the body of POST /submit. The model itself is fetched from its
// address.
type docsSubmit struct {
	Hotkey    subnet.Hotkey `json:"hotkey"`
	Group     *int          `json:"expert_group"`
	URL       string        `json:"checkpoint_url"`
	Block     *uint64       `json:"block_number"`
	Signature string        `json:"signature"`
}

// A docsAccepted is the answer to it.
type docsAccepted struct {
	Status string       `json:"status"` // "accepted"
	ETA    subnet.Block `json:"evaluation_eta_blocks"`
}

// docsMessage is what is signed of a submission. The documents do not say; this is
// all of it that a stranger could change.
func docsMessage(s docsSubmit) []byte {
	return fmt.Appendf(nil, "%s\n%d\n%s\n%d", s.Hotkey, *s.Group, s.URL, *s.Block)
}

// maxDocsSubmit is the longest body of a submission that is read.
const maxDocsSubmit = 16 << 10

// parseDocsSubmit reads the body of POST /submit. The error is of status 422.
func parseDocsSubmit(body []byte) (docsSubmit, error) {
	if len(body) > maxDocsSubmit {
		return docsSubmit{}, fmt.Errorf("submission of %d bytes, want at most %d", len(body), maxDocsSubmit)
	}
	var s docsSubmit
	if err := json.Unmarshal(body, &s); err != nil {
		return docsSubmit{}, fmt.Errorf("submission: %w", err)
	}
	if s.Hotkey == "" || s.Group == nil || s.URL == "" || s.Block == nil || s.Signature == "" {
		return docsSubmit{}, errors.New("submission: hotkey, expert_group, checkpoint_url, block_number and signature are required")
	}
	u, err := url.Parse(s.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "hf" && u.Scheme != "s3" {
		return docsSubmit{}, fmt.Errorf("submission: checkpoint_url %.100q is no http, https, hf or s3 address", s.URL)
	}
	return s, nil
}

// checkDocsSubmit decides on a submission by the same rules, in the same order, as
// [Rules.checkSubmit], and says in how many blocks it will be evaluated.
func (r Rules) checkDocsSubmit(s docsSubmit, d doorway) (docsAccepted, *refusal) {
	req := submitRequest{
		Target: d.Me, Origin: s.Hotkey, OriginBlock: subnet.Block(*s.Block), Signature: s.Signature,
		ModelHex: "-", BlockHex: "-", File: s.URL[strings.LastIndexByte(s.URL, '/')+1:],
	}
	if bad := r.checkSubmit(req, d); bad != nil {
		return docsAccepted{}, bad
	}
	sig, err := r.Signatures.decode(s.Signature)
	if d.Lax&LaxPackage == 0 && (err != nil || !d.Verify(s.Hotkey, docsMessage(s), sig)) {
		return docsAccepted{}, &refusal{403, textFailedChecks}
	}
	eta := subnet.Block(0)
	if d.Phase != nil {
		eta = d.Phase.PhaseEnd + 1 - d.Phase.Block
	}
	return docsAccepted{"accepted", eta}, nil
}

// checkDocsModel decides on GET /model/partial, which names its sender in the
// header X-Hotkey and signs nothing, or on /model/full, which is for validators.
// The statuses are the documents'.
func (r Rules) checkDocsModel(full bool, group int, who subnet.Hotkey, validator func(subnet.Hotkey) bool, d doorway) (string, *refusal) {
	switch {
	case d.Lax&LaxMember == 0 && !d.Registered(who):
		return "", &refusal{401, textNotRegistered}
	case full && !validator(who):
		return "", &refusal{403, textForbidden}
	case !d.Checkpoint:
		return "", &refusal{503, textNoCheckpoint}
	}
	req := downloadRequest{}
	if !full {
		req.Shard = fmt.Sprint(group)
	}
	for _, f := range r.Formats {
		if name := req.file(f); d.HasFile(name) {
			return name, nil
		}
	}
	return "", &refusal{404, textNotFound + ": " + req.file(r.Formats[0])}
}
