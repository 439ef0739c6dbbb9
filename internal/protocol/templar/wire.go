package templar

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"adit/internal/subnet"
)

// The parts of a commitment to a bucket and its keys, in characters.
const (
	accountLen = 32
	accessLen  = 32
	secretLen  = 64
	// commitmentLen is the longest commitment that the chain keeps.
	commitmentLen = accountLen + accessLen + secretLen
)

// CommitmentText returns what a neuron commits to on chain, of the keys with which
// its bucket may be read. They are public from then on.
func (r Rules) CommitmentText(a subnet.BucketAddress) (string, error) {
	text := a.Name
	if r.Commitment == BucketKeys {
		text = a.Name + a.AccessKey + a.SecretKey
		if len(a.Name) != accountLen || len(a.AccessKey) != accessLen || len(a.SecretKey) != secretLen {
			return "", subnet.WithHint(fmt.Errorf("commit to bucket %q: names and keys of %d, %d and %d characters, want %d, %d and %d",
				a.Name, len(a.Name), len(a.AccessKey), len(a.SecretKey), accountLen, accessLen, secretLen),
				"the bucket is named as its account is, by 32 hexadecimal digits; the keys must be those of an R2 token")
		}
	}
	if _, err := r.ParseCommitment(text); err != nil {
		return "", fmt.Errorf("commit to bucket %q: %w", a.Name, err)
	}
	return text, nil
}

// ParseCommitment reads what a neuron has committed to: where its bucket is, and
// with which keys it is opened. Of a bucket's name alone these are the reader's own,
// and left out.
//
// Unlike upstream, keys of other characters than letters and digits are refused:
// they go into the header of a request.
func (r Rules) ParseCommitment(text string) (subnet.BucketAddress, error) {
	a := subnet.BucketAddress{Region: r.Region}
	if r.Commitment == BucketName {
		a.Name = text
	} else {
		if len(text) != commitmentLen {
			return a, fmt.Errorf("commitment of %d characters, want %d", len(text), commitmentLen)
		}
		if strings.Trim(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			return a, errors.New("commitment with characters that no account nor key has")
		}
		a.Name, a.AccessKey, a.SecretKey = text[:accountLen], text[accountLen:accountLen+accessLen], text[accountLen+accessLen:]
	}
	if !isBucketName(a.Name) {
		return subnet.BucketAddress{}, fmt.Errorf("commitment to %.140q, which is no name of a bucket", a.Name)
	}
	a.Endpoint = r.endpoint(a.Name)
	return a, nil
}

func (r Rules) endpoint(account string) string {
	return strings.ReplaceAll(r.Endpoint, "{account}", account)
}

// isBucketName says whether s is a name that S3 gives to buckets: 3 to 63 lower-case
// letters, digits, dashes and points.
func isBucketName(s string) bool {
	if len(s) < 3 || len(s) > 63 || strings.Contains(s, "..") || strings.Contains(s, ".-") || strings.Contains(s, "-.") {
		return false
	}
	for i, c := range []byte(s) {
		digit := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !digit && (i == 0 || i == len(s)-1 || c != '-' && c != '.') {
			return false
		}
	}
	return true
}

// MaxJSON is how large the network's JSON objects may be.
const MaxJSON = 1 << 20

// PeerList says whose gradients are gathered from some window on.
type PeerList struct {
	Peers   []subnet.UID `json:"peers"`
	Reserve []subnet.UID `json:"reserve_peers"`
	Initial bool         `json:"initial_selection"`
	Sync    Window       `json:"sync_window"` // in which it was chosen
	FirstIn Window       `json:"first_effective_window"`
}

// maxPeers is how many uids a list may have.
const maxPeers = 4096

// ParsePeers reads a list of peers. A uid may stand in it once.
func ParsePeers(data []byte) (PeerList, error) {
	var wire struct {
		Peers   *[]subnet.UID `json:"peers"`
		Reserve []subnet.UID  `json:"reserve_peers"`
		Initial bool          `json:"initial_selection"`
		Sync    Window        `json:"sync_window"`
		FirstIn *Window       `json:"first_effective_window"`
	}
	if err := parseJSON(data, &wire); err != nil {
		return PeerList{}, fmt.Errorf("peers: %w", err)
	}
	if wire.Peers == nil || wire.FirstIn == nil {
		return PeerList{}, errors.New("peers: want peers and first_effective_window")
	}
	p := PeerList{*wire.Peers, wire.Reserve, wire.Initial, wire.Sync, *wire.FirstIn}
	if n := len(p.Peers) + len(p.Reserve); n > maxPeers {
		return PeerList{}, fmt.Errorf("peers: %d of them, want at most %d", n, maxPeers)
	}
	seen := make(map[subnet.UID]bool)
	for _, list := range [][]subnet.UID{p.Peers, p.Reserve} {
		for _, uid := range list {
			if seen[uid] {
				return PeerList{}, fmt.Errorf("peers: uid %d stands twice", uid)
			}
			seen[uid] = true
		}
	}
	return p, nil
}

// StartWindow is the window in which the version's run began.
type StartWindow struct {
	Start *Window `json:"start_window"`
}

// ParseStartWindow reads the object of that name.
func ParseStartWindow(data []byte) (Window, error) {
	var s StartWindow
	if err := parseJSON(data, &s); err != nil {
		return 0, fmt.Errorf("start window: %w", err)
	}
	if s.Start == nil {
		return 0, errors.New("start window: want start_window")
	}
	return *s.Start, nil
}

// LatestCheckpoint says which checkpoint is the newest.
type LatestCheckpoint struct {
	Window *Window `json:"latest_window"`
}

// ParseLatest reads checkpoints/{version}/_LATEST.json.
func ParseLatest(data []byte) (Window, error) {
	var l LatestCheckpoint
	if err := parseJSON(data, &l); err != nil {
		return 0, fmt.Errorf("latest checkpoint: %w", err)
	}
	if l.Window == nil {
		return 0, errors.New("latest checkpoint: want latest_window")
	}
	return *l.Window, nil
}

// ExtraMetadata is what lies beside a checkpoint.
type ExtraMetadata struct {
	Version    string     `json:"version"`
	Window     Window     `json:"window"`
	SyncWindow Window     `json:"sync_window"`
	GlobalStep int64      `json:"global_step"`
	WorldSize  int        `json:"world_size_at_save"`
	Topology   string     `json:"topology"` // FSDP
	UID        subnet.UID `json:"uid"`
	// Model is the SHA-256 of [CheckpointModel] in hexadecimal; "" in upstream's.
	Model string `json:"model_sha256,omitempty"`
}

// ParseExtra reads extra_metadata.json.
func ParseExtra(data []byte) (ExtraMetadata, error) {
	var m ExtraMetadata
	if err := parseJSON(data, &m); err != nil {
		return ExtraMetadata{}, fmt.Errorf("checkpoint metadata: %w", err)
	}
	if !isVersion(m.Version) || m.GlobalStep < 0 || m.WorldSize < 0 || m.WorldSize > 1<<16 || len(m.Topology) > 64 {
		return ExtraMetadata{}, fmt.Errorf("checkpoint metadata: version %.40q, step %d, %d ranks", m.Version, m.GlobalStep, m.WorldSize)
	}
	return m, nil
}

// Whole says whether a checkpoint's files are all there: a part of each rank that
// saved it, what says where in them the tensors are, and the metadata.
func (m ExtraMetadata) Whole(files []string) bool {
	ranks, index, extra := make(map[int]bool), false, false
	for _, name := range files {
		index = index || name == CheckpointIndex
		extra = extra || name == CheckpointExtra
		if rank, _, ok := ParseCheckpointPart(name); ok && rank < m.WorldSize {
			ranks[rank] = true
		}
	}
	return index && extra && len(ranks) == max(m.WorldSize, 1)
}

// parseJSON reads one value and nothing behind it.
func parseJSON(data []byte, v any) error {
	if len(data) > MaxJSON {
		return fmt.Errorf("%d bytes, want at most %d", len(data), MaxJSON)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something stands behind the value")
	}
	return nil
}
