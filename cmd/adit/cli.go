package main

// CLI is the command line: one field a command, in the order of the help.
type CLI struct {
	Protocols ProtocolsCommand `cmd:"" help:"List the networks that adit knows."`
	Version   VersionCommand   `cmd:"" help:"Show which adit this is."`
}
