package connito

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"adit/internal/protocol/actor"
	"adit/internal/subnet"
)

// A cohort is what a validator remembers of its groups, in cohort_state.json.
type cohort struct {
	Schema       int          `json:"schema_version"` // 1
	Epoch        uint64       `json:"cohort_epoch"`
	ExpertGroup  string       `json:"expert_group"`
	Weight1      []subnet.UID `json:"weight_group_1"`
	Weight2      []subnet.UID `json:"weight_group_2"`
	A            []subnet.UID `json:"validation_group_a"`
	B            []subnet.UID `json:"validation_group_b"`
	C            []subnet.UID `json:"validation_group_c"`
	Foreground   []subnet.UID `json:"foreground_uids"`
	LastElection *uint64      `json:"last_election_round_id"`
	HighestCycle uint64       `json:"highest_seen_cycle_index"`
}

const (
	cohortFile   = "cohort_state.json"
	cohortSchema = 1
	maxCohort    = 1 << 20 // bytes
)

// cohortOf returns the state after the groups of a round were made: epochs count
// rounds, whatever upstream's name for them says.
func cohortOf(before cohort, expertGroup int, round, cycle uint64, g groups) cohort {
	return cohort{
		Schema: cohortSchema, Epoch: before.Epoch + 1, ExpertGroup: strconv.Itoa(expertGroup),
		Weight1: before.Weight1, Weight2: before.Weight2,
		A: g.A, B: g.B, C: g.C, Foreground: g.Foreground,
		LastElection: &round, HighestCycle: max(before.HighestCycle, cycle),
	}
}

// encode returns the text of the file. An empty group is a list too.
func (c cohort) encode() []byte {
	for _, list := range []*[]subnet.UID{&c.Weight1, &c.Weight2, &c.A, &c.B, &c.C, &c.Foreground} {
		if *list == nil {
			*list = []subnet.UID{}
		}
	}
	return []byte(actor.JSON(c))
}

// parseCohort reads the file of a validator of an expert group. One of another
// group, or of another schema, tells nothing about this one and is an error.
func parseCohort(data []byte, expertGroup int) (cohort, error) {
	if len(data) > maxCohort {
		return cohort{}, fmt.Errorf("cohort of %d bytes, want at most %d", len(data), maxCohort)
	}
	var c cohort
	if err := json.Unmarshal(data, &c); err != nil {
		return cohort{}, fmt.Errorf("cohort: %w", err)
	}
	if c.Schema != cohortSchema {
		return cohort{}, fmt.Errorf("cohort of schema %d, want %d", c.Schema, cohortSchema)
	}
	if want := strconv.Itoa(expertGroup); c.ExpertGroup != want {
		return cohort{}, fmt.Errorf("cohort of expert group %.40q, want %q", c.ExpertGroup, want)
	}
	return c, nil
}

// has says whether a miner is in the groups that a pool pays: A and B, and C too
// if the pool wants it. Without groups everybody is.
func (c *cohort) has(pool Pool, uid subnet.UID) bool {
	if c == nil {
		return true
	}
	return slices.Contains(c.A, uid) || slices.Contains(c.B, uid) || pool.GroupC && slices.Contains(c.C, uid)
}
