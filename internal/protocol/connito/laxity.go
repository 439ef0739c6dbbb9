package connito

import "fmt"

// A Laxity is a check that upstream's checkpoint server leaves out in some
// generation. Ours makes them all, unless a setting brings a laxity back.
type Laxity uint

const (
	LaxSignature Laxity = 1 << iota // a download may be signed by anybody
	LaxFresh                        // however long ago
	LaxMember                       // and by one who is not registered
	LaxPhase                        // a submission may come in any phase
	LaxAssigned                     // from a miner that is assigned elsewhere
	LaxTwice                        // again and again
	LaxModelHex                     // with another hash than is on chain
	LaxBlockHex                     // and a block message for another validator
	LaxChain                        // or with nothing on chain at all
	LaxPackage                      // signed by anybody
)

// laxities are the names of the settings.
var laxities = []struct {
	Name string
	Bit  Laxity
}{
	{"download_signature", LaxSignature}, {"download_age", LaxFresh}, {"download_membership", LaxMember},
	{"submission_phase", LaxPhase}, {"submission_assignment", LaxAssigned}, {"submission_twice", LaxTwice},
	{"submission_model_hex", LaxModelHex}, {"submission_block_hex", LaxBlockHex}, {"submission_chain", LaxChain},
	{"submission_signature", LaxPackage},
}

// parseLaxity reads the names of laxities; "upstream" stands for all those that
// upstream's version of the generation has.
func (r Rules) parseLaxity(names []string) (Laxity, error) {
	var lax Laxity
next:
	for _, name := range names {
		if name == "upstream" {
			lax |= r.Lax
			continue
		}
		for _, l := range laxities {
			if l.Name == name {
				lax |= l.Bit
				continue next
			}
		}
		return 0, fmt.Errorf("unknown laxity %q", name)
	}
	return lax, nil
}
