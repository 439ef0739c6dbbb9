package connito

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"adit/internal/protocol/actor"
	"adit/internal/subnet"
)

// OwnerConfig holds the settings of the role "owner", which serves what the subnet's
// owner decides: the lengths of the phases, who is a validator, which task is worked
// on. What may change while it serves is asked for at each request.
type OwnerConfig struct {
	NetUID    subnet.NetUID
	Endpoints []string // of the chain
	Rules     Rules    // with the phase table to serve
	At        netip.AddrPort
	// Whitelist returns the validators; nil, or an error that wraps
	// [subnet.ErrNotFound], is an empty list.
	Whitelist func() ([]subnet.Hotkey, error)
	// PeerIDs returns the multiaddresses of the owner's first peers, likewise.
	PeerIDs func() ([]string, error)
	// Task returns the bundle of the active task, as [SealTask] makes it; nil, or
	// an error that wraps [subnet.ErrNotFound], is no task.
	Task func() ([]byte, error)
}

var _ subnet.Config = (*OwnerConfig)(nil)

// Validate implements [subnet.Config].
func (c *OwnerConfig) Validate() error {
	var errs []error
	if len(c.Endpoints) == 0 {
		errs = append(errs, errors.New("endpoints: needs at least one"))
	}
	if _, err := NewSchedule(c.Rules.Schedule.blocks()); err != nil {
		errs = append(errs, fmt.Errorf("phases: %w", err))
	}
	if !c.At.IsValid() || c.At.Port() == 0 {
		errs = append(errs, errors.New("address: needs an IP address and a port"))
	}
	return errors.Join(errs...)
}

// Services implements [subnet.Config]: an owner needs no more than the chain.
func (c *OwnerConfig) Services() subnet.Services {
	return subnet.Services{NetUID: c.NetUID, Endpoints: c.Endpoints}
}

// owner answers the requests of the phase service until ctx is done.
func owner(ctx context.Context, env subnet.Env) error {
	cfg, ok := env.Config.(*OwnerConfig)
	if !ok {
		return fmt.Errorf("settings are of type %T, want those of an owner", env.Config)
	}
	if err := cfg.Validate(); err != nil {
		return err
	}
	env.Emit(subnet.Event{Kind: "serving", Text: "Phase service is running", Attrs: []slog.Attr{
		slog.String("url", "http://"+cfg.At.String()), slog.String("rules", cfg.Rules.Name), slog.Uint64("cycle_length", uint64(cfg.Rules.Schedule.Cycle())),
	}})
	return env.Serve(ctx, cfg.At, &ownerService{env, cfg})
}

// An ownerService answers GET requests with JSON, and with {"detail": …} where it
// cannot, as upstream's does.
//
// Unlike upstream, the endpoints that tell of a block take another than the newest
// in the query, as in /get_phase?block=8081340; and where the chain does not answer
// the status is 503, after which clients ask again.
type ownerService struct {
	env subnet.Env
	cfg *OwnerConfig
}

// A statusError is an answer other than 200.
type statusError struct {
	status int
	detail string
}

func (e *statusError) Error() string { return fmt.Sprintf("%d: %s", e.status, e.detail) }

// ServeHTTP implements [http.Handler].
func (s *ownerService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer, err := s.answer(r)
	status := http.StatusOK
	if err != nil {
		e, ok := errors.AsType[*statusError](err)
		if !ok {
			e = &statusError{http.StatusInternalServerError, err.Error()}
		}
		if status = e.status; status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", http.MethodGet)
		}
		if status >= http.StatusInternalServerError {
			s.env.Emit(subnet.Event{Level: slog.LevelWarn, Kind: "refused", Text: "request not answered", Attrs: []slog.Attr{
				slog.String("path", r.URL.Path), slog.Int("status", status), slog.String("error", e.detail)}})
		}
		answer = []byte(actor.JSON(map[string]string{"detail": e.detail}))
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
	w.WriteHeader(status)
	_, _ = w.Write(answer) // who asked may be gone
}

// answer returns the JSON that a request is answered with.
func (s *ownerService) answer(r *http.Request) ([]byte, error) {
	endpoint, ok := ownerEndpoints[r.URL.Path]
	if !ok {
		return nil, &statusError{http.StatusNotFound, "Not Found"}
	}
	if r.Method != http.MethodGet {
		return nil, &statusError{http.StatusMethodNotAllowed, "Method Not Allowed"}
	}
	v, err := endpoint(s, r)
	if err != nil {
		return nil, err
	}
	if raw, ok := v.(json.RawMessage); ok {
		return raw, nil
	}
	return []byte(actor.JSON(v)), nil
}

// ownerEndpoints holds what each path is answered with.
var ownerEndpoints = map[string]func(*ownerService, *http.Request) (any, error){
	"/":                        func(s *ownerService, _ *http.Request) (any, error) { return s.cfg.Rules.serviceRoot(), nil },
	"/get_phase":               atBlock(func(r Rules, b subnet.Block) any { return r.phaseInfo(b) }),
	"/blocks_until_next_phase": atBlock(func(r Rules, b subnet.Block) any { return r.blocksUntilNext(b) }),
	"/previous_phase_blocks":   atBlock(func(r Rules, b subnet.Block) any { return r.previousPhases(b) }),
	"/get_init_peer_id":        func(s *ownerService, _ *http.Request) (any, error) { return listOf(s.cfg.PeerIDs) },
	"/get_validator_whitelist": func(s *ownerService, _ *http.Request) (any, error) { return listOf(s.cfg.Whitelist) },
	"/active_task": func(s *ownerService, _ *http.Request) (any, error) {
		_, task, err := s.task()
		return task, err
	},
	"/active_task_bundle": func(s *ownerService, _ *http.Request) (any, error) {
		bundle, _, err := s.task()
		return json.RawMessage(bundle), err
	},
}

// maxBlock is the highest block that is asked about: four thousand years of them.
const maxBlock = 10_000_000_000

// headWait is how long the chain may take to tell its head: half of what a client
// waits, so that it hears of it.
const headWait = apiTimeoutSeconds * time.Second / 2

// atBlock answers with what f says of the newest block, or of that in the query.
func atBlock(f func(Rules, subnet.Block) any) func(*ownerService, *http.Request) (any, error) {
	return func(s *ownerService, r *http.Request) (any, error) {
		if text := r.URL.Query().Get("block"); text != "" {
			b, err := strconv.ParseUint(text, 10, 64)
			if err != nil || b > maxBlock {
				return nil, &statusError{http.StatusBadRequest, fmt.Sprintf("block must be a number from 0 to %d, not %.40q", uint64(maxBlock), text)}
			}
			return f(s.cfg.Rules, subnet.Block(b)), nil
		}
		ctx, cancel := context.WithTimeout(r.Context(), headWait)
		defer cancel()
		head, err := s.env.Chain.Head(ctx)
		if err != nil {
			return nil, &statusError{http.StatusServiceUnavailable, fmt.Sprintf("the chain does not answer: %v", err)}
		}
		return f(s.cfg.Rules, head), nil
	}
}

// listOf returns a list, empty where there is none.
func listOf[T any](f func() ([]T, error)) (any, error) {
	if f == nil {
		return []T{}, nil
	}
	list, err := f()
	if errors.Is(err, subnet.ErrNotFound) || err == nil && list == nil {
		return []T{}, nil
	}
	return list, err
}

// task returns the active task's bundle and what is told of it.
func (s *ownerService) task() ([]byte, activeTask, error) {
	err := subnet.ErrNotFound
	var data []byte
	if s.cfg.Task != nil {
		data, err = s.cfg.Task()
	}
	if errors.Is(err, subnet.ErrNotFound) {
		return nil, activeTask{}, &statusError{http.StatusNotFound, "No active task"}
	}
	if err != nil {
		return nil, activeTask{}, err
	}
	b, _, err := parseBundle(data)
	return data, b.activeTask, err
}
