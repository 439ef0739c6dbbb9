package doctor

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"adit/internal/subnet"
)

func (p *patient) ofHub() []Check {
	const topic = "hub"
	return []Check{
		{topic, subnet.NeedHub, []string{subnet.NeedSettings}, p.hubReached},
		{topic, subnet.NeedToken, []string{subnet.NeedHub}, p.hubToken},
		{topic, "hub token may write", []string{subnet.NeedToken}, p.hubWrite},
	}
}

// A hubAnswer is what the hub says of the token.
type hubAnswer struct {
	endpoint    string
	status      int
	asked, came time.Time // by this machine's clock
	date        time.Time // by the hub's
	account     struct {
		Name string `json:"name"`
		Orgs []struct {
			Name string `json:"name"`
		} `json:"orgs"`
		Auth struct {
			Token struct {
				Name        string `json:"displayName"`
				Role        string `json:"role"`
				FineGrained struct {
					Global []string `json:"global"`
					Scoped []struct {
						Entity struct {
							Type string `json:"type"`
							Name string `json:"name"`
						} `json:"entity"`
						Permissions []string `json:"permissions"`
					} `json:"scoped"`
				} `json:"fineGrained"`
			} `json:"accessToken"`
		} `json:"auth"`
	}
}

// maxAnswer is more than a hub says of an account.
const maxAnswer = 1 << 20

// publicHub is where models are if nobody says otherwise.
const publicHub = "https://huggingface.co"

// hubReached asks whose token it is, without one if there is none: that is refused,
// but answered.
func (p *patient) hubReached(ctx context.Context) subnet.Finding {
	if p.services.HubToken == "" {
		return subnet.Skip("nothing of this network is on a hub")
	}
	h := &p.hub
	h.endpoint = strings.TrimRight(cmp.Or(p.services.Hub, os.Getenv("HF_ENDPOINT"), publicHub), "/")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.endpoint+"/api/whoami-v2", nil)
	if err != nil {
		return fault(err, "correct hf.endpoint")
	}
	if token := os.Getenv(p.services.HubToken); token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	h.asked = time.Now()
	resp, err := p.web.Do(req)
	if err != nil {
		return fault(err, "check hf.endpoint, the network and the firewall")
	}
	defer resp.Body.Close()
	h.came, h.status = time.Now(), resp.StatusCode
	h.date, _ = http.ParseTime(resp.Header.Get("Date")) // the zero value if it tells none
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fault(err, "check the network")
	}
	if h.status >= 500 {
		return subnet.Fault("wait, and see status.huggingface.co", "%s answers %s", h.endpoint, resp.Status)
	}
	if h.status == http.StatusOK {
		if err := json.Unmarshal(body, &h.account); err != nil {
			return subnet.Fault("check hf.endpoint", "%s does not answer as a hub does: %v", h.endpoint, err)
		}
	}
	return subnet.Fine("%s answers in %v", h.endpoint, h.came.Sub(h.asked).Round(time.Millisecond))
}

func (p *patient) hubToken(context.Context) subnet.Finding {
	name := p.services.HubToken
	if os.Getenv(name) == "" {
		return subnet.Fault("make a token with write access in the hub's settings, and export it as "+name, "the environment variable %s is not set", name)
	}
	if p.hub.status != http.StatusOK || p.hub.account.Name == "" {
		return subnet.Fault("make a new token in the hub's settings", "the hub does not know the token in %s: status %d", name, p.hub.status)
	}
	if t, ok := p.settings.Config.(subnet.Tenant); ok && t.NeedsAccount(p.role.Name) {
		if err := t.Settle(p.hub.account.Name); err != nil {
			return fault(err, "set hf.checkpoint_repo")
		}
	}
	return subnet.Fine("it is %s's", p.hub.account.Name)
}

// hubWrite says what the token may do, by its role: whether it may write can be
// asked without writing.
func (p *patient) hubWrite(context.Context) subnet.Finding {
	const cure = "make a token of the kind Write in the hub's settings"
	t := p.hub.account.Auth.Token
	switch t.Role {
	case "write", "admin":
		return subnet.Fine("its role is %s", t.Role)
	case "read":
		return subnet.Fault(cure, "its role is read")
	case "fineGrained":
		for _, s := range t.FineGrained.Scoped {
			for _, may := range s.Permissions {
				if may == "repo.write" {
					return subnet.Fine("it may write in what belongs to %s", s.Entity.Name)
				}
			}
		}
		return subnet.Fault(cure+", or give this one write access to your repositories", "it is fine-grained and has no permission to write in repositories")
	}
	return subnet.Doubt(cure, "the hub calls its role %q, which says nothing", fmt.Sprintf("%.40s", t.Role))
}
