package sealcheck

import (
	"regexp"
	"sync"
)

// pattern is a regular expression that is compiled when it is first used: each start of the program would pay for it.
type pattern struct{ get func() *regexp.Regexp }

func lazily(text string) *pattern {
	return &pattern{sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })}
}

func (p *pattern) Match(text []byte) bool { return p.get().Match(text) }

func (p *pattern) MatchString(text string) bool { return p.get().MatchString(text) }

func (p *pattern) FindSubmatch(text []byte) [][]byte { return p.get().FindSubmatch(text) }

func (p *pattern) FindAllSubmatch(text []byte, most int) [][][]byte {
	return p.get().FindAllSubmatch(text, most)
}

func (p *pattern) ReplaceAllString(text, by string) string { return p.get().ReplaceAllString(text, by) }
