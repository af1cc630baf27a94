package openfile

const (
	// noWait has no meaning here: Windows keeps pipes in a name space of their own.
	noWait = 0
	// noFollow is known to this package alone.
	noFollow  = 1 << 30
	openFlags = 0
)
