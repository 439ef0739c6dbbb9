package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"adit/internal/config"
	"adit/internal/protocol/connito"
	"adit/internal/subnet"
)

// Run writes them.
func (c ConfigDockerEnvCommand) Run(t terminal) error {
	_, file, err := config.ResolvePath(c.Path)
	if err != nil {
		return err
	}
	root := c.Root
	if root == "" {
		if root, err = config.FindRoot(); err != nil {
			return err
		}
	}
	// What a run lacks besides, such as its text, is no matter of its containers.
	var only containers
	if _, err := config.Read(config.Source{Path: file}, &only); err != nil {
		return err
	}
	cfg := &only.Config
	if cfg.Role != connito.RoleValidator {
		return subnet.WithHint(fmt.Errorf("%s is a %s's", file, cfg.Role), "only validators have containers; make a file with 'adit config create --role validator'")
	}
	text, err := dockerEnv(cfg, file, root)
	if err != nil {
		return err
	}
	if c.Out == "" {
		_, err := fmt.Fprint(t.out, text)
		return err
	}
	out, err := os.OpenFile(c.Out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return subnet.WithHint(fmt.Errorf("%s exists", c.Out), "choose another file, or move this one out of the way")
	}
	if err != nil {
		return err
	}
	_, err = out.WriteString(text)
	return errors.Join(err, out.Close())
}

// containers are settings of which only names and places matter.
type containers struct {
	connito.Config `yaml:",inline"`
}

// Validate accepts them.
func (*containers) Validate() error { return nil }

// Extend reads no further files.
func (*containers) Extend(subnet.Files, string) ([]string, error) { return nil, nil }

// dockerEnv returns upstream's variables, in its order.
func dockerEnv(cfg *connito.Config, file, root string) (string, error) {
	file, err := filepath.Abs(file)
	if err == nil {
		root, err = filepath.Abs(root)
	}
	if err != nil {
		return "", err
	}
	wallets := cfg.Chain.WalletPath
	if wallets == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		wallets = filepath.Join(home, ".bittensor", "wallets")
	}
	groups := filepath.FromSlash(cfg.Task.BasePath)
	if !filepath.IsAbs(groups) {
		groups = filepath.Join(root, groups)
	}
	// Compose takes small letters, figures, - and _ for a project.
	project := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, strings.ToLower("connito-"+cfg.Chain.HotkeyName+"-"+cfg.Run.RunName))
	var b strings.Builder
	for _, v := range [][2]string{
		{"COMPOSE_PROJECT_NAME", project},
		{"IMAGE", os.Getenv("IMAGE")},
		{"WALLET_NAME", cfg.Chain.ColdkeyName},
		{"HOTKEY_NAME", cfg.Chain.HotkeyName},
		{"BITTENSOR_WALLET_PATH", wallets},
		{"DATA_DIR", root},
		{"CONFIG_PATH", file},
		{"EXPERT_GROUPS_PATH", groups},
		{"VALIDATOR_GPU_ID", cmp.Or(os.Getenv("CUDA_VISIBLE_DEVICES"), "0")},
		{"HF_TOKEN", os.Getenv(cfg.HF.TokenEnvVar)},
		{"WANDB_API_KEY", os.Getenv("WANDB_API_KEY")},
		{"WANDB_MODE", os.Getenv("WANDB_MODE")},
		{"WATCHTOWER_POLL_INTERVAL", cmp.Or(os.Getenv("WATCHTOWER_POLL_INTERVAL"), "300")},
		{"WATCHTOWER_NOTIFICATIONS", os.Getenv("WATCHTOWER_NOTIFICATIONS")},
		{"WATCHTOWER_NOTIFICATION_SLACK_HOOK_URL", os.Getenv("WATCHTOWER_NOTIFICATION_SLACK_HOOK_URL")},
		{"SHM_SIZE", "64gb"},
	} {
		value := v[1]
		if strings.ContainsAny(value, " #\"'$\\\n\t") {
			value = strconv.Quote(strings.ReplaceAll(value, "$", "$$"))
		}
		fmt.Fprintf(&b, "%s=%s\n", v[0], value)
	}
	return b.String(), nil
}
