package connito

import (
	"cmp"
	"runtime/debug"
)

// The variables in which upstream's images say what they were built from.
const (
	gitVersionVariable = "CONNITO_GIT_VERSION"
	gitSHAVariable     = "CONNITO_GIT_SHA"
)

// release returns the version and the commit that are reported of the program: what
// the environment says, as whoever made an image knows best, or else what the binary
// says of itself. Either may be "".
func release(env func(string) string) (version, commit string) {
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				commit = s.Value
			}
		}
	}
	return cmp.Or(env(gitVersionVariable), version), cmp.Or(env(gitSHAVariable), commit)
}
