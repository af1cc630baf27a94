// Package e2e proves the program on real systems: go test -tags e2e ./test/e2e/... as root, on Linux.
package e2e
