package installer

import "github.com/kardianos/service"

// Windows is a service as the service manager of Windows takes one.
type Windows struct {
	Name, Description string
	Executable        string // an absolute path
	Args              []string
	Automatic         bool   // it starts with the system
	Account           string // as the manager calls it; empty: the system's own
	Password          string // of an account that needs one
}

// OfWindows installs a service of Windows.
func OfWindows(w Windows) (Installer, error) {
	options := service.KeyValue{service.StartType: service.ServiceStartManual}
	if w.Automatic {
		options[service.StartType] = service.ServiceStartAutomatic
	}
	if w.Password != "" {
		options["Password"] = w.Password
	}
	return service.New(nil, &service.Config{
		Name: w.Name, DisplayName: w.Name, Description: w.Description, Executable: w.Executable, Arguments: w.Args,
		UserName: w.Account, Option: options,
	})
}
