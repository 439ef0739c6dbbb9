package chainnode

// watchers are those who want to hear of new heads. They are guarded by the
// node.
type watchers struct {
	next  int
	heads map[int]func(header)
}

func (w *watchers) add(f func(header)) int {
	if w.heads == nil {
		w.heads = make(map[int]func(header))
	}
	w.next++
	w.heads[w.next] = f
	return w.next
}

func (w *watchers) head(h header) {
	for _, f := range w.heads {
		f(h)
	}
}
