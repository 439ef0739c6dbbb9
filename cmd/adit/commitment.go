package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"adit/internal/keys"
	"adit/internal/subnet"
	"adit/internal/subtensor"
)

// CommitmentCommand is about what neurons write on the chain.
type CommitmentCommand struct {
	Get CommitmentGetCommand `cmd:"" default:"withargs" help:"Show what neurons have committed."`
	Set CommitmentSetCommand `cmd:"" help:"Commit a text or a file."`
}

// CommitmentSetCommand commits.
type CommitmentSetCommand struct {
	actorFlags
	Texts []string `arg:"" optional:"" name:"text" help:"What is to be committed: up to three fields of 512 bytes."`
	File  []string `sep:"none" placeholder:"FILE" help:"A file that is a field, as it is; - is standard input. It comes after the texts."`
	Lock  uint64   `placeholder:"BLOCKS" help:"Encrypt the fields. The chain decrypts them after about so many blocks."`
}

// Help shows examples.
func (CommitmentSetCommand) Help() string {
	return `Writes on the chain what everybody can read, in the place of what the hotkey
committed on this subnet before. The hotkey signs, and there is no fee, but a limit of
bytes in an epoch, which you are shown.

Examples:
  adit commitment set --netuid 1 "some/model:1a2b3c"
  adit commitment set --netuid 1 --file commitment.json
  adit commitment set --netuid 1 "first field" "second field" --lock 100`
}

// maxCommitted is the longest field, in bytes.
const maxCommitted = 512

// maxLockedText is the longest field that fits once it is encrypted.
const maxLockedText = 780

// read returns the fields.
func (c CommitmentSetCommand) read(t terminal) ([][]byte, error) {
	limit := maxCommitted
	if c.Lock > 0 {
		limit = maxLockedText
	}
	var out [][]byte
	for _, text := range c.Texts {
		out = append(out, []byte(text))
	}
	for _, name := range c.File {
		r := t.in
		if name != "-" {
			f, err := os.Open(name)
			if err != nil {
				return nil, err
			}
			defer f.Close()
			r = f
		}
		b, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		out = append(out, b)
	}
	if len(out) == 0 {
		return nil, subnet.WithHint(errors.New("what is to be committed?"), "name a text, or --file")
	}
	for i, b := range out {
		if len(b) > limit {
			return nil, subnet.WithHint(fmt.Errorf("field %d is longer than the %d bytes that fit", i+1, limit), "commit its hash, or where it is to be found; or part it into up to three fields")
		}
	}
	if len(out) > 3 {
		return nil, fmt.Errorf("%d fields: a commitment has three at most", len(out))
	}
	return out, nil
}

// fields returns the fields as they are committed, and the round of the beacon in
// which the chain decrypts them, 0 if they are not encrypted.
func (c CommitmentSetCommand) fields(ctx context.Context, client *subtensor.Client, texts [][]byte) (fields []subtensor.Field, round uint64, err error) {
	for _, b := range texts {
		f := subtensor.BytesField(b)
		if c.Lock > 0 {
			if f, err = client.Lock(ctx, b, c.Lock); err != nil {
				return nil, 0, err
			}
			round = f.Round
		}
		fields = append(fields, f)
	}
	return fields, round, nil
}

// A committedResult is what became of a commitment.
type committedResult struct {
	Netuid uint16   `json:"netuid"`
	Hotkey string   `json:"hotkey"`
	Fields []string `json:"fields"`
	Round  uint64   `json:"reveal_round,omitempty"`
	Space  uint64   `json:"space"` // bytes that it counts for
	Left   uint64   `json:"space_left"`
}

// Run commits.
func (c CommitmentSetCommand) Run(ctx context.Context, t terminal) error {
	texts, err := c.read(t)
	if err != nil {
		return err
	}
	a, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer a.client.Close()
	if err := a.registered(ctx); err != nil {
		return err
	}
	fields, round, err := c.fields(ctx, a.client, texts)
	if err != nil {
		return err
	}
	used, limit, err := a.CommitmentSpace(ctx, a.netuid, a.who)
	if err != nil {
		return err
	}
	takes, left := subtensor.Space(fields...), limit-min(limit, used)
	if takes > left {
		return subnet.WithHint(fmt.Errorf("it takes %d bytes, and in this epoch the hotkey may commit %d more of %d", takes, left, limit), "wait for the subnet's next epoch, or commit less: where it is to be found, or its hash")
	}
	call, err := subtensor.SetCommitment(a.netuid, fields...)
	if err != nil {
		return err
	}
	result := committedResult{uint16(a.netuid), keys.Address(a.who), nil, round, takes, left - takes}
	told := [][2]string{{"subnet", fmt.Sprint(a.netuid)}, {"neuron", result.Hotkey}}
	for i, b := range texts {
		result.Fields = append(result.Fields, dataText(b))
		told = append(told, [2]string{fmt.Sprint("field ", i+1), dataText(b)})
	}
	if c.Lock > 0 {
		told = append(told, [2]string{"locked", fmt.Sprintf("for about %s, until drand round %d", counted(int(c.Lock), "block"), round)})
	}
	told = append(told, [2]string{"space", fmt.Sprintf("%d bytes; %d of %d are left in this epoch after it", takes, left-takes, limit)})
	r, err := c.deal(ctx, t, a.client, deal{signer: a.files, call: call, title: "commit", told: told,
		ready: func(ctx context.Context) (subtensor.Call, error) {
			if c.Lock == 0 {
				return call, nil
			}
			if fields, result.Round, err = c.fields(ctx, a.client, texts); err != nil {
				return subtensor.Call{}, err
			}
			return subtensor.SetCommitment(a.netuid, fields...)
		}})
	if err != nil {
		return err
	}
	r.Message = fmt.Sprintf("Committed %s on subnet %d", counted(len(fields), "field"), a.netuid)
	return c.print(t, r, &result, [2]string{"space left", fmt.Sprintf("%d of %d bytes in this epoch", result.Left, limit)})
}

// dataText is bytes as the text that they are, or in hexadecimal digits.
func dataText(b []byte) string {
	if utf8.Valid(b) && !strings.ContainsFunc(string(b), func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' && r != '\t' }) {
		return string(b)
	}
	return fmt.Sprintf("0x%x", b)
}
