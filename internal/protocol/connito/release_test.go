package connito

import "testing"

// TestRelease reports what the environment says, and else what the binary does.
func TestRelease(t *testing.T) {
	t.Parallel()
	unset := func(string) string { return "" }
	version, commit := release(unset)
	set := map[string]string{"CONNITO_GIT_VERSION": "v1.2.3-4-gabcdef0"}
	if v, c := release(func(name string) string { return set[name] }); v != "v1.2.3-4-gabcdef0" || c != commit {
		t.Errorf("reported %q of %q, want the environment's version and the commit %q", v, c, commit)
	}
	set = map[string]string{"CONNITO_GIT_SHA": "abcdef0"}
	if v, c := release(func(name string) string { return set[name] }); v != version || c != "abcdef0" {
		t.Errorf("reported %q of %q, want the version %q and the environment's commit", v, c, version)
	}
}
