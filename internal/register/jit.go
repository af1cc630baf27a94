package register

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/runner-bootstrap/runner-bootstrap/internal/pattern"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
)

// ErrJITConfig means that a text is not a just-in-time configuration.
var ErrJITConfig = errors.New("not a just-in-time configuration")

// settingsFile makes a runner root a configured one.
const settingsFile = ".runner"

// keyFile is the key that the runner knows itself by.
const keyFile = ".credentials_rsaparams"

// jitFile is what a just-in-time configuration may put into a runner root: the
// files of a registration and nothing that is run or loaded.
var jitFile = pattern.New(`^\.(runner|credentials)(_[a-z]+)?$`)

// JITConfig is a registration that GitHub made: the files that config.sh would
// write. It holds secrets and prints none.
type JITConfig struct {
	Settings Settings // the scope's URL is not among them
	// Servers are the addresses that the runner will speak to.
	Servers []string

	files map[string]secret.Secret
}

// ParseJITConfig reads what GitHub's generate-jitconfig returns: the base64 of a
// JSON object from file names to the base64 of their contents (actions/runner,
// Runner.cs). [ErrJITConfig] otherwise; errors show nothing of the text.
func ParseJITConfig(encoded secret.Secret) (JITConfig, error) {
	wrong := func(what string) (JITConfig, error) {
		return JITConfig{}, fmt.Errorf("%w: %s", ErrJITConfig, what)
	}
	text, err := base64.StdEncoding.DecodeString(encoded.Reveal())
	if err != nil {
		return wrong("it is not base64")
	}
	var files map[string]string
	if json.Unmarshal(text, &files) != nil {
		return wrong("it holds no files")
	}
	config := JITConfig{files: map[string]secret.Secret{}}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		content, err := base64.StdEncoding.DecodeString(files[name])
		switch {
		case !jitFile.MatchString(name):
			return wrong(fmt.Sprintf("%.100q is no file of a registration", name))
		case err != nil || strings.TrimSpace(string(content)) == "":
			return wrong(fmt.Sprintf("its file %q is empty or not base64", name))
		}
		config.files[name] = secret.New(string(content))
	}
	settings, there := config.files[settingsFile]
	if !there || len(config.files) == 1 {
		return wrong("it lacks a file of a registration")
	}
	if config.Settings, err = parseSettings([]byte(settings.Reveal())); err != nil {
		return wrong(settingsFile + ": " + err.Error())
	}
	if config.Settings.Name == "" {
		return wrong("it names no runner")
	}
	config.Servers = addresses(config.files)
	return config, nil
}

// addresses are the URLs in the files of a registration (actions/runner,
// RunnerSettings and CredentialData).
func addresses(files map[string]secret.Secret) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		var fields map[string]any
		if json.Unmarshal([]byte(strings.TrimPrefix(files[name].Reveal(), byteOrderMark)), &fields) != nil {
			continue // it is not for us to understand
		}
		if data, nested := fields["Data"].(map[string]any); nested {
			maps.Copy(fields, data)
		}
		for _, key := range slices.Sorted(maps.Keys(fields)) {
			value, isText := fields[key].(string)
			addresses := []string{"serverurl", "serverurlv2", "githuburl", "authorizationurl", "authorizationurlv2"}
			known := slices.Contains(addresses, strings.ToLower(key))
			if isText && known && value != "" && !slices.Contains(all, value) {
				all = append(all, value)
			}
		}
	}
	return all
}

// Take keeps a just-in-time configuration as the registration of the record's runner,
// instead of an earlier one.
func (k Kept) Take(config JITConfig) (Settings, error) {
	files := map[string][]byte{}
	for name, text := range config.files {
		var err error
		if files[name], err = protected(name, []byte(text.Reveal())); err != nil {
			return Settings{}, fmt.Errorf("keeping the registration of runner %q: %w", k.record.Name, err)
		}
	}
	if err := k.files().Keep(files); err != nil {
		return Settings{}, err
	}
	return k.Settings()
}
