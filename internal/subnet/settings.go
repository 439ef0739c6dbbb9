package subnet

// A Chooser is a [Config] whose defaults depend on a few of its settings, such as
// the generation of the network.
type Chooser interface {
	// Choose sets every setting to its default. given returns what a person gave
	// for a setting, by its path, or ""; for "role", where nobody gave one, the role
	// that is to be played.
	Choose(given func(path string) string)
}

// A Translator is a [Config] that takes settings it has under no such name: of
// other versions of the reference implementation, and of its documents.
type Translator interface {
	// Translate says what a setting means that was given the value, which is ""
	// if it is not a single one. It returns false if nobody has it.
	Translate(path, value string) (Translation, bool)
	// Foreign lists the paths of all such settings.
	Foreign() []string
}

// A Translation is what a foreign setting means.
type Translation struct {
	// Settings are what it stands for, each as path=value; what a person gives
	// under the settings' own names goes before.
	Settings []string
	// Ignored says why it has no meaning, if it has none.
	Ignored string
}

// An Extender is a [Config] that wants a look at the world before it is used:
// settings that name further files of settings, or that the network fixes.
type Extender interface {
	// Extend completes the settings for a role, "" if none is to be played, and
	// returns what the person should know.
	Extend(files Files, role string) (warnings []string, err error)
}

// Files are the files that an [Extender] may read. Relative paths are taken from
// the root of the runs.
type Files interface {
	// Read returns a file of at most a few megabytes; the error wraps
	// [ErrNotFound] if there is none.
	Read(path string) ([]byte, error)
	// List returns the names in a directory, sorted; none if there is none.
	List(dir string) ([]string, error)
	// Decode reads a file of settings over what into, a pointer to a struct,
	// holds. section is where these settings stand in those of a run.
	Decode(path, section string, into any) error
}

// A Placed is a [Config] that knows where its run belongs.
type Placed interface {
	// Directory returns the run's directory where nobody gives one, relative to the
	// root of the runs.
	Directory() string
	// Unsaid returns the settings, each as path=value, of a run without a file.
	Unsaid() []string
	// RunName returns what the run is called: no two processes of a machine play
	// the same part of a run of one hotkey, in whatever directories.
	RunName() string
}

// A Tenant is a [Config] whose models are published under the name that the token
// of the hub belongs to, where nobody gives one.
type Tenant interface {
	// NeedsAccount reports whether that name is wanted for a role.
	NeedsAccount(role string) bool
	// Settle takes it.
	Settle(account string) error
}
