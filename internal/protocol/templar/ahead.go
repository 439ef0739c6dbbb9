package templar

// isTable says whether a parameter has a row for each token, by its name in torchtitan
// or transformers.
func isTable(name string) bool {
	switch name {
	case hfEmbed, titanEmbed, hfHead, titanHead:
		return true
	}
	return false
}

// AheadOf returns [Rules.Ahead] of a parameter.
func (r Rules) AheadOf(name string) float64 {
	if isTable(name) {
		return r.AheadTables
	}
	return r.Ahead
}

// goesAhead says whether miners do not begin a window with the network's model.
func (r Rules) goesAhead() bool { return r.Ahead > 0 || r.AheadTables > 0 }

// GoAhead sets unsaid, what a miner has not said of a parameter, to where it begins a
// window: at theta, the network's, less a share of it.
func GoAhead(unsaid, theta []float32, share float64) {
	s := float32(share)
	for i, v := range unsaid {
		unsaid[i] = theta[i] - float32(s*v)
	}
}
