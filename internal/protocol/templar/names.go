package templar

import (
	"fmt"
	"strconv"
	"strings"

	"adit/internal/keys"
	"adit/internal/subnet"
)

// A Kind is what an object is.
type Kind int

// The kinds of objects, by the generations that have them.
const (
	StateObject           Kind = iota // slices, r2: θ at the places of a window about to begin
	DeltaObject                       // slices, r2: θ at the places of a window, after its step
	SliceCheckpointObject             // r2
	GradientObject                    // sparse, and all that follow
	DebugObject
	AggregatorObject
	PeersObject
	StartWindowObject
	ValidatorStateObject
	CheckpointObject       // one file of a checkpoint
	LatestCheckpointObject // says which is the newest
)

// A Name is the key of an object, taken apart. Which fields count depends on the
// kind.
type Name struct {
	Kind    Kind
	Window  Window
	UID     subnet.UID
	Hotkey  subnet.Hotkey
	Block   subnet.Block // of a checkpoint of r2
	Version string
	File    string // of a checkpoint
}

// String returns the key.
func (n Name) String() string {
	switch n.Kind {
	case StateObject, DeltaObject:
		return fmt.Sprintf("%s-%d-%s%s.pt", n.word(), n.Window, n.Hotkey, suffix("-v", n.Version))
	case SliceCheckpointObject:
		return fmt.Sprintf("neuron_checkpoint_%s_b%d_v%s.pth", n.Hotkey, n.Block, n.Version)
	case GradientObject, DebugObject:
		return fmt.Sprintf("%s-%d-%d-v%s.pt", n.word(), n.Window, n.UID, n.Version)
	case AggregatorObject:
		return fmt.Sprintf("aggregator-%d-v%s.pt", n.Window, n.Version)
	case PeersObject:
		return fmt.Sprintf("peers_%d_v%s.json", n.Window, n.Version)
	case StartWindowObject:
		return fmt.Sprintf("start_window_v%s.json", n.Version)
	case ValidatorStateObject:
		return fmt.Sprintf("validator-state-%s.pt", n.Version)
	case CheckpointObject:
		return fmt.Sprintf("checkpoints/%s/%d/%s", n.Version, n.Window, n.File)
	case LatestCheckpointObject:
		return fmt.Sprintf("checkpoints/%s/_LATEST.json", n.Version)
	}
	panic("templar: an object of no kind")
}

func suffix(before, s string) string {
	if s == "" {
		return ""
	}
	return before + s
}

var kindWords = map[Kind]string{StateObject: "state", DeltaObject: "delta", GradientObject: "gradient", DebugObject: "debug", AggregatorObject: "aggregator"}

func (n Name) word() string { return kindWords[n.Kind] }

// Prefix returns what the keys of a kind begin with in a window, to list them by.
//
// Unlike upstream's, it ends with the dash, so that window 14 is not listed with
// window 1.
func Prefix(kind Kind, w Window) string { return fmt.Sprintf("%s-%d-", kindWords[kind], w) }

// ParseName takes the key of an object apart. Only what [Name.String] writes is
// taken, byte for byte: two keys never mean the same object.
func ParseName(key string) (Name, error) {
	n, ok := parseName(key)
	if !ok || n.String() != key {
		return Name{}, fmt.Errorf("%.200q is no object of this network", key)
	}
	return n, nil
}

const maxKey = 300

func parseName(key string) (n Name, ok bool) {
	if len(key) > maxKey {
		return n, false
	}
	if rest, is := strings.CutPrefix(key, "checkpoints/"); is {
		return parseCheckpoint(rest)
	}
	if rest, is := strings.CutPrefix(key, "neuron_checkpoint_"); is {
		rest, is = strings.CutSuffix(rest, ".pth")
		hotkey, rest, cut := strings.Cut(rest, "_b")
		block, version, also := strings.Cut(rest, "_v")
		b, err := strconv.ParseUint(block, 10, 63)
		n = Name{Kind: SliceCheckpointObject, Hotkey: subnet.Hotkey(hotkey), Block: subnet.Block(b), Version: version}
		return n, is && cut && also && err == nil && isHotkey(hotkey) && isVersion(version)
	}
	if rest, is := strings.CutPrefix(key, "peers_"); is {
		rest, is = strings.CutSuffix(rest, ".json")
		window, version, cut := strings.Cut(rest, "_v")
		w, good := parseWindow(window)
		return Name{Kind: PeersObject, Window: w, Version: version}, is && cut && good && isVersion(version)
	}
	if rest, is := strings.CutPrefix(key, "start_window_v"); is {
		version, is := strings.CutSuffix(rest, ".json")
		return Name{Kind: StartWindowObject, Version: version}, is && isVersion(version)
	}
	stem, is := strings.CutSuffix(key, ".pt")
	if !is {
		return n, false
	}
	if version, is := strings.CutPrefix(stem, "validator-state-"); is {
		return Name{Kind: ValidatorStateObject, Version: version}, isVersion(version)
	}
	word, rest, _ := strings.Cut(stem, "-")
	window, rest, more := strings.Cut(rest, "-")
	w, good := parseWindow(window)
	if !good || !more {
		return n, false
	}
	switch word {
	case "aggregator":
		version, is := strings.CutPrefix(rest, "v")
		return Name{Kind: AggregatorObject, Window: w, Version: version}, is && isVersion(version)
	case "gradient", "debug":
		kind := GradientObject
		if word == "debug" {
			kind = DebugObject
		}
		number, version, cut := strings.Cut(rest, "-v")
		uid, err := strconv.ParseUint(number, 10, 16)
		return Name{Kind: kind, Window: w, UID: subnet.UID(uid), Version: version}, cut && err == nil && isVersion(version)
	case "state", "delta":
		kind := StateObject
		if word == "delta" {
			kind = DeltaObject
		}
		hotkey, version, versioned := strings.Cut(rest, "-v")
		n = Name{Kind: kind, Window: w, Hotkey: subnet.Hotkey(hotkey), Version: version}
		return n, isHotkey(hotkey) && (!versioned || isVersion(version))
	}
	return n, false
}

func parseCheckpoint(rest string) (n Name, ok bool) {
	version, rest, cut := strings.Cut(rest, "/")
	if !cut || !isVersion(version) {
		return n, false
	}
	if rest == "_LATEST.json" {
		return Name{Kind: LatestCheckpointObject, Version: version}, true
	}
	window, file, cut := strings.Cut(rest, "/")
	w, good := parseWindow(window)
	n = Name{Kind: CheckpointObject, Version: version, Window: w, File: file}
	return n, cut && good && isFile(file)
}

// isVersion says whether s is a version such as 0.1.33: words between points, all
// but the first of which begin with a digit, as ".pt" does not. There is no dash in
// it, nor an underscore, which part the words of names.
func isVersion(s string) bool {
	if len(s) > 32 || strings.Trim(s, "0123456789abcdefghijklmnopqrstuvwxyz.+") != "" {
		return false
	}
	for i, word := range strings.Split(s, ".") {
		if word == "" || i > 0 && (word[0] < '0' || word[0] > '9') {
			return false
		}
	}
	return true
}

// isFile says whether s is a name without directories of a checkpoint's file.
func isFile(s string) bool {
	return s != "" && len(s) <= 128 && s != "." && s != ".." && strings.Trim(s, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-") == ""
}

func isHotkey(s string) bool {
	if len(s) > 64 {
		return false
	}
	_, err := keys.ParseAddress(s)
	return err == nil
}

func parseWindow(s string) (Window, bool) {
	v, err := strconv.ParseUint(s, 10, 62)
	return Window(v), err == nil
}

// The files of a checkpoint besides its parts.
const (
	CheckpointIndex = ".metadata"
	CheckpointExtra = "extra_metadata.json"
	// CheckpointModel holds the parameters in the checkpoints that we write.
	CheckpointModel = "model.safetensors"
)

// CheckpointPart returns the name of one rank's part of a checkpoint.
func CheckpointPart(rank, number int) string { return fmt.Sprintf("__%d_%d.distcp", rank, number) }

// ParseCheckpointPart takes such a name apart. A rank may own several parts.
func ParseCheckpointPart(name string) (rank, number int, ok bool) {
	rest, is := strings.CutPrefix(name, "__")
	rest, also := strings.CutSuffix(rest, ".distcp")
	a, b, cut := strings.Cut(rest, "_")
	x, err := strconv.ParseUint(a, 10, 16)
	y, err2 := strconv.ParseUint(b, 10, 16)
	rank, number = int(x), int(y)
	return rank, number, is && also && cut && err == nil && err2 == nil && CheckpointPart(rank, number) == name
}
