package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"adit/internal/engine/bench"
	"adit/internal/engine/device/cpu"
	"adit/internal/engine/device/devicetest"
	"adit/internal/engine/device/ref"
	"adit/internal/subnet"
)

// BenchCommand groups the measurements.
type BenchCommand struct {
	Step BenchStepCommand `cmd:"" help:"A step of a small Llama."`
	MoE  BenchMoECommand  `cmd:"" name:"moe" help:"A step of a small DeepSeek-V2, with routed experts."`
	Gemm BenchGemmCommand `cmd:"" help:"Matrix products."`
	Wire BenchWireCommand `cmd:"" help:"What the messages of a network are worth."`

	Check BenchCheckCommand `cmd:"" help:"Whether this machine computes right."`
}

// Help shows examples.
func (BenchCommand) Help() string {
	return `Measures how fast this machine trains, beside the most that its processor could
do, measured in the same run. bench/ in the sources has the same steps for PyTorch. And measures what miners'
messages cost, in bytes and in loss.

Examples:
  adit bench step
  adit bench step --threads 1 --kernel avx2
  adit bench moe --json
  adit bench gemm
  adit bench wire --seeds 1
  adit bench check`
}

type benchFlags struct {
	Threads int    `placeholder:"N" help:"How many threads compute. All, unless it is said."`
	Kernel  string `placeholder:"NAME" help:"Which routines: avx512, avx2, neon, portable. The best, unless it is said."`
	JSON    bool   `help:"Print JSON."`
}

type benchStepFlags struct {
	benchFlags
	Steps     int  `default:"10" help:"How many steps, after one that does not count."`
	Vocab     int  `default:"8192" help:"How many tokens there are."`
	Recompute bool `help:"Keep less in memory and compute it again."`
}

func (f benchFlags) options() (bench.Options, error) {
	if f.Threads < 0 {
		return bench.Options{}, subnet.WithHint(fmt.Errorf("--threads %d is less than none", f.Threads), "leave it out for all there are")
	}
	return bench.Options{Threads: f.Threads, Kernel: f.Kernel}, nil
}

func (f benchStepFlags) run(ctx context.Context, t terminal, s bench.Shape) error {
	o, err := f.options()
	if err != nil {
		return err
	}
	if f.Steps < 1 {
		return subnet.WithHint(fmt.Errorf("--steps %d measures nothing", f.Steps), "one is the least")
	}
	o.Steps, o.Recompute = f.Steps, f.Recompute
	r, err := bench.Step(ctx, s, o, func(step int, rate float64) {
		if !f.JSON {
			fmt.Fprintf(t.err, "step %d of %d: %.0f tokens/s\n", step, f.Steps, rate)
		}
	})
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	if f.JSON {
		return json.NewEncoder(t.out).Encode(r)
	}
	fmt.Fprintf(t.out, "%s: %d parameters, %d tokens a step\n", r.Device, r.Parameters, r.Tokens)
	fmt.Fprintf(t.out, "%.0f tokens/s (median of %d steps)\n", r.Median, len(r.Rates))
	fmt.Fprintf(t.out, "%.1f GFLOP/s, %.1f%% of the peak of %.1f, at %.1f MFLOP a token\n",
		r.Median*r.FLOPs/1e9, 100*r.Share, r.Peak/1e9, r.FLOPs/1e6)
	fmt.Fprintf(t.out, "%.1f%% of the peak counting only what is computed: attention to what a token sees, %.1f MFLOP\n",
		100*r.ShareDone, r.FLOPsDone/1e6)
	if r.PeakRSS > 0 {
		fmt.Fprintf(t.out, "%.0f MB of memory at most\n", r.PeakRSS)
	}
	return nil
}

// BenchStepCommand measures the reference step.
type BenchStepCommand struct{ benchStepFlags }

// Help shows examples.
func (BenchStepCommand) Help() string {
	return `Trains a small Llama of 16.9 million parameters: 6 layers of width 384, 6 heads,
feed-forward width 1024; 8 sequences of 256 tokens; AdamW with clipping, in 32 bits.

Examples:
  adit bench step
  adit bench step --threads 1 --kernel avx2
  adit bench step --vocab 32000 --steps 5 --json`
}

// Run trains for a few steps.
func (c BenchStepCommand) Run(ctx context.Context, t terminal) error {
	return c.run(ctx, t, bench.Reference(c.Vocab))
}

// BenchMoECommand measures a mixture's step.
type BenchMoECommand struct{ benchStepFlags }

// Help shows examples.
func (BenchMoECommand) Help() string {
	return `Trains a small DeepSeek-V2 of 64.5 million parameters: 6 layers of width 512, the
first dense, 8 heads of latent attention of rank 128, 16 routed experts of width 352
of which a token gets 4, and 2 shared ones.

Examples:
  adit bench moe
  adit bench moe --threads 1 --json`
}

// Run trains for a few steps.
func (c BenchMoECommand) Run(ctx context.Context, t terminal) error {
	return c.run(ctx, t, bench.Mixture(c.Vocab))
}

// BenchGemmCommand measures matrix products.
type BenchGemmCommand struct{ benchFlags }

// Help shows examples.
func (BenchGemmCommand) Help() string {
	return `Multiplies matrices of the sizes that 'adit bench step' has.

Examples:
  adit bench gemm
  adit bench gemm --kernel avx2 --threads 1`
}

// Run multiplies for a few seconds.
func (c BenchGemmCommand) Run(ctx context.Context, t terminal) error {
	o, err := c.options()
	if err != nil {
		return err
	}
	all, err := bench.Products(ctx, o)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	if c.JSON {
		return json.NewEncoder(t.out).Encode(all)
	}
	for _, p := range all {
		fmt.Fprintln(t.out, p)
	}
	return nil
}

// BenchCheckCommand holds the devices to the reference.
type BenchCheckCommand struct{}

// Help shows examples.
func (BenchCheckCommand) Help() string {
	return `Runs every operation that models are made of with each set of routines that this
processor has, on small random numbers, and compares what comes out with a slow and
obvious reference.

Examples:
  adit bench check`
}

// checkSeeds is how many sets of numbers are tried.
const checkSeeds = 10

// Run compares, and fails if anything differs.
func (BenchCheckCommand) Run(ctx context.Context, t terminal) error {
	var problems []error
	for _, name := range cpu.Kernels() {
		dev, err := cpu.NewKernel(0, name)
		if err != nil {
			return err
		}
		for seed := range uint64(checkSeeds) {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := devicetest.Compare(dev, ref.New(), seed); err != nil {
				problems = append(problems, fmt.Errorf("%s: %w", dev.Name(), err))
				break
			}
		}
		fmt.Fprintf(t.out, "%s: compared\n", dev.Name())
	}
	if err := errors.Join(problems...); err != nil {
		return subnet.WithHint(fmt.Errorf("this machine computes wrong: %w", err), "do not train or validate on it; its memory or processor may be faulty")
	}
	fmt.Fprintln(t.out, "all operations agree with the reference")
	return nil
}
