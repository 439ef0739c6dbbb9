package node

import (
	"context"
	"fmt"

	"adit/internal/subnet"
	"adit/internal/subtensor"
)

// A Service is a role of a subnet's owner: it has no hotkey, no directory and no
// engine, and signs nothing.
type Service struct {
	Protocol subnet.Protocol
	Role     string
	Config   subnet.Config
	Client   *subtensor.Client // which the caller closes
	Emit     func(subnet.Event)
}

// Run plays the role until ctx is done.
func (s Service) Run(ctx context.Context) error {
	role, ok := s.Protocol.Role(s.Role)
	if !ok {
		return fmt.Errorf("protocol %s has no role %q", s.Protocol.Name, s.Role)
	}
	if err := s.Config.Validate(); err != nil {
		return err
	}
	netuid := s.Config.Services().NetUID
	return supervise(ctx, role, subnet.Env{
		NetUID: netuid, Config: s.Config, Chain: observed{s.Client.Subnet(netuid, nil), s.Emit},
		HTTP: newClient(), Serve: serve, Verify: verify, Emit: s.Emit,
	})
}
