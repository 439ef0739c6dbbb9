// Command gen writes the assembly routines of package cpu and their
// declarations. Run it with go generate in that package.
//
// Every routine is described once, over registers that are named by number, and
// written out for each instruction set: AVX-512, whose vectors have 16 elements
// and whose last, incomplete vector is masked by a mask register; and AVX2 with
// FMA, whose vectors have 8 elements, with a vector as the mask.
package main

import (
	"fmt"
	"os"
)

func main() {
	asm, stubs := generate()
	for name, text := range map[string]string{"kernels_amd64.s": asm, "kernels_amd64.go": stubs} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, "gen:", err)
			os.Exit(1)
		}
	}
}

// generate returns the texts of the two files.
func generate() (asm, stubs string) {
	f := &file{}
	for _, s := range []set{avx512, avx2} {
		for h := 1; h <= s.rows; h++ {
			f.tile(s, h)
		}
		f.panel(s)
		f.transpose(s)
		f.peak(s)
		for _, r := range routines {
			f.vector(s, r)
		}
	}
	return f.texts()
}
