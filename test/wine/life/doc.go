// Package life plays the life of a runner on a Windows: as the program is built here, and as the packages of a release install it.
package life
