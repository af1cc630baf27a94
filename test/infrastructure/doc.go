// Package infrastructure proves that packaging/terraform says what the program says. The module's own tests compare it
// with files; the tests here compare these files, and the keys that the module knows, with the program.
package infrastructure
