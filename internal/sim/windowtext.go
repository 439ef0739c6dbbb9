package sim

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"adit/internal/protocol/templar"
)

// textAccount is whose bucket the shards are in.
var textAccount = strings.Repeat("d", 32)

// textEnv is where a neuron has its shards from.
func (n *Windows) textEnv() map[string]string {
	env := storeEnv(templar.DataSetStore, textAccount)
	env[templar.EnvBinsPath] = "tokenized/"
	return env
}

// layText puts a shard of text where the generations with gradients look for it.
func (n *Windows) layText() error {
	const samples, length = 64, 16
	for _, p := range n.players {
		if p.rules.Scheme != templar.GradientScheme {
			continue
		}
		keys, err := templar.DataSetStore.KeysFrom(n.textEnv(), false)
		if err != nil {
			return err
		}
		tokens, ids := bytes.NewBuffer(templar.NumpyHeader(4, samples*length)), bytes.NewBuffer(templar.NumpyHeader(8, samples))
		for i := range samples {
			row := make([]uint32, length)
			for k := range row {
				row[k] = uint32(i*7+k) % 256
			}
			_ = binary.Write(tokens, binary.LittleEndian, row) // into memory
			_ = binary.Write(ids, binary.LittleEndian, templar.SampleID(row))
		}
		b := n.buckets.Open(p.rules.Address(keys, false))
		tokensKey, idsKey := templar.Shard{}.Names("tokenized/", p.rules.IDsSuffix)
		for key, data := range map[string][]byte{tokensKey: tokens.Bytes(), idsKey: ids.Bytes()} {
			if _, err := b.Put(context.Background(), key, namedFile{memoryFile{bytes.NewReader(data)}, key}, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// A pageServer gives out pages of text, as the data set's server of the slices does.
type pageServer struct{}

func (pageServer) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	if r.URL.Path == "/size" {
		_, err := io.WriteString(rec, `{"size":{"splits":[{"config":"a","split":"train","num_rows":1000},{"config":"b","split":"train","num_rows":2000}]}}`)
		return rec.Result(), err
	}
	type row struct {
		Row struct {
			Text string `json:"text"`
		} `json:"row"`
	}
	var answer struct {
		Rows []row `json:"rows"`
	}
	for i := range 100 {
		var one row
		one.Row.Text = fmt.Sprintf("%s %s %d", r.URL.Query().Get("config"), r.URL.Query().Get("offset"), i)
		answer.Rows = append(answer.Rows, one)
	}
	err := json.NewEncoder(rec).Encode(answer)
	return rec.Result(), err
}
