package keys

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	schnorrkel "github.com/ChainSafe/go-schnorrkel"
	"github.com/cosmos/go-bip39"
)

// FromMnemonic returns the sr25519 pair of an English BIP-39 phrase of 12, 15,
// 18, 21 or 24 words. The seed is Substrate's, made from the phrase's entropy,
// not from its letters. The words may be in capitals, and may be numbered as
// "2-bar 1-foo", in any order. Errors tell the place of a wrong word, not the
// word.
func FromMnemonic(mnemonic string) (*Pair, error) { return Sr25519.FromMnemonic(mnemonic) }

// Generate returns a new mnemonic of 12, 15, 18, 21 or 24 words and its
// sr25519 pair.
func Generate(rand io.Reader, words int) (mnemonic string, p *Pair, err error) {
	return Sr25519.Generate(rand, words)
}

// Generate returns a new mnemonic of 12, 15, 18, 21 or 24 words and its pair.
func (s Scheme) Generate(rand io.Reader, words int) (mnemonic string, p *Pair, err error) {
	if words < 12 || words > 24 || words%3 != 0 {
		return "", nil, fmt.Errorf("a mnemonic has 12, 15, 18, 21 or 24 words, not %d", words)
	}
	entropy := make([]byte, words/3*4)
	defer clear(entropy)
	if _, err := io.ReadFull(rand, entropy); err != nil {
		return "", nil, fmt.Errorf("read randomness: %w", err)
	}
	if mnemonic, err = bip39.NewMnemonic(entropy); err != nil {
		return "", nil, fmt.Errorf("make mnemonic: %w", err)
	}
	p, err = s.FromMnemonic(mnemonic)
	return mnemonic, p, err
}

// maxMnemonic is more than 24 numbered words of at most eight letters take, in
// bytes.
const maxMnemonic = 1 << 10

// normalize returns the words of a phrase in small letters and in order, with
// one space between them.
func normalize(text string) (string, error) {
	if len(text) > maxMnemonic {
		return "", fmt.Errorf("mnemonic: %d bytes are too many", len(text))
	}
	words := strings.Fields(strings.ToLower(text))
	if len(words) < 12 || len(words) > 24 || len(words)%3 != 0 {
		return "", fmt.Errorf("mnemonic: %d words, not 12, 15, 18, 21 or 24", len(words))
	}
	if !strings.Contains(words[0], "-") {
		return strings.Join(words, " "), nil
	}
	ordered := make([]string, len(words))
	for i, w := range words {
		number, word, ok := strings.Cut(w, "-")
		n, err := strconv.Atoi(number)
		if !ok || err != nil || n < 1 || n > len(words) || word == "" {
			return "", fmt.Errorf("mnemonic: word %d is not numbered as the first one is", i+1)
		}
		if ordered[n-1] != "" {
			return "", fmt.Errorf("mnemonic: two words have number %d", n)
		}
		ordered[n-1] = word
	}
	return strings.Join(ordered, " "), nil
}

// fromPhrase returns the pair of a normalized phrase.
func (s Scheme) fromPhrase(phrase, password string) (*Pair, error) {
	for i, w := range strings.Split(phrase, " ") {
		if _, ok := bip39.ReverseWordMap[w]; !ok {
			return nil, fmt.Errorf("mnemonic: word %d is not in the English list", i+1)
		}
	}
	if _, err := bip39.MnemonicToByteArray(phrase); err != nil {
		// Every word exists, so the checksum in the last one is wrong.
		return nil, errors.New("mnemonic: the checksum in the last word does not fit: a word is another, or in another's place")
	}
	mini, err := schnorrkel.MiniSecretKeyFromMnemonic(phrase, password)
	if err != nil {
		return nil, fmt.Errorf("mnemonic: %w", err)
	}
	return s.FromSeed(mini.Encode())
}
