// Package packages proves what scripts/package.sh makes: that names agree everywhere, and, with go test -tags e2e
// ./test/packages as root on Linux, that the packages install, upgrade, go away, and make a host a runner at its first boot.
package packages
