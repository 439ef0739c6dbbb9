package connito

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	"adit/internal/subnet"
)

// postedFile returns the file that a miner left with the checkpoint server in a
// cycle's Submission phase, or false. It was checked when it came.
func (n *neuron) postedFile(cycle uint64, who subnet.Hotkey) (string, bool) {
	names, err := n.Dir.List(submissionDir)
	if err != nil {
		return "", false
	}
	s := n.rules.Schedule
	// What has no ending is the directory of a model from the Hub.
	names = slices.DeleteFunc(names, func(name string) bool { return path.Ext(name) == "" })
	at := submittedIn(names, who, s.Start(cycle, Submission), s.End(cycle, Submission))
	for _, name := range names {
		if hotkey, block, ok := parseSubmission(name); ok && at > 0 && hotkey == who && block == at {
			return submissionDir + "/" + name, true
		}
	}
	return "", false
}

// comes says whether there is no point in waiting for a submission: it is here, or
// on the Hub, or can come in no other way.
func (n *neuron) comes(cycle uint64, who subnet.Hotkey, c Commit) bool {
	if !n.rules.direct() || slices.Contains(n.rules.Transports, HubTransport) && c.Repo != "" {
		return true
	}
	_, ok := n.postedFile(cycle, who)
	return ok
}

// obtain returns the file of a submission, from wherever the generation lets it
// come.
func (n *neuron) obtain(ctx context.Context, cycle uint64, g Group, who subnet.Hotkey, committed subnet.Block, c Commit) (string, error) {
	var errs error
	for _, t := range n.rules.Transports {
		switch {
		case t != HubTransport:
			if name, ok := n.postedFile(cycle, who); ok {
				return name, nil
			}
			errs = errors.Join(errs, errors.New("nothing was submitted over HTTP"))
		case c.Repo == "" || c.Revision == "":
			errs = errors.Join(errs, errors.New(noPlace))
		default:
			name, err := n.fetch(ctx, fmt.Sprintf("%s/hotkey_%s_block_%d", submissionDir, who, committed), g, c)
			if err == nil {
				return name, nil
			}
			if errors.As(err, new(*refused)) {
				return "", err // it came, and is not what was committed to
			}
			errs = errors.Join(errs, err)
		}
	}
	return "", errs
}
