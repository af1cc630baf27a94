// Package machine boots a throw-away computer with a real systemd, for tests.
//
// It is a container made by systemd-nspawn from a Debian tree (scripts/e2e-root.sh), with an overlay on top that is
// forgotten, and a network of its own that has nothing but 127.0.0.1, where the test can listen. It needs
// Linux and root, and is built with the tag e2e only.
//
// Nothing survives the test, whichever way that ends: the network and all mounts belong to a thread of
// the test's process, have no name, and are gone with it; so is the container, which is killed when that thread
// ends.
package machine
