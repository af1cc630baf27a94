package workspace

import "os"

// plain leaves a folder as it is: which access lists a job has set, and which it had before, is not told there.
func plain(*os.Root, int) error { return nil }
