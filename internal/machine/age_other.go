//go:build !linux

package machine

import "time"

// Age is for how long this system has been up; nobody asks for it here.
func Age() (age time.Duration, known bool) { return 0, false }
