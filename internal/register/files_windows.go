package register

// noWait has no meaning here: Windows keeps pipes in a name space of their own.
const noWait = 0
