package connito

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"adit/internal/keys"
	"adit/internal/subnet"
)

// An Encoding is how a signature is written.
type Encoding int

const (
	// Base64URL is without padding: 86 characters.
	Base64URL Encoding = iota
	// Hex is 128 digits, in the HTTP messages of G0.
	Hex
)

func (e Encoding) encode(sig []byte) string {
	if e == Hex {
		return hex.EncodeToString(sig)
	}
	return base64.RawURLEncoding.EncodeToString(sig)
}

// decode reads a signature of 64 bytes; padding and "0x" are forgiven.
func (e Encoding) decode(s string) ([]byte, error) {
	var sig []byte
	var err error
	if e == Hex {
		sig, err = hex.DecodeString(strings.TrimPrefix(s, "0x"))
	} else {
		sig, err = base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
	}
	if err != nil || len(sig) != 64 {
		return nil, fmt.Errorf("malformed signature %.100q", s)
	}
	return sig, nil
}

// blockMessage is what the sender of an HTTP request signs: for whom it is, and
// the block at which it was made, in 40 bytes.
func blockMessage(target subnet.Hotkey, origin subnet.Block) ([]byte, error) {
	key, err := keys.ParseAddress(string(target))
	if err != nil {
		return nil, fmt.Errorf("target hotkey: %w", err)
	}
	return binary.BigEndian.AppendUint64(key[:], uint64(origin)), nil
}

// decodeHex reads exactly size bytes of hexadecimal digits.
func decodeHex(s string, size int) ([]byte, error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != size {
		return nil, fmt.Errorf("%.100q is not %d bytes of hexadecimal digits", s, size)
	}
	return b, nil
}

// submitMessage is what the sender of a model signs: its hash, and then the block
// message, in 64 bytes.
func submitMessage(hash string, block []byte) ([]byte, error) {
	sum, err := decodeHex(hash, hashSize)
	if err != nil {
		return nil, fmt.Errorf("model hash: %w", err)
	}
	if len(block) != 40 {
		return nil, fmt.Errorf("block message of %d bytes, want 40", len(block))
	}
	return append(sum, block...), nil
}

// A downloadRequest asks a validator's checkpoint server for a model.
type downloadRequest struct {
	Target, Origin subnet.Hotkey
	OriginBlock    subnet.Block
	Signature      string
	Shard          string // an expert group's number, "shared", or "" for the whole model
}

// form returns the request as the fields of the form. Upstream sends it as the
// body of a GET request.
func (r Rules) form(d downloadRequest) url.Values {
	v := url.Values{
		"target_hotkey_ss58":         {string(d.Target)},
		"origin_hotkey_ss58":         {string(d.Origin)},
		r.blockField("origin_block"): {strconv.FormatUint(uint64(d.OriginBlock), 10)},
		"signature":                  {d.Signature},
	}
	if d.Shard != "" {
		v.Set("expert_group_id", d.Shard)
	}
	return v
}

// blockField is what G0 calls the block of a request.
func (r Rules) blockField(name string) string {
	if r.OldService {
		return "block"
	}
	return name
}

// maxForm is the longest form of a download that is read.
const maxForm = 4096

// parseDownload reads the form of a download from the request's body and from its
// query; the body, where upstream's client puts it, goes first. The error is of
// status 422.
func parseDownload(body string, query url.Values) (downloadRequest, error) {
	if len(body) > maxForm {
		return downloadRequest{}, fmt.Errorf("form of %d bytes, want at most %d", len(body), maxForm)
	}
	form, err := url.ParseQuery(body)
	if err != nil {
		return downloadRequest{}, fmt.Errorf("form: %w", err)
	}
	get := func(names ...string) string {
		for _, from := range []url.Values{form, query} {
			for _, name := range names {
				if v := from.Get(name); v != "" {
					return v
				}
			}
		}
		return ""
	}
	d := downloadRequest{
		Target: subnet.Hotkey(get("target_hotkey_ss58")), Origin: subnet.Hotkey(get("origin_hotkey_ss58")),
		Signature: get("signature"), Shard: get("expert_group_id"),
	}
	block, err := strconv.ParseUint(get("origin_block", "block"), 10, 63)
	if err != nil {
		return downloadRequest{}, fmt.Errorf("origin_block: %w", err)
	}
	d.OriginBlock = subnet.Block(block)
	if d.Target == "" || d.Origin == "" || d.Signature == "" {
		return downloadRequest{}, fmt.Errorf("form: target_hotkey_ss58, origin_hotkey_ss58 and signature are required")
	}
	if d.Shard != "" && d.Shard != "shared" {
		group, err := strconv.Atoi(d.Shard)
		if err != nil || group < 0 {
			return downloadRequest{}, fmt.Errorf("expert_group_id: want a number or shared, not %.40q", d.Shard)
		}
		d.Shard = strconv.Itoa(group)
	}
	return d, nil
}

// file returns the name of the file that is asked for.
func (d downloadRequest) file(f subnet.Format) string {
	switch d.Shard {
	case "":
		return "model." + string(f)
	case "shared":
		return "model_shared." + string(f)
	}
	return "model_expgroup_" + d.Shard + "." + string(f)
}

// A submitRequest is what comes with a model, apart from the file's content.
type submitRequest struct {
	Target, Origin subnet.Hotkey
	OriginBlock    subnet.Block
	Signature      string
	ModelHex       string // the hash
	BlockHex       string // the block message
	File           string // name of the file
}

// sealed returns the fields of a submission but for the signature, and the
// message to sign. In G0 the hash is neither told nor signed.
func (r Rules) sealed(target, origin subnet.Hotkey, at subnet.Block, hash, file string) (submitRequest, []byte, error) {
	block, err := blockMessage(target, at)
	if err != nil {
		return submitRequest{}, nil, err
	}
	s := submitRequest{Target: target, Origin: origin, OriginBlock: at, ModelHex: hash, BlockHex: hex.EncodeToString(block), File: file}
	if r.OldService {
		s.ModelHex, s.BlockHex = "", ""
		return s, block, nil
	}
	msg, err := submitMessage(hash, block)
	return s, msg, err
}

// form returns the text fields of a submission's multipart body, in order.
func (s submitRequest) form(r Rules) [][2]string {
	list := [][2]string{
		{"target_hotkey_ss58", string(s.Target)}, {"origin_hotkey_ss58", string(s.Origin)},
		{r.blockField("origin_block"), strconv.FormatUint(uint64(s.OriginBlock), 10)}, {"signature", s.Signature},
	}
	if s.ModelHex != "" {
		list = append(list, [2]string{"model_hex", s.ModelHex}, [2]string{"block_hex", s.BlockHex})
	}
	return list
}

// parseSubmit reads the text fields of a submission. The error is of status 422.
func parseSubmit(get func(name string) string, file string) (submitRequest, error) {
	s := submitRequest{
		Target: subnet.Hotkey(get("target_hotkey_ss58")), Origin: subnet.Hotkey(get("origin_hotkey_ss58")),
		Signature: get("signature"), ModelHex: get("model_hex"), BlockHex: get("block_hex"), File: file,
	}
	at := get("origin_block")
	if at == "" {
		at = get("block")
	}
	block, err := strconv.ParseUint(at, 10, 63)
	if err != nil {
		return submitRequest{}, fmt.Errorf("origin_block: %w", err)
	}
	s.OriginBlock = subnet.Block(block)
	if s.Target == "" || s.Origin == "" || s.Signature == "" || s.File == "" {
		return submitRequest{}, fmt.Errorf("form: target_hotkey_ss58, origin_hotkey_ss58, signature and file are required")
	}
	return s, nil
}

// destination returns where a miner posts its model to, or why nowhere.
func destination(validator subnet.Neuron) (netip.AddrPort, error) {
	switch a := validator.Axon; {
	case !a.IsValid() || a.Addr().IsUnspecified():
		return netip.AddrPort{}, fmt.Errorf("validator %s serves no address", validator.Hotkey)
	case a.Port() == 0:
		return netip.AddrPort{}, fmt.Errorf("validator %s serves no port", validator.Hotkey)
	default:
		return a, nil
	}
}
