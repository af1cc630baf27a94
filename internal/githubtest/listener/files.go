package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

const (
	runnerFile      = ".runner"
	credentialsFile = ".credentials"
	keyFile         = ".credentials_rsaparams"
	migratedSuffix  = "_migrated"
	byteOrderMark   = "\xef\xbb\xbf"
)

// loose reads what a JIT configuration writes as text and configure as numbers and booleans.
type loose string

// UnmarshalJSON takes any scalar.
func (l *loose) UnmarshalJSON(raw []byte) error {
	if bytes.Equal(raw, []byte("null")) {
		return nil
	}
	var s string
	if raw[0] != '"' {
		*l = loose(raw)
		return nil
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return fmt.Errorf("reading a setting: %w", err)
	}
	*l = loose(s)
	return nil
}

func (l loose) isTrue() bool { return strings.EqualFold(string(l), "true") }

// settings is the file .runner as it is read. encoding/json matches the names whatever their case.
type settings struct {
	AgentID     loose
	AgentName   loose
	Ephemeral   loose
	ServerURL   loose `json:"serverUrl"`
	ServerURLV2 loose `json:"serverUrlV2"`
	GitHubURL   loose `json:"gitHubUrl"`
	WorkFolder  loose
}

// savedSettings is the same file as configure writes it.
type savedSettings struct {
	AgentID            int64  `json:"agentId"`
	AgentName          string `json:"agentName"`
	PoolID             int64  `json:"poolId"`
	PoolName           string `json:"poolName"`
	DisableUpdate      bool   `json:"disableUpdate,omitempty"`
	Ephemeral          bool   `json:"ephemeral,omitempty"`
	ServerURL          string `json:"serverUrl"`
	GitHubURL          string `json:"gitHubUrl"`
	WorkFolder         string `json:"workFolder"`
	UseV2Flow          bool   `json:"useV2Flow"`
	UseRunnerAdminFlow bool   `json:"useRunnerAdminFlow"`
	ServerURLV2        string `json:"serverUrlV2"`
	IsHostedServer     *bool  `json:"isHostedServer,omitempty"`
}

// credentials is the file .credentials.
type credentials struct {
	Scheme string         `json:"scheme"`
	Data   credentialData `json:"data"`
}

type credentialData struct {
	ClientID         string `json:"clientId"`
	AuthorizationURL string `json:"authorizationUrl"`
	RequireFips      string `json:"requireFipsCryptography"`
}

// save writes a file as .NET does: with a byte order mark.
func (p folder) save(name string, content any, mode os.FileMode) error {
	raw, err := json.MarshalIndent(content, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding %s: %w", name, err)
	}
	if err := p.write(name, append([]byte(byteOrderMark), raw...), mode); err != nil {
		return fmt.Errorf("saving %s: %w", name, err)
	}
	return nil
}

// write replaces a file of a registration, which is hidden on Windows, and the key sealed.
func (p folder) write(name string, text []byte, mode os.FileMode) error {
	if name == keyFile {
		var err error
		if text, err = sealed(text); err != nil {
			return err
		}
	}
	if err := vacate(p.path(name)); err != nil {
		return err
	}
	if err := os.WriteFile(p.path(name), text, mode); err != nil {
		return err
	}
	return hide(p.path(name))
}

// load reads a file, or its migrated form, which takes precedence.
func (p folder) load(name string, into any) error {
	raw, err := os.ReadFile(p.path(name + migratedSuffix))
	if os.IsNotExist(err) {
		raw, err = os.ReadFile(p.path(name))
	}
	if err != nil {
		return fmt.Errorf("loading %s: %w", name, err)
	}
	if name == keyFile {
		if raw, err = unsealed(raw); err != nil {
			return fmt.Errorf("loading %s: %w", name, err)
		}
	}
	if err := json.Unmarshal(bytes.TrimPrefix(raw, []byte(byteOrderMark)), into); err != nil {
		return fmt.Errorf("loading %s: %w", name, err)
	}
	return nil
}

func (p folder) exists(name string) bool {
	_, err := os.Lstat(p.path(name))
	return err == nil
}

func (p folder) isConfigured() bool {
	return p.exists(runnerFile) || p.exists(runnerFile+migratedSuffix)
}

// forget deletes the local configuration. What is already gone is as good.
func (p folder) forget() error {
	for _, name := range []string{credentialsFile, keyFile, runnerFile} {
		for _, suffix := range []string{"", migratedSuffix} {
			if err := os.Remove(p.path(name + suffix)); err != nil && !os.IsNotExist(err) {
				return fmt.Errorf("deleting %s: %w", name+suffix, err)
			}
		}
	}
	return nil
}

// unpackJIT writes the files of a JIT configuration into the root.
func (p folder) unpackJIT(blob string) error {
	raw, err := base64.StdEncoding.DecodeString(blob)
	if err != nil {
		return fmt.Errorf("reading the JIT configuration: %w", err)
	}
	var files map[string]string
	if err := json.Unmarshal(raw, &files); err != nil {
		return fmt.Errorf("reading the JIT configuration: %w", err)
	}
	for name, encoded := range files {
		content, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return fmt.Errorf("reading %q of the JIT configuration: %w", name, err)
		}
		if err := p.write(name, content, 0o644); err != nil {
			return fmt.Errorf("writing %q of the JIT configuration: %w", name, err)
		}
	}
	return nil
}
