// Package installer proves scripts/install.sh: that it puts one verified program in its place with every shell and every
// tool that a host may have, and that it leaves nothing where it does not. The tests need Linux.
package installer
