package connito

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"adit/internal/subnet"
)

// score_aggregator.json is, since its second version,
//
//	{"schema_version": 2, "miners": {"<uid>": {"hotkey": "…", "points": [["<ISO 8601>", 2.25, <round id or null>], …]}}}
//
// and was before {"<uid>": {"hotkey": "…", "points": [["<ISO 8601>", 2.25], …]}}.

// encode returns the text of the file of a validator of an expert group.
//
// Unlike upstream, whose validator has one expert group, a miner of another one is
// written with its "expert_group".
func (s Scores) encode(expertGroup int) []byte {
	miners := fields{}
	for _, uid := range slices.Sorted(maps.Keys(s)) {
		h := s[uid]
		points := []any{}
		for _, p := range h.Points {
			var round any
			if p.Round != 0 {
				round = p.Round
			}
			points = append(points, []any{p.Time, p.Score, round})
		}
		miner := fields{{"hotkey", string(h.Hotkey)}, {"points", points}}
		if h.Group != expertGroup {
			miner = append(miner, field{"expert_group", h.Group})
		}
		miners = append(miners, field{strconv.Itoa(int(uid)), miner})
	}
	return appendJSON(nil, fields{{"schema_version", scoresSchema}, {"miners", miners}}, jsonStyle{})
}

const (
	scoresSchema = 2
	maxScores    = 16 << 20 // bytes
)

// A minerRecord is a miner's part of the file.
type minerRecord struct {
	Hotkey string              `json:"hotkey"`
	Points [][]json.RawMessage `json:"points"`
	Group  *int                `json:"expert_group"`
}

// parseScores reads the file, of either version, of a validator of an expert
// group. Of a miner's points the newest are kept.
func parseScores(data []byte, expertGroup int) (Scores, error) {
	if len(data) > maxScores {
		return nil, fmt.Errorf("scores of %d bytes, want at most %d", len(data), maxScores)
	}
	var file struct {
		Schema *int                       `json:"schema_version"`
		Miners map[string]json.RawMessage `json:"miners"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, err
	}
	if file.Schema == nil {
		if err := json.Unmarshal(data, &file.Miners); err != nil {
			return nil, err
		}
	} else if *file.Schema != scoresSchema {
		return nil, fmt.Errorf("schema %d, want %d", *file.Schema, scoresSchema)
	}
	scores := make(Scores)
	for name, raw := range file.Miners {
		uid, err := strconv.ParseUint(name, 10, 16)
		var m minerRecord
		if err == nil && strconv.FormatUint(uid, 10) != name {
			err = errors.New("not a plain number") // two could be the same
		}
		if err == nil {
			err = json.Unmarshal(raw, &m)
		}
		if err != nil {
			return nil, fmt.Errorf("miner %.20q: %w", name, err)
		}
		h := &History{Hotkey: subnet.Hotkey(m.Hotkey), Group: expertGroup}
		if m.Group != nil {
			h.Group = *m.Group
		}
		for _, tuple := range m.Points[max(0, len(m.Points)-keepPoints):] {
			p, err := parsePoint(tuple)
			if err != nil {
				return nil, fmt.Errorf("miner %s: %w", name, err)
			}
			h.Points = append(h.Points, p)
		}
		scores[subnet.UID(uid)] = h
	}
	return scores, nil
}

// parsePoint reads [time, score] or [time, score, round].
func parsePoint(tuple []json.RawMessage) (Point, error) {
	var p Point
	if len(tuple) != 2 && len(tuple) != 3 {
		return p, fmt.Errorf("point of %d values, want 2 or 3", len(tuple))
	}
	err := errors.Join(json.Unmarshal(tuple[0], &p.Time), json.Unmarshal(tuple[1], &p.Score))
	if err == nil && len(tuple) == 3 {
		err = json.Unmarshal(tuple[2], &p.Round) // null leaves it 0
	}
	if err == nil && (math.IsNaN(p.Score) || math.IsInf(p.Score, 0)) {
		err = errors.New("score that is not finite")
	}
	if err != nil {
		return Point{}, fmt.Errorf("point: %w", err)
	}
	return p, nil
}
