package sim

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"adit/internal/protocol/templar"
	"adit/internal/subnet"
)

// TestWindowJudge shows the judge of windows what it must not let pass. The same
// network without it costs nobody anything.
func TestWindowJudge(t *testing.T) {
	const miner, other = "miner-0", "miner-1"
	buckets := func(name string, wrap func(subnet.Bucket, subnet.BucketAddress) subnet.Bucket) func(*WindowSurvival) {
		return func(s *WindowSurvival) {
			s.tamper = func(v *Neuron, env *subnet.Env) {
				open := env.Bucket
				env.Bucket = func(a subnet.BucketAddress) (subnet.Bucket, error) {
					b, err := open(a)
					if v.Name == name {
						b = wrap(b, a)
					}
					return b, err
				}
			}
		}
	}
	for _, tt := range []struct {
		name   string
		tamper func(*WindowSurvival)
		bad    func(WindowVerdict) int
	}{
		{"honest", nil, nil},
		{"uploads nothing", buckets(miner, func(b subnet.Bucket, _ subnet.BucketAddress) subnet.Bucket { return lostBucket{b} }), func(v WindowVerdict) int { return v.Lost }},
		{"uploads twice", buckets(miner, func(b subnet.Bucket, _ subnet.BucketAddress) subnet.Bucket { return twiceBucket{b} }), func(v WindowVerdict) int { return v.Doubled }},
		{"does not see another", func(s *WindowSurvival) {
			blind := s.players[s.named(other)].bucket
			buckets(miner, func(b subnet.Bucket, a subnet.BucketAddress) subnet.Bucket {
				if a.Name == blind {
					return deadBucket{b}
				}
				return b
			})(s)
		}, func(v WindowVerdict) int { return v.Strayed }},
		{"counts otherwise", func(s *WindowSurvival) {
			s.tamper = func(v *Neuron, env *subnet.Env) {
				if v.Name == miner {
					env.Engine = crookedEngine{env.Engine, func() bool { return s.Chain.now() > 100 }}
				}
			}
		}, func(v WindowVerdict) int { return v.Parted }},
		{"is paid", func(s *WindowSurvival) { // whoever it is: what a validator looks at is drawn anew in each run
			for _, v := range s.Neurons {
				if v.Role != "validate" {
					v.Forger = "none"
				}
			}
		}, func(v WindowVerdict) int { return v.Weighed }},
		{"ends", func(s *WindowSurvival) {
			s.tamper = func(v *Neuron, env *subnet.Env) {
				if v.Name == miner {
					env.Chain = expelled{env.Chain}
				}
			}
		}, func(v WindowVerdict) int { return v.Exits }},
		{"lists all", func(s *WindowSurvival) {
			s.opts.Crowded = s.named(other)
			buckets(miner, func(b subnet.Bucket, _ subnet.BucketAddress) subnet.Bucket { return greedyBucket{b} })(s)
		}, func(v WindowVerdict) int { return v.Crowded }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, err := BraveWindows(WindowOptions{Rules: "sparse/20", Seed: 3, Miners: 3, Validators: 1, Crowded: -1}, nil)
				if err != nil {
					t.Fatal(err)
				}
				if tt.tamper != nil {
					tt.tamper(s)
				}
				v := s.survive(t.Context(), 14)
				switch {
				case tt.bad == nil && len(v.Said) > 0:
					t.Errorf("honest, and yet %v", v.Said)
				case tt.bad == nil && (v.Expected < 12 || v.Held < 20 || v.Paired < 30):
					t.Errorf("little was expected: %+v", v)
				case tt.bad != nil && tt.bad(v) == 0:
					t.Errorf("the judge let it pass: %+v", v)
				}
			})
		})
	}
}

func (s *Windows) named(name string) int {
	for i, v := range s.Neurons {
		if v.Name == name {
			return i
		}
	}
	return -1
}

// A lostBucket keeps no gradient of window 6 and later ones.
type lostBucket struct{ subnet.Bucket }

func (b lostBucket) Put(ctx context.Context, key string, f subnet.File, once bool) (subnet.Object, error) {
	if strings.HasPrefix(key, "gradient-") {
		if name, err := templar.ParseName(key); err == nil && name.Window >= 6 {
			key = "lost/" + key
		}
	}
	return b.Bucket.Put(ctx, key, f, once)
}

// A twiceBucket has each gradient in two versions.
type twiceBucket struct{ subnet.Bucket }

func (b twiceBucket) Put(ctx context.Context, key string, f subnet.File, once bool) (subnet.Object, error) {
	if o, err := b.Bucket.Put(ctx, key, f, once); err != nil || !strings.HasPrefix(key, "gradient-") {
		return o, err
	}
	return spoiltBucket{b.Bucket, "code"}.Put(ctx, key, f, once)
}

// A deadBucket has nothing that can be read.
type deadBucket struct{ subnet.Bucket }

func (b deadBucket) Stat(context.Context, string) (subnet.Object, error) {
	return subnet.Object{}, subnet.ErrDenied
}

// A greedyBucket lists all that there is whenever it is asked for something.
type greedyBucket struct{ subnet.Bucket }

func (b greedyBucket) Stat(ctx context.Context, key string) (subnet.Object, error) {
	for after := ""; ; {
		list, err := b.Bucket.List(ctx, "", after, 1000)
		if err != nil || len(list) < 1000 {
			return b.Bucket.Stat(ctx, key)
		}
		after = list[len(list)-1].Key
	}
}

// A crookedEngine has a model in which, from some time on, one value is a little off
// whenever it is written.
type crookedEngine struct {
	subnet.Engine
	now func() bool
}

func (e crookedEngine) Open(ctx context.Context, files ...subnet.File) (subnet.Model, error) {
	m, err := e.Engine.Open(ctx, files...)
	return crookedModel{m, e.now}, err
}

type crookedModel struct {
	subnet.Model
	now func() bool
}

func (m crookedModel) Write(name string, src []float32) error {
	if m.now() {
		src[len(src)-1] += 1e-3
	}
	return m.Model.Write(name, src)
}

// An expelled neuron is not registered any more from some block on.
type expelled struct{ subnet.Chain }

func (c expelled) Metagraph(ctx context.Context, at subnet.Block) (*subnet.Metagraph, error) {
	m, err := c.Chain.Metagraph(ctx, at)
	if head, headErr := c.Chain.Head(ctx); err == nil && headErr == nil && head > 100 {
		gone := *m
		gone.Neurons = nil
		return &gone, nil
	}
	return m, err
}
