package data

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sync/errgroup"

	"adit/internal/subnet"
)

// EncodeOptions says how [Encode] works. The zero value is good.
type EncodeOptions struct {
	// End is the token put after each document, such as the eos_token_id of the
	// model's configuration. nil is the tokenizer's own end of text.
	End *int32
	// Workers is how many documents are encoded at once; 0 is one a core. It
	// does not change the result.
	Workers int
	// Progress hears how many bytes of the files were read, of how many. It is
	// called from one goroutine at a time. Of compressed files only the last
	// call says all.
	Progress func(done, total int64)
}

// Encode writes the tokens of all documents into one packed file, each document
// followed by the token that ends it, as raw uint16 or, for larger vocabularies,
// uint32, and beside it path+".json", which says what the file was made from. A
// file that was made from the same is left as it is. Where Encode returns an
// error, nothing new is there.
//
// The documents are encoded without the tokens that the tokenizer would add to
// the beginning and the end of a prompt; special tokens written out in the text
// become those tokens.
func Encode(ctx context.Context, path string, texts *Texts, tok *Tokenizer, opt EncodeOptions) (TokenInfo, error) {
	info, err := encodeTexts(ctx, path, texts, tok, opt)
	if err != nil {
		return TokenInfo{}, fmt.Errorf("encode %s: %w", texts.Name(), err)
	}
	return info, nil
}

func encodeTexts(ctx context.Context, path string, texts *Texts, tok *Tokenizer, opt EncodeOptions) (info TokenInfo, err error) {
	end := tok.End()
	if opt.End != nil {
		end = *opt.End
	}
	if end < 0 || int(end) >= tok.VocabSize() {
		return info, subnet.WithHint(fmt.Errorf("no token to end a document with: %d is not within the vocabulary of %d", end, tok.VocabSize()),
			"name one, such as the eos_token_id of the model's config.json")
	}
	info = TokenInfo{Version: tokenInfoVersion, Vocab: tok.VocabSize(), Type: typeFor(tok.VocabSize()), End: end,
		Tokenizer: tok.Digest(), Source: texts.Name(), Fingerprint: texts.Fingerprint()}
	if old, ok := usable(path, info); ok {
		return old, nil
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.part")
	if err != nil {
		return info, subnet.WithHint(err, "make its folder, or choose another one")
	}
	defer os.Remove(f.Name()) // gone already if all went well
	sum := sha256.New()
	w := bufio.NewWriterSize(io.MultiWriter(f, sum), 1<<20)
	err = packTexts(ctx, w, texts, tok, opt, &info)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return info, err
	}
	if info.Tokens == 0 {
		return info, subnet.WithHint(errors.New("there is no text"), dataHint)
	}
	info.SHA256 = hex.EncodeToString(sum.Sum(nil))
	// A power cut from here on leaves tokens without a header, which are made
	// again, and never a header beside other tokens.
	if err := os.Remove(path + tokenInfoSuffix); err != nil && !errors.Is(err, os.ErrNotExist) {
		return info, err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return info, err
	}
	return info, info.write(path)
}

// A packJob is some blocks that one goroutine encodes.
type packJob struct {
	blocks []block
	tokens []byte        // as they are written
	ready  chan struct{} // closed when they are there
}

// packTexts writes the tokens of all documents and counts them in info. One
// goroutine reads, some encode, and one writes in the order of the reading; what
// has been read and is not yet written is bounded.
func packTexts(ctx context.Context, w io.Writer, texts *Texts, tok *Tokenizer, opt EncodeOptions, info *TokenInfo) error {
	workers := max(1, cmp.Or(opt.Workers, runtime.GOMAXPROCS(0)))
	todo := make(chan *packJob)
	inOrder := make(chan *packJob, 2*workers)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(todo)
		defer close(inOrder)
		return readJobs(ctx, texts, todo, inOrder)
	})
	for range workers {
		g.Go(func() error {
			var ids []int32
			for j := range todo {
				for _, b := range j.blocks {
					if err := ctx.Err(); err != nil {
						return err
					}
					ids = tok.appendPart(ids[:0], b.text, b.first)
					if b.last {
						ids = append(ids, info.End)
					}
					j.tokens = appendTokens(j.tokens, ids, info.Type)
				}
				close(j.ready)
			}
			return nil
		})
	}
	g.Go(func() error {
		total := texts.Bytes()
		for j := range inOrder {
			select {
			case <-j.ready:
			case <-ctx.Done():
				return ctx.Err()
			}
			if _, err := w.Write(j.tokens); err != nil {
				return err
			}
			info.Tokens += int64(len(j.tokens)) / info.Type.size()
			for _, b := range j.blocks {
				info.TextBytes += int64(len(b.text))
				if b.last {
					info.Documents++
				}
			}
			if opt.Progress != nil {
				opt.Progress(j.blocks[len(j.blocks)-1].done, total)
			}
		}
		if opt.Progress != nil && ctx.Err() == nil {
			opt.Progress(total, total)
		}
		return nil
	})
	return g.Wait()
}

// readJobs collects blocks into jobs of a fair size and sends each to both
// channels.
func readJobs(ctx context.Context, texts *Texts, todo, inOrder chan<- *packJob) error {
	send := func(j *packJob) bool {
		for _, to := range []chan<- *packJob{inOrder, todo} {
			select {
			case to <- j:
			case <-ctx.Done():
				return false
			}
		}
		return true
	}
	var blocks []block
	size := 0
	flush := func() bool {
		if len(blocks) == 0 {
			return true
		}
		j := &packJob{blocks: blocks, ready: make(chan struct{})}
		blocks, size = nil, 0
		return send(j)
	}
	err := texts.blocks(func(b block) bool {
		blocks = append(blocks, b)
		size += len(b.text)
		return size < chunkBytes || flush()
	})
	if err == nil {
		flush()
		err = ctx.Err()
	}
	return err
}

// appendTokens appends tokens as a raw file has them.
func appendTokens(b []byte, ids []int32, typ TokenType) []byte {
	if typ == Uint16 {
		for _, id := range ids {
			b = binary.LittleEndian.AppendUint16(b, uint16(id))
		}
		return b
	}
	for _, id := range ids {
		b = binary.LittleEndian.AppendUint32(b, uint32(id))
	}
	return b
}
