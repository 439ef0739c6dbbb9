package doctor

import (
	"context"
	"fmt"
	"runtime"
	"strings"

	"adit/internal/engine/device/cpu"
	"adit/internal/subnet"
)

func (p *patient) ofMachine() []Check {
	const topic = "machine"
	needs := []string{subnet.NeedSettings}
	return []Check{
		{topic, "cores", needs, p.cores},
		{topic, "kernels", needs, p.kernels},
		{topic, "open files", needs, p.openFiles},
		{topic, "inodes", needs, p.inodes},
	}
}

func (p *patient) cores(context.Context) subnet.Finding {
	have, want := runtime.GOMAXPROCS(0), p.services.Threads
	if want > have {
		return subnet.Doubt("set "+p.services.Names.Threads+" to that, or to 0", "%d threads on %d cores wait for one another", want, have)
	}
	if want == 0 {
		want = have
	}
	return subnet.Fine("%d threads on %d cores, %s/%s", want, have, runtime.GOOS, runtime.GOARCH)
}

func (p *patient) kernels(context.Context) subnet.Finding {
	names := cpu.Kernels()
	if len(names) < 2 {
		return subnet.Doubt("take a processor with AVX2 or NEON", "this processor has only the portable routines, which are slow: %s", strings.Join(names, ", "))
	}
	return subnet.Fine("%s", strings.Join(names, ", "))
}

// wantFiles is more than a neuron opens at once: shards, connections, logs.
const wantFiles = 256

func (p *patient) openFiles(context.Context) subnet.Finding {
	n, err := fileLimit()
	if err != nil {
		return subnet.Skip("%v", err)
	}
	if n < wantFiles {
		return subnet.Doubt("ulimit -n 4096, or LimitNOFILE in the service's unit", "a process may open %d files, and %d may be needed", n, wantFiles)
	}
	return subnet.Fine("a process may open %d", n)
}

// wantInodes is more than a run's files.
const wantInodes = 10_000

func (p *patient) inodes(context.Context) subnet.Finding {
	at := existing(p.settings.Dir)
	n, limited, err := freeInodes(at)
	switch {
	case err != nil:
		return subnet.Skip("%v", err)
	case !limited:
		return subnet.Fine("the file system has no limit")
	case n < wantInodes:
		return subnet.Doubt("remove files, or put the run's directory elsewhere", "the file system of %s has room for %d more files", at, n)
	}
	return subnet.Fine("room for %d more files", n)
}

// list joins what is told with commas.
func list(told []string) string {
	const most = 8
	if len(told) > most {
		told = append(told[:most:most], fmt.Sprintf("and %d more", len(told)-most))
	}
	return strings.Join(told, "; ")
}
