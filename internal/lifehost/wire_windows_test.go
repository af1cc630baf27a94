package lifehost

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
)

// A host that a job has made its own does not fill the memory of the agent: what is no report ends the talk.
func TestReportsAreBounded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		said string
		want error
	}{
		"reports":        {said: "{\"Main\":7}\n{\"Main\":7,\"What\":\"comes later\"}\n", want: io.EOF},
		"one line":       {said: "{\"Main\":7}\n" + string(bytes.Repeat([]byte("x"), 2*maxReport)), want: bufio.ErrTooLong},
		"half of a line": {said: "{\"Main\":7}\n{\"Main\":7}", want: io.EOF},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, in, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer out.Close()
			go func() {
				_, _ = io.WriteString(in, c.said) // it may be hung up on
				_ = in.Close()
			}()
			talk := newTalk(out, maxReport)
			heard := 0
			for err == nil {
				var said report
				if err = talk.hear(&said); err == nil && said.Main == 7 {
					heard++
				}
			}
			if !errors.Is(err, c.want) || heard == 0 {
				t.Errorf("%d are heard, and then %v, want %v", heard, err, c.want)
			}
		})
	}
}
