package scale

import "fmt"

// An Event is one entry of System.Events: something that happened in a block.
type Event struct {
	// Extrinsic is the position in the block of the extrinsic that did it, or
	// -1 if the block itself did, before or after all extrinsics.
	Extrinsic int
	Pallet    string
	Name      string
	Variant   // the event with its fields
}

// String returns such as "System.ExtrinsicSuccess".
func (e Event) String() string { return e.Pallet + "." + e.Name }

// DecodeEvents reads the value of System.Events.
func (m *Metadata) DecodeEvents(b []byte) ([]Event, error) {
	v, err := m.DecodeStorage("System", "Events", b)
	if err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("System.Events is %T, not a list", v)
	}
	events := make([]Event, 0, len(list))
	for i, x := range list {
		record, _ := x.(map[string]any)
		phase, ok1 := record["phase"].(Variant)
		outer, ok2 := record["event"].(Variant)
		inner, ok3 := outer.At(0).(Variant)
		if !ok1 || !ok2 || !ok3 {
			return nil, fmt.Errorf("event %d has not the shape of an event", i)
		}
		e := Event{Extrinsic: -1, Pallet: outer.Name, Name: inner.Name, Variant: inner}
		if n, ok := phase.At(0).(uint64); ok && phase.Name == "ApplyExtrinsic" {
			e.Extrinsic = int(n)
		}
		events = append(events, e)
	}
	return events, nil
}
