// Package node makes a neuron of its parts: settings become services, services
// an [subnet.Env], and the Env is handed to a role of a protocol, which runs
// until it is told to end.
package node
