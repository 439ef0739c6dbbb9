package connito

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
)

// A board is what a validator shows the others of its merges: for each part and
// list its head, by round and group.
type board struct {
	mu    sync.Mutex
	parts map[string]mergeHead
	lists map[string]mergeHead
}

func boardKey(round uint64, group int) string { return fmt.Sprintf("%d_%d", round, group) }

// show puts a head on the board, in the place of those of earlier rounds of the
// group.
func (b *board) show(h mergeHead) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.parts == nil {
		b.parts, b.lists = make(map[string]mergeHead), make(map[string]mergeHead)
	}
	on := b.parts
	if h.Have != nil {
		on = b.lists
	}
	for key, old := range on {
		if old.Group == h.Group && old.Round < h.Round {
			delete(on, key)
		}
	}
	on[boardKey(h.Round, h.Group)] = h
}

func (b *board) find(round uint64, group int, list bool) (mergeHead, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	on := b.parts
	if list {
		on = b.lists
	}
	h, ok := on[boardKey(round, group)]
	return h, ok
}

// mergeRequest decides whether a request is a validator's, and what it asks for.
func (s *server) mergeRequest(r *http.Request) (round uint64, group int, bad *refusal) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxForm+1))
	if err != nil {
		return 0, 0, &refusal{http.StatusBadRequest, textBadBody}
	}
	req, err := parseDownload(string(body), r.URL.Query())
	if err == nil {
		group, err = strconv.Atoi(req.Shard)
	}
	if err == nil {
		round, err = strconv.ParseUint(r.URL.Query().Get("round"), 10, 63)
	}
	if err != nil {
		return 0, 0, &refusal{http.StatusUnprocessableEntity, err.Error()}
	}
	d, bad := s.doorway(r.Context())
	if bad != nil {
		return 0, 0, bad
	}
	d.Lax, d.Checkpoint, d.HasFile = 0, true, func(string) bool { return true }
	if _, bad := s.rules.checkDownload(req, d); bad != nil {
		return 0, 0, bad
	}
	meta, bad := s.metagraph(r.Context(), d.Head)
	if bad != nil {
		return 0, 0, bad
	}
	if v, ok := meta.ByHotkey(req.Origin); !ok || !s.validator(v) {
		return 0, 0, &refusal{http.StatusForbidden, textForbidden}
	}
	return round, group, nil
}

// mergeHead and mergeList are GET /merge/head and GET /merge/list.
func (s *server) mergeHead(w http.ResponseWriter, r *http.Request) *refusal {
	return s.mergeBoard(w, r, false)
}

func (s *server) mergeList(w http.ResponseWriter, r *http.Request) *refusal {
	return s.mergeBoard(w, r, true)
}

func (s *server) mergeBoard(w http.ResponseWriter, r *http.Request, list bool) *refusal {
	round, group, bad := s.mergeRequest(r)
	if bad != nil {
		return bad
	}
	h, ok := s.board.find(round, group, list)
	if !ok {
		return &refusal{http.StatusNotFound, "Not yet in this merge"}
	}
	return tell(w, h)
}

// mergePart is GET /merge/part.
func (s *server) mergePart(w http.ResponseWriter, r *http.Request) *refusal {
	round, group, bad := s.mergeRequest(r)
	if bad != nil {
		return bad
	}
	return s.send(w, r, partFile(round, group, s.Me), "part.safetensors", slog.Uint64("round", round))
}

// mergeMomentum is GET /merge/momentum: the outer optimizer's state that belongs to
// the baseline of that round.
func (s *server) mergeMomentum(w http.ResponseWriter, r *http.Request) *refusal {
	version, _, bad := s.mergeRequest(r)
	if bad != nil {
		return bad
	}
	return s.send(w, r, mergedName(version)+"/"+outerFile, outerFile, slog.Uint64("version", version))
}
