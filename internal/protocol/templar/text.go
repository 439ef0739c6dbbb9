package templar

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"adit/internal/protocol/actor"
	"adit/internal/subnet"
)

// A library is where a neuron's pages come from, and what makes sequences of them.
type library struct {
	http        *http.Client
	url, set    string
	length      int // tokens in a sequence
	pages       int // that a window has
	engine      subnet.Engine
	bosID       int32
	eosID       int32
	bosIs       string
	eosIs       string
	tokenised   bool // bosID and eosID are known
	configs     []DataConfig
	configsRead time.Time
}

// configsFor is how long the list of a data set's parts is believed. Upstream asks
// for it twice in each window.
const configsFor = 30 * time.Minute

func (n *neuron) library() *library {
	set := n.cfg.DataSet.Name
	if set == "" {
		set = n.rules.DataSet
	}
	return &library{
		http: n.HTTP, url: strings.TrimRight(n.cfg.DataSet.URL, "/"), set: set,
		length: int(n.rules.Slice.SequenceLength), pages: int(n.rules.Slice.PagesPerWindow),
		engine: n.Engine, bosIs: n.cfg.DataSet.BOS, eosIs: n.cfg.DataSet.EOS,
	}
}

// sequences returns the text of a seed and a window, each document of which begins
// with the tokenizer's first token, and the pages that it is from.
func (l *library) sequences(ctx context.Context, seed uint32, w Window) ([]subnet.Sequence, []Page, error) {
	if err := l.specials(); err != nil {
		return nil, nil, err
	}
	if err := l.readConfigs(ctx); err != nil {
		return nil, nil, err
	}
	pages, err := Pages(seed, w, l.pages, l.configs)
	if err != nil {
		return nil, nil, err
	}
	var rows []subnet.Sequence
	for _, p := range pages {
		data, err := l.get(ctx, RowsQuery(l.set, p), MaxRows)
		if err != nil {
			return nil, pages, fmt.Errorf("page %s/%d: %w", p.Config, p.Row, err)
		}
		texts, err := ParseRows(data)
		if err != nil {
			return nil, pages, fmt.Errorf("page %s/%d: %w", p.Config, p.Row, err)
		}
		for _, text := range texts {
			tokens, err := l.engine.Encode(text)
			if err != nil {
				return nil, pages, err
			}
			tokens = append([]int32{l.bosID}, tokens[:min(len(tokens), l.length-1)]...)
			rows = append(rows, Documents(append(tokens, l.eosID), l.eosID, l.length)...)
		}
	}
	return rows, pages, nil
}

// specials finds the tokens that stand before a text and after it.
func (l *library) specials() error {
	if l.tokenised {
		return nil
	}
	for _, t := range []struct {
		setting, is string
		id          *int32
	}{{"dataset.bos", l.bosIs, &l.bosID}, {"dataset.eos", l.eosIs, &l.eosID}} {
		if v, err := strconv.ParseInt(t.is, 10, 32); err == nil && v >= 0 {
			*t.id = int32(v)
			continue
		}
		ids, err := l.engine.Encode(t.is)
		if err != nil {
			return err
		}
		if len(ids) != 1 {
			return subnet.WithHint(fmt.Errorf("%s: %q is %d tokens by the model's tokenizer, want 1", t.setting, t.is, len(ids)),
				"set "+t.setting+" to the tokenizer's own token, or its number")
		}
		*t.id = ids[0]
	}
	l.tokenised = true
	return nil
}

// readConfigs sees that the data set's parts are known, and not too old. Where the
// server does not tell, those of before count.
func (l *library) readConfigs(ctx context.Context) error {
	if l.configs != nil && time.Since(l.configsRead) < configsFor {
		return nil
	}
	data, err := l.get(ctx, SizeQuery(l.set), MaxSizes)
	var list []DataConfig
	if err == nil {
		list, err = ParseSizes(data)
	}
	switch {
	case err == nil:
		l.configs, l.configsRead = list, time.Now()
	case l.configs == nil:
		return fmt.Errorf("data set %s: %w", l.set, err)
	}
	return nil
}

// How the data set's server is asked: often enough for a server that is busy for a
// moment, and no longer than a window can wait.
const (
	asksOfServer = 10
	askPause     = 5 * time.Second // at most, and upstream's
	askTimeout   = 30 * time.Second
)

// get asks the server until it answers, a few times.
func (l *library) get(ctx context.Context, query string, limit int64) ([]byte, error) {
	for try := 1; ; try++ {
		data, err := l.ask(ctx, query, limit)
		if err == nil || !errors.Is(err, subnet.ErrTemporary) || try == asksOfServer {
			return data, err
		}
		if actor.Pause(ctx, min(time.Duration(try)*time.Second, askPause)) != nil {
			return nil, err // which says more than that the time was over
		}
	}
}

func (l *library) ask(ctx context.Context, query string, limit int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.url+query, nil)
	if err != nil {
		return nil, err
	}
	resp, err := l.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", subnet.ErrTemporary, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	switch {
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500:
		return nil, fmt.Errorf("%w: the server answers %s", subnet.ErrTemporary, resp.Status)
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("the server answers %s to %s", resp.Status, query)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", subnet.ErrTemporary, err)
	case int64(len(data)) > limit:
		return nil, fmt.Errorf("the server answers with more than %d bytes to %s", limit, query)
	}
	return data, nil
}
