package main

// againOptions are about an install on a host that has the runner already.
type againOptions struct{ reset, yes bool }

func (o *againOptions) options() []option {
	return []option{
		{
			name: "reset", once: true, commands: "install",
			usage: "forget the options of earlier installs of this runner; without it, an option that is not given keeps its value",
			on:    &o.reset,
		},
		{
			name: "yes", once: true, commands: "install",
			usage: "do not ask at a terminal before a runner is registered again or removed",
			on:    &o.yes,
		},
	}
}
