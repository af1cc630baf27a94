// Package doctor breaks hosts in every way that runner-bootstrap doctor knows, and looks whether the compiled program
// says so. The tests need Linux and root: each host is a namespace of its own, so that nothing of the real one changes.
package doctor
