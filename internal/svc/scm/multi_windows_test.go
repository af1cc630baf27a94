package scm

import (
	"slices"
	"testing"
)

func TestMultiString(t *testing.T) {
	t.Parallel()
	if got, want := multiString([]string{"ab", "c"}), []uint16{'a', 'b', 0, 'c', 0, 0}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
