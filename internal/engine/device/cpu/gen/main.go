// Command gen writes the assembly routines of package cpu and their
// declarations. Run it with go generate in that package.
//
// Every routine is described once, over registers that are named by number, and
// written out for each instruction set: AVX-512, whose vectors have 16 elements
// and whose last, incomplete vector is masked by a mask register; AVX2 with FMA,
// whose vectors have 8 elements, with a vector as the mask; and NEON, whose
// vectors have 4, the last elements going one by one.
package main

import (
	"fmt"
	"os"
)

func main() {
	for name, text := range generate() {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, "gen:", err)
			os.Exit(1)
		}
	}
}

// generate returns the files by their names.
func generate() map[string]string {
	files := map[string]string{}
	files["kernels_amd64.s"], files["kernels_amd64.go"] = x86Texts()
	files["kernels_arm64.s"], files["kernels_arm64.go"] = neonTexts()
	return files
}
