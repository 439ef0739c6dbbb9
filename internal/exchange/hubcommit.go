package exchange

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"adit/internal/exchange/transfer"
	"adit/internal/subnet"
)

// Publish commits what was staged, and returns the whole commit id.
//
// The commit names its parent, so that of two writers who cross only one gets
// through; the other one looks at what has come in between and commits on top
// of it. A commit whose answer was lost is found that way too, and not
// repeated. If nothing differs from what is published, it is the newest commit
// that is returned.
func (h *hub) Publish(ctx context.Context, message string) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.staged) == 0 {
		return "", fmt.Errorf("publish in %s: %w", h.repo, errNothingStaged)
	}
	var commit string
	err := h.policy.Retry(ctx, func(ctx context.Context) (_ bool, err error) {
		commit, err = h.publish(ctx, message)
		if s, ok := errors.AsType[*statusError](err); ok &&
			(s.status == http.StatusPreconditionFailed || s.status == http.StatusConflict) {
			s.kind = subnet.ErrTemporary // crossed by another writer
		}
		return false, err
	})
	if err != nil {
		return "", fmt.Errorf("publish in %s: %w", h.repo, err)
	}
	h.staged = nil
	return commit, nil
}

func (h *hub) publish(ctx context.Context, message string) (string, error) {
	head, err := h.head(ctx)
	if err != nil {
		return "", err
	}
	done, err := h.holds(ctx, head)
	if err != nil {
		return "", err
	}
	if done {
		return head, nil
	}
	body, err := commitBody(head, message, h.staged)
	if err != nil {
		return "", err
	}
	var out struct {
		CommitOID string `json:"commitOid"`
	}
	if err := h.once(ctx, http.MethodPost, "/api/models/"+h.repo+"/commit/"+branch, "application/x-ndjson", body, &out); err != nil {
		return "", err
	}
	if !commitID.MatchString(out.CommitOID) {
		return "", fmt.Errorf("the hub's commit has no id, but %q", transfer.Clip(out.CommitOID))
	}
	return out.CommitOID, nil
}

var commitID = regexp.MustCompile(`^[0-9a-f]{40}$`)

// head returns the newest commit.
func (h *hub) head(ctx context.Context) (string, error) {
	var info struct {
		SHA string `json:"sha"`
	}
	if err := h.once(ctx, http.MethodGet, "/api/models/"+h.repo+"/revision/"+branch, "", nil, &info); err != nil {
		return "", fmt.Errorf("look for the newest commit: %w", err)
	}
	if !commitID.MatchString(info.SHA) {
		return "", fmt.Errorf("look for the newest commit: it has no id, but %q", transfer.Clip(info.SHA))
	}
	return info.SHA, nil
}

// holds reports whether a commit has all staged files as they are.
func (h *hub) holds(ctx context.Context, commit string) (bool, error) {
	form := url.Values{"expand": {"False"}}
	for _, u := range h.staged {
		form.Add("paths", u.path)
	}
	var infos []struct {
		Path string `json:"path"`
		OID  digest `json:"oid"`
		Size int64  `json:"size"`
		LFS  *struct {
			OID digest `json:"oid"`
		} `json:"lfs"`
	}
	err := h.once(ctx, http.MethodPost, "/api/models/"+h.repo+"/paths-info/"+commit,
		"application/x-www-form-urlencoded", []byte(form.Encode()), &infos)
	if err != nil {
		return false, fmt.Errorf("look at the newest commit: %w", err)
	}
	there := make(map[string]digest)
	for _, info := range infos {
		there[info.Path] = info.OID
		if info.LFS != nil {
			there[info.Path] = info.LFS.OID
		}
	}
	for _, u := range h.staged {
		if there[u.path] != u.digest {
			return false, nil
		}
	}
	return true, nil
}

// commitBody writes a commit as the hub reads it: one JSON object a line, the
// header first.
func commitBody(parent, message string, files []upload) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	line := func(key string, value map[string]any) error {
		return enc.Encode(map[string]any{"key": key, "value": value})
	}
	// The hub wants one line, and the rest apart.
	summary, description, _ := strings.Cut(message, "\n")
	if summary == "" {
		summary = "Publish"
	}
	err := line("header", map[string]any{"summary": summary, "description": description, "parentCommit": parent})
	for _, u := range files {
		if u.lfs {
			err = errors.Join(err, line("lfsFile", map[string]any{"path": u.path, "algo": "sha256", "oid": u.digest, "size": u.size}))
		} else {
			err = errors.Join(err, line("file", map[string]any{"path": u.path, "encoding": "base64",
				"content": base64.StdEncoding.EncodeToString(u.inline)}))
		}
	}
	return buf.Bytes(), err
}

// gitBlob returns the id that git gives to content.
func gitBlob(content []byte) digest {
	h := sha1.New()
	h.Write([]byte("blob " + strconv.Itoa(len(content)) + "\x00"))
	h.Write(content)
	return digest(hex.EncodeToString(h.Sum(nil)))
}
