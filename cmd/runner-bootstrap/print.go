package main

import (
	"encoding/json"
	"io"
)

func yes(on bool) string {
	if on {
		return "yes"
	}
	return "no"
}

func printJSON(out io.Writer, value any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}
