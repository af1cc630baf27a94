package github_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/secret"
)

// What holds a credential shows as little of it as the credential itself.
func TestHoldersShowNoSecret(t *testing.T) {
	t.Parallel()
	s := secret.New("ghs_12345_s3cr3t")
	for name, value := range map[string]any{
		"client": github.NewClient(nil, github.Scope{}, github.Static(s)), "token": github.Token{Value: s},
		"configuration": github.JIT{Config: s}, "application": github.Application{Bearer: s}, "App": github.AppConfig{Key: s},
	} {
		texts := []string{fmt.Sprintf("%v", value), fmt.Sprintf("%+v", value), fmt.Sprintf("%#v", value), fmt.Sprintf("%x", value)}
		if text, err := json.Marshal(value); err == nil {
			texts = append(texts, string(text))
		}
		for _, text := range texts {
			if strings.Contains(text, "s3cr3t") || strings.Contains(text, fmt.Sprintf("%x", "s3cr3t")) {
				t.Errorf("a %s shows its secret: %s", name, text)
			}
		}
	}
}
