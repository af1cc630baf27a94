// Package pattern has regular expressions that are compiled when they are first used. Each start of the program would pay for
// them otherwise, that of the process before each listener included, which uses none.
package pattern

import (
	"regexp"
	"sync"
)

// Pattern is one regular expression. It may be used by several goroutines.
type Pattern struct {
	text     string
	once     sync.Once
	compiled *regexp.Regexp
}

// New is a pattern of a text that is part of the program. One that is no regular expression panics when it is first used;
// that each is one, is tested where all of them are looked at (internal/house).
func New(text string) *Pattern { return &Pattern{text: text} } // so simple that the compiler does it, and no start of the program

// Regexp is the compiled expression, for what is not below.
func (p *Pattern) Regexp() *regexp.Regexp {
	p.once.Do(p.compile)
	return p.compiled
}

func (p *Pattern) compile() { p.compiled = regexp.MustCompile(p.text) }

// Match is [regexp.Regexp.Match].
func (p *Pattern) Match(text []byte) bool { return p.Regexp().Match(text) }

// MatchString is [regexp.Regexp.MatchString].
func (p *Pattern) MatchString(text string) bool { return p.Regexp().MatchString(text) }

// FindSubmatch is [regexp.Regexp.FindSubmatch].
func (p *Pattern) FindSubmatch(text []byte) [][]byte { return p.Regexp().FindSubmatch(text) }

// FindStringSubmatch is [regexp.Regexp.FindStringSubmatch].
func (p *Pattern) FindStringSubmatch(text string) []string {
	return p.Regexp().FindStringSubmatch(text)
}

// FindString is [regexp.Regexp.FindString].
func (p *Pattern) FindString(text string) string { return p.Regexp().FindString(text) }

// FindAllSubmatch is [regexp.Regexp.FindAllSubmatch].
func (p *Pattern) FindAllSubmatch(text []byte, most int) [][][]byte {
	return p.Regexp().FindAllSubmatch(text, most)
}

// ReplaceAllString is [regexp.Regexp.ReplaceAllString].
func (p *Pattern) ReplaceAllString(text, by string) string {
	return p.Regexp().ReplaceAllString(text, by)
}
