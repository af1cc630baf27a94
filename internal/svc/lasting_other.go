//go:build !unix

package svc

import "os"

func streamOf(*os.File) string { return "" }
