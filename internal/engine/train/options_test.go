package train

import (
	"math"
	"strings"
	"testing"

	"adit/internal/engine/device/ref"
	"adit/internal/subnet"
)

func TestNewRefuses(t *testing.T) {
	m := newTrainer(t, options(), counting).m
	for want, change := range map[string]func(*Options){
		"no parameter of those":                  func(o *Options) { o.Params = func(string) bool { return false } },
		"parameters: no choice":                  func(o *Options) { o.Params = nil },
		"by a function and by patterns":          func(o *Options) { o.Trained = []string{"*"} },
		`pattern "head" matches no parameter`:    func(o *Options) { o.Params, o.Trained = nil, []string{"head"} },
		"batch size: 0 sequences; give":          func(o *Options) { o.Batch = 0 },
		"accumulation: -1":                       func(o *Options) { o.Accumulate = -1 },
		`precision: "int4" is not one of fp32`:   func(o *Options) { o.Precision = "int4" },
		"loss scale: only fp16-mixed":            func(o *Options) { o.Scaler = DefaultScaler() },
		"loss scale: backoff 1; give":            func(o *Options) { o.Precision, o.Scaler = FP16Mixed, ScalerRules{65536, 2, 1, 2000} },
		"loss scale: interval 0; give":           func(o *Options) { o.Precision, o.Scaler = FP16Mixed, ScalerRules{65536, 2, 0.5, 0} },
		"loss scale: growth 1; give":             func(o *Options) { o.Precision, o.Scaler = FP16Mixed, ScalerRules{65536, 1, 0.5, 1} },
		"loss scale: init NaN; give":             func(o *Options) { o.Precision, o.Scaler = FP16Mixed, ScalerRules{math.NaN(), 2, 0.5, 1} },
		"warmup is longer":                       func(o *Options) { o.Schedule.Warmup = 61 },
		"negative number of steps":               func(o *Options) { o.Schedule.Total = -1 },
		`schedule: "step" is not one of`:         func(o *Options) { o.Schedule.Curve = "step" },
		"schedule: linear has no end":            func(o *Options) { o.Schedule = Schedule{Curve: Linear, Peak: 1} },
		"only linear and cosine end":             func(o *Options) { o.Schedule = Schedule{Peak: 1, Spent: func() float64 { return 0 }} },
		"learning rate: NaN; give":               func(o *Options) { o.Schedule.Peak = math.NaN() },
		"lowest learning rate: 2 of":             func(o *Options) { o.Schedule.Floor = 2 },
		`optimizer: "adam" is not one of`:        func(o *Options) { o.Rules.Method = "adam" },
		"beta2: 1; give":                         func(o *Options) { o.Rules.Beta2 = 1 },
		"eps: -1; give":                          func(o *Options) { o.Rules.Eps = -1 },
		"weight decay: NaN; give":                func(o *Options) { o.Rules.WeightDecay = math.NaN() },
		"clipping norm: +Inf; give":              func(o *Options) { o.Rules.ClipNorm = math.Inf(1) },
		"group 1: no names":                      func(o *Options) { o.Rules.Groups = []Group{{}} },
		"group 2: rate: -1 times":                func(o *Options) { o.Rules.Groups = []Group{{Names: []string{"*"}}, {Names: []string{"*"}, Rate: -1}} },
		"group 1: momentum: 2; give":             func(o *Options) { o.Rules.Groups = []Group{{Names: []string{"*"}, Momentum: 2}} },
		`group 1: pattern "x" matches no parame`: func(o *Options) { o.Rules.Groups = []Group{{Names: []string{"x"}}} },
	} {
		opts := options()
		change(&opts)
		if _, err := New(ref.New(), m, opts, counting); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "train: ") {
			t.Errorf("%v, want %q", err, want)
		}
	}
	err := Options{}.Validate()
	for _, want := range []string{"parameters", "batch size", "learning rate"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no options: %v, want %q, too", err, want)
		}
	}
}

func TestFromSubnet(t *testing.T) {
	o := FromSubnet(subnet.TrainOptions{
		Params: all, Batch: 2, Accumulate: 4, Precision: "fp16-mixed", LR: 1e-5, WarmupSteps: 3, TotalSteps: 9,
		Beta1: 0.9, Beta2: 0.95, WeightDecay: 0.1, ClipNorm: 1,
	})
	if err := o.Validate(); err != nil {
		t.Error(err)
	}
	if o.Batch != 2 || o.Accumulate != 4 || o.Precision != FP16Mixed || o.Schedule.Curve != Cosine || o.Schedule.Total != 9 || o.Rules.ClipNorm != 1 {
		t.Errorf("options = %+v", o)
	}
	if o := FromSubnet(subnet.TrainOptions{}); o.Schedule.Curve != Constant {
		t.Errorf("curve without an end is %q", o.Schedule.Curve)
	}
}
