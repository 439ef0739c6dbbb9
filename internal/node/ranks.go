package node

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"

	"adit/internal/engine"
	"adit/internal/engine/ranks"
	"adit/internal/subnet"
)

// RankCommand is what this program is called with to train along with a neuron, as
// one of its ranks.
const RankCommand = "rank"

// A rankOrder is what a rank reads first from its standard input, as a line of
// JSON: a command line could be read by everybody on the machine. The input then
// stays open as long as whoever started it lives.
type rankOrder struct {
	Order    ranks.Order
	Services subnet.Services // those that the engine needs
}

// maxOrder is more than an order needs.
const maxOrder = 64 << 10

// Rank trains along with the neuron that wrote what in begins with, until that has
// no more use for it, or is no more: then in ends. It takes no lock, signs nothing,
// asks no chain, and writes no file.
func Rank(ctx context.Context, in io.Reader) error {
	line, err := bufio.NewReaderSize(io.LimitReader(in, maxOrder), maxOrder).ReadSlice('\n')
	var o rankOrder
	if err == nil {
		err = json.Unmarshal(line, &o)
	}
	if err != nil {
		return subnet.WithHint(fmt.Errorf("read what this process is to do: %w", err),
			"it is started by a miner whose local_par.world_size is above 1, and by nobody else")
	}
	done := make(chan error, 1)
	go func() {
		done <- engine.Help(ctx, o.Order, ranks.Limits{}, func() (*engine.Engine, error) { return OpenEngine(o.Services, engine.Ranks{}) })
	}()
	ended := make(chan struct{})
	go func() { _, _ = io.Copy(io.Discard, in); close(ended) }()
	// Whatever is being computed is of no use to anybody any more, and the process
	// ends with this: nobody is waited for.
	select {
	case err := <-done:
		return err
	case <-ended:
	case <-ctx.Done():
	}
	return nil
}

// ranksOf has an engine start copies of this program.
func ranksOf(s subnet.Services, emit func(subnet.Event)) engine.Ranks {
	return engine.Ranks{
		Start: func(o ranks.Order) (ranks.Hand, error) {
			h, err := startRank(rankOrder{Order: o, Services: subnet.Services{
				Model: s.Model, Data: s.Data, SeqLen: s.SeqLen, DType: s.DType, ExpertsPerToken: s.ExpertsPerToken, Threads: s.Threads,
			}})
			if err != nil {
				return nil, err
			}
			emit(subnet.Event{Kind: "rank", Text: "started a process that trains along",
				Attrs: []slog.Attr{slog.Int("rank", o.Rank), slog.Int("world_size", o.World), slog.Int("pid", h.cmd.Process.Pid)}})
			return h, nil
		},
		Warn: func(text string, err error) {
			emit(subnet.Event{Level: slog.LevelWarn, Kind: "rank", Text: text, Attrs: []slog.Attr{slog.String("error", err.Error())}})
		},
	}
}

// A rankProcess is a rank that is a process.
type rankProcess struct {
	cmd   *exec.Cmd
	input io.Closer
	words LastWords
	done  chan struct{}
}

func startRank(o rankOrder) (*rankProcess, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	order, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	p := &rankProcess{cmd: exec.Command(exe, RankCommand), done: make(chan struct{})}
	p.cmd.Stderr = &p.words
	input, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	p.input = input
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // what it says last tells more
	}()
	if _, err := input.Write(append(order, '\n')); err != nil {
		p.End()
		return nil, fmt.Errorf("tell it what to do: %w", err)
	}
	return p, nil
}

// Done implements [ranks.Hand].
func (p *rankProcess) Done() <-chan struct{} { return p.done }

// End kills the process: it has nothing that could be lost.
func (p *rankProcess) End() string {
	p.input.Close()
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.done
	said, _ := p.words.Last()
	return said
}
