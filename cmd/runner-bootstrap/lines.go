package main

import (
	"fmt"
	"io"
)

// lines writes one line after the other until one fails, and keeps that error: an output that has ended early is not to be taken
// for all.
type lines struct {
	out io.Writer
	err error
}

func (l *lines) add(format string, values ...any) {
	if l.err == nil {
		_, l.err = fmt.Fprintf(l.out, format+"\n", values...)
	}
}
