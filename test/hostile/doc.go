// Package hostile plays the opponents of SECURITY.md against the compiled program, on real systems: jobs that want to become
// root, outlive themselves, or meet the next registration, and administrators out of luck. Each test is an attack that once
// worked, numbered from H1 on, and is done in its smallest real form; it says what is right instead.
//
//	go test -tags e2e -run 'TestHostile/debian13/H5_' ./test/hostile
//
// as root, on Linux. To see one fail, give it a program of the commit before its cure: RUNNER_BOOTSTRAP_E2E_PROGRAM=/path/to/it.
package hostile
