package data

import (
	"math"
	"math/rand/v2"
	"testing"
)

// chain returns tokens of a Markov chain over four tokens, and its entropy rate
// in nats.
func chain(seed uint64, n int) ([]uint16, float64) {
	// Each token is followed by the next with 0.7, itself with 0.2, the one
	// after with 0.1: all rows have one entropy.
	r := rand.New(rand.NewPCG(seed, 1))
	tokens := make([]uint16, n)
	for i := 1; i < n; i++ {
		step := uint16(2)
		if x := r.Float64(); x < 0.7 {
			step = 1
		} else if x < 0.9 {
			step = 0
		}
		tokens[i] = (tokens[i-1] + step) % 4
	}
	return tokens, -(0.7*math.Log(0.7) + 0.2*math.Log(0.2) + 0.1*math.Log(0.1))
}

func TestBigram(t *testing.T) {
	c := counting(0, 0)
	c.info.Vocab = 300
	train, entropy := chain(1, 40000)
	heldOut, _ := chain(2, 20000)
	c.streams[0] = stream{train, heldOut}
	loss, err := c.Bigram(0, 65)
	if err != nil || math.Abs(loss-entropy) > 0.02 {
		t.Errorf("loss %.4f on a chain of entropy %.4f, %v", loss, entropy, err)
	}
	if _, err := c.Bigram(0, 20001); err == nil {
		t.Error("judged text that is shorter than a sequence")
	}
	if _, err := c.Bigram(1, 65); err == nil {
		t.Error("judged a domain that is not there")
	}
	c.streams[0].train = nil
	if _, err := c.Bigram(0, 65); err == nil {
		t.Error("fitted to nothing")
	}
}

// Only the tokens that HeldOut gives as predictions are judged.
func TestBigramWindows(t *testing.T) {
	c := counting(0, 0)
	c.info.Vocab = 300
	train, _ := chain(1, 5000)
	heldOut, _ := chain(2, 101)
	surprising := append(append([]uint16{}, heldOut[:97]...), 299, 298, 297, 296)
	c.streams[0] = stream{train, heldOut}
	plain, err := c.Bigram(0, 33) // 3 sequences, tokens 0 to 96
	if err != nil {
		t.Fatal(err)
	}
	c.streams[0].heldOut = surprising
	same, err := c.Bigram(0, 33)
	if err != nil || same != plain {
		t.Errorf("tokens beyond the last sequence change the loss from %.4f to %.4f, %v", plain, same, err)
	}
	if worse, err := c.Bigram(0, 101); err != nil || worse < plain+0.1 {
		t.Errorf("tokens within the sequence do not: %.4f, %v", worse, err)
	}
}

func TestBigramSumsToOne(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	tokens := make([]uint16, 3000)
	for i := range tokens {
		tokens[i] = uint16(math.Sqrt(float64(r.IntN(40 * 40))))
	}
	m := fitBigram(tokens, 50)
	for _, lower := range [][]float64{m.unigram, m.continuation} {
		for _, d := range m.discounts() {
			for left := range uint16(50) {
				sum := 0.0
				for right := range uint16(50) {
					p := m.prob(left, right, lower, d)
					if !(p > 0) {
						t.Fatalf("discount %v: %d after %d has probability %v", d, right, left, p)
					}
					sum += p
				}
				if math.Abs(sum-1) > 1e-9 {
					t.Fatalf("discount %v: after %d the probabilities sum to %v", d, left, sum)
				}
			}
		}
	}
}
