// Command openskill rates the matches it reads from standard input, one as JSON
// on each line, and writes the players' ratings after each as a line of JSON.
package main

import (
	"encoding/json"
	"errors"
	"io"
	"log"
	"os"

	"adit/internal/score"
)

func main() {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var match struct {
			Beta, Tau float64
			Before    [][2]float64 // μ and σ
			Scores    []float64
		}
		if err := in.Decode(&match); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			log.Fatal(err)
		}
		before := make([]score.Rating, len(match.Before))
		for i, r := range match.Before {
			before[i] = score.Rating{Mu: r[0], Sigma: r[1]}
		}
		ratings, err := score.NewPlackettLuce(match.Beta, match.Tau).Rate(before, match.Scores)
		if err != nil {
			log.Fatal(err)
		}
		after := make([][3]float64, len(ratings))
		for i, r := range ratings {
			after[i] = [3]float64{r.Mu, r.Sigma, r.Ordinal()}
		}
		if err := out.Encode(after); err != nil {
			log.Fatal(err)
		}
	}
}
