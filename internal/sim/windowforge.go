package sim

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"adit/internal/protocol/templar"
	"adit/internal/subnet"
	"adit/internal/tensor"
	"adit/internal/torchfile"
)

// WindowForgers are miners that do all as the rules have it, but that their bucket has
// something else in place of what they learned:
//
//   - duplicates: places of its values stand twice
//   - huge: values times a number near the largest
//   - flipped: one bit in the middle is another
//   - code: is a .pt that runs a program when it is read
//   - bomb: is a .pt that a few kilobytes blow up to a hundred megabytes
//   - declares: the store says that it is 100 GB
var WindowForgers = []string{"duplicates", "huge", "flipped", "code", "bomb", "declares"}

// forgeable says whether an object is what a miner has learned.
func forgeable(key string) bool {
	return strings.HasPrefix(key, "gradient-") || strings.HasPrefix(key, "delta-") || strings.HasPrefix(key, "state-")
}

// A spoiltBucket uploads other bytes than it is given.
type spoiltBucket struct {
	subnet.Bucket
	kind string
}

func (b spoiltBucket) Put(ctx context.Context, key string, f subnet.File, once bool) (subnet.Object, error) {
	if !forgeable(key) {
		return b.Bucket.Put(ctx, key, f, once)
	}
	data := make([]byte, f.Size())
	if n, err := f.ReadAt(data, 0); n < len(data) {
		return subnet.Object{}, err
	}
	data, err := forgeWindow(b.kind, data)
	if err != nil {
		return subnet.Object{}, err
	}
	return b.Bucket.Put(ctx, key, namedFile{memoryFile{bytes.NewReader(data)}, key}, once)
}

func forgeWindow(kind string, data []byte) ([]byte, error) {
	switch kind {
	case "code", "bomb":
		return forgeries[kind](), nil
	case "flipped":
		data[len(data)/2] ^= 0x10
		return data, nil
	case "declares":
		return data, nil // which the store tells otherwise
	}
	v, err := torchfile.Decode(bytes.NewReader(data), int64(len(data)), maxFile)
	if err != nil { // no file of torch's: our messages are not read without their schema
		for i := len(data) / 4; i < len(data)/2; i++ {
			data[i] = 0xff
		}
		return data, nil
	}
	spoilTensors(v, kind)
	var out bytes.Buffer
	if err := torchfile.Encode(&out, v); err != nil {
		return nil, fmt.Errorf("forge: %w", err)
	}
	return out.Bytes(), nil
}

// spoilTensors changes the numbers of what was read of a torch file.
func spoilTensors(v any, kind string) {
	switch v := v.(type) {
	case *torchfile.Dict:
		for _, it := range v.Items {
			spoilTensors(it.Value, kind)
		}
	case torchfile.Tuple:
		for _, x := range v {
			spoilTensors(x, kind)
		}
	case []any:
		for _, x := range v {
			spoilTensors(x, kind)
		}
	case tensor.Tensor:
		switch {
		case kind == "duplicates" && v.DType == tensor.U8 && len(v.Data) >= 6:
			copy(v.Data[3:6], v.Data[:3]) // indices of twelve bits: the first two again
		case kind == "huge" && v.DType == tensor.F32:
			for i := 0; i+4 <= len(v.Data); i += 4 {
				v.Data[i+3], v.Data[i+2] = v.Data[i+3]&0x80|0x7e, 0xff
			}
		}
	}
}

// forgeWindows makes a miner's services a forger's. Those of its own bucket alone: it
// reads as everybody does.
func forgeWindows(env *subnet.Env, kind, own string) {
	open := env.Bucket
	env.Bucket = func(a subnet.BucketAddress) (subnet.Bucket, error) {
		b, err := open(a)
		if a.Name != own {
			return b, err
		}
		return spoiltBucket{b, kind}, err
	}
}

// refusedByRules are the cheats that no generation may pay anything: what they send is
// refused before it is looked at. Of the others the rules of a generation decide:
// noise and copies are scored like any other, and may be worth something to a rule
// that does not look for them, but never more than the best honest miner is.
func refusedByRules(r templar.Rules, n *Neuron) bool {
	switch n.Cheat {
	case "nan", "shape", "late":
		return true
	}
	switch n.Forger {
	case "duplicates":
		// Slices have no indices to send; in the generation of gradients a place that
		// stands twice makes the message refused.
		return r.Scheme == templar.GradientScheme
	case "flipped":
		// Nothing but a seal tells it from what was learned; what is too far off is
		// refused, and else it counts as it is.
		return r.Message == templar.Compact
	case "":
		return false
	}
	return true
}
