// Package wine runs Windows programs in tests, on a machine that has a Windows of its own and is thrown away.
//
// The Windows is Wine's (scripts/e2e-wine.sh), with an overlay on top that is forgotten. What runs there reaches the test's own
// servers at 127.0.0.1. It needs Linux, root and x86_64, and is built with the tag e2e only.
//
// Nothing survives the test, whichever way that ends: the machine is a process namespace with mounts of its own, whose first
// process ends with the test's process, and the kernel ends the rest with it.
//
// What Wine does not have is no proof of anything: it enforces no access lists, has no symbolic links, gives every service the
// same token, and its service manager neither restarts a service that fails nor tells one of a shutdown.
package wine
