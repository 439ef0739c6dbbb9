package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"syscall"
)

// A handler answers a request, or returns why not.
type handler func(http.ResponseWriter, *http.Request) error

// A failure is an answer that says no. Clients tell them apart by code, which
// goes into the header X-Error-Code.
type failure struct {
	status int
	code   string
	text   string
}

func (f *failure) Error() string { return f.text }

const (
	repoNotFound     = "RepoNotFound"
	revisionNotFound = "RevisionNotFound"
	entryNotFound    = "EntryNotFound"
)

func fail(status int, format string, args ...any) error {
	return &failure{status: status, text: fmt.Sprintf(format, args...)}
}

func missing(code, format string, args ...any) error {
	return &failure{http.StatusNotFound, code, fmt.Sprintf(format, args...)}
}

func unknownRoute(_ http.ResponseWriter, r *http.Request) error {
	return fail(http.StatusNotFound, "this hub has no %s %s", r.Method, r.URL.Path)
}

// serve turns a handler's error into an answer.
func (h *Hub) serve(f handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := f(w, r)
		if err == nil {
			return
		}
		no, ok := errors.AsType[*failure](err)
		if !ok {
			no = h.fault(r, err)
		}
		if no.code != "" {
			w.Header().Set("X-Error-Code", no.code)
		}
		w.Header().Set("X-Error-Message", headerText(no.text))
		answerStatus(w, no.status, map[string]string{"error": no.text})
	}
}

// fault says what an error means that is not the client's.
func (h *Hub) fault(r *http.Request, err error) *failure {
	if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &failure{http.StatusRequestEntityTooLarge, "", fmt.Sprintf("the request is larger than %d bytes", large.Limit)}
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || r.Context().Err() != nil {
		return &failure{http.StatusBadRequest, "", "the request was cut short"}
	}
	h.emit(slog.LevelError, "hub-fault", fmt.Sprintf("hub: %s %s: %v", r.Method, r.URL.Path, err),
		slog.String("error", err.Error()))
	if diskFull(err) {
		return &failure{http.StatusInsufficientStorage, "", "the hub's disk is full; nothing was changed"}
	}
	return &failure{http.StatusInternalServerError, "", "the hub could not do that; its log says why"}
}

func diskFull(err error) bool {
	const windowsDiskFull = syscall.Errno(112) // ERROR_DISK_FULL; no such errno elsewhere means a write
	return errors.Is(err, syscall.ENOSPC) || onWindows && errors.Is(err, windowsDiskFull)
}

// headerText makes text fit for a header line.
func headerText(text string) string {
	b := []byte(text)
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}

func answer(w http.ResponseWriter, v any) error {
	answerStatus(w, http.StatusOK, v)
	return nil
}

func answerStatus(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// An error here is the client's hanging up.
	_ = json.NewEncoder(w).Encode(v)
}

// read decodes a JSON request of bounded size into v.
func (h *Hub) read(w http.ResponseWriter, r *http.Request, v any) error {
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, h.opts.MaxBody)).Decode(v); err != nil {
		return badRequest(err)
	}
	return nil
}

// badRequest keeps errors of the transport apart from those of the content.
func badRequest(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return err
	}
	return fail(http.StatusBadRequest, "the request is not understood: %v", err)
}
