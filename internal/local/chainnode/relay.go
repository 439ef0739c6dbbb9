package chainnode

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"adit/internal/drand"
	"adit/internal/ledger"
	"adit/internal/scale"
)

// QuicknetURL is where the pulses of the real beacon are to be had.
const QuicknetURL = "https://api.drand.sh/52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971"

// Relay brings the pulses of a beacon on the net to the chain, until ctx is
// done: what upstream's nodes do by themselves. The URL is that of one chain of a
// drand relay. What the relay says is checked against the chain's beacon before it
// is in a block. A relay that does not answer is asked again.
func (n *Node) Relay(ctx context.Context, url string) error {
	n.mu.Lock()
	period := time.Duration(n.ledger.Beacon().Period) * time.Second
	n.mu.Unlock()
	return n.relay(ctx, strings.TrimSuffix(url, "/"), period)
}

func (n *Node) relay(ctx context.Context, url string, period time.Duration) error {
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	silent := false
	for {
		err := n.fetchPulses(ctx, url)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !silent:
			n.emit(slog.LevelWarn, "no pulse from the beacon's relay, trying again", err)
		case err == nil && silent:
			n.emit(slog.LevelInfo, "pulses come again", nil)
		}
		silent = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// fetchPulses gets the newest pulse, and those before it that the chain lacks, and
// puts them into the pool.
func (n *Node) fetchPulses(ctx context.Context, url string) error {
	newest, err := fetchPulse(ctx, url, "latest")
	if err != nil {
		return err
	}
	n.mu.Lock()
	last := n.ledger.LastRound()
	n.mu.Unlock()
	if newest.Round <= last {
		return nil
	}
	var list []drand.Pulse
	if last > 0 { // a chain does not know what was before it
		for round := max(last+1, newest.Round-min(newest.Round, pulsesAtOnce)+1); round < newest.Round; round++ {
			p, err := fetchPulse(ctx, url, strconv.FormatUint(round, 10))
			if err != nil {
				return err
			}
			list = append(list, p)
		}
	}
	list = append(list, newest)
	n.mu.Lock()
	defer n.mu.Unlock()
	xt := ledger.PulseExtrinsic(n.number()+1, list...)
	h := scale.Blake2b256(xt)
	if n.pool.refused(h) != nil {
		return nil // it waits already
	}
	v, err := n.ledger.Validate(xt)
	if err != nil {
		return err
	}
	return n.pool.add(h, xt, v, n.number(), n.ledger.Nonce, nil)
}

// maxPulse bounds the bytes of a relay's answer.
const maxPulse = 4096

// fetchPulse gets one pulse.
func fetchPulse(ctx context.Context, url, round string) (p drand.Pulse, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/public/"+round, nil)
	if err != nil {
		return p, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return p, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxPulse))
	if err != nil {
		return p, err
	}
	if resp.StatusCode != http.StatusOK {
		return p, fmt.Errorf("round %s: the relay answers %s", round, resp.Status)
	}
	return readPulse(body)
}

// readPulse reads a pulse as relays write it.
func readPulse(b []byte) (p drand.Pulse, err error) {
	var said struct {
		Round     uint64 `json:"round"`
		Signature string `json:"signature"`
	}
	if err := json.Unmarshal(b, &said); err != nil {
		return p, fmt.Errorf("read a pulse: %w", err)
	}
	sig, err := hex.DecodeString(said.Signature)
	if err != nil || len(sig) != len(p.Signature) || said.Round == 0 {
		return p, fmt.Errorf("read a pulse: it has no round or no signature of %d bytes", len(p.Signature))
	}
	return drand.Pulse{Round: said.Round, Signature: [48]byte(sig), Randomness: sha256.Sum256(sig)}, nil
}
