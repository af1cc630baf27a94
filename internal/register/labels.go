package register

import (
	"unicode/utf16"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
)

// maxLabel is the longest label that config.sh takes. With a longer one among
// them it drops all labels and says nothing (actions/runner, Validators.cs).
const maxLabel = 256

// CheckLabels refuses labels that config.sh would drop: it counts characters as
// .NET does, in units of UTF-16, so that an emoji is two. [github.ErrLabels]
// says which.
func CheckLabels(names []string) error {
	for _, name := range names {
		if length := len(utf16.Encode([]rune(name))); length > maxLabel {
			return github.TooLong(name, length)
		}
	}
	return nil
}
