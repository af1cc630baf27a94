package main

// example is a command as somebody would type it.
type example struct{ about, command string }

const (
	exampleRepo = "https://github.com/OWNER/REPO"
	exampleOrg  = "https://github.com/ORG"
	ourselves   = "runner-bootstrap "
	withRoot    = "sudo runner-bootstrap "
	forOrg      = ourselves + "cloud-init --url " + exampleOrg
)

// examplesOf are the examples of a command, in the order of how often they are wanted, as they are typed here.
func examplesOf(command string) []example {
	all := examplesEverywhere(command)
	for i := range all {
		all[i].command = typedHere(all[i].command)
	}
	return all
}

func examplesEverywhere(command string) []example {
	switch command {
	case "install":
		return []example{
			{"By hand; it asks for the token of GitHub's page", withRoot + "install --url " + exampleRepo},
			{
				"A clean runner for each job, four of them on this host",
				withRoot + "install --url " + exampleOrg + " --ephemeral --count 4 --labels gpu --token-file TOKEN",
			},
			{"What would change, and nothing else", withRoot + "install --labels gpu,new --dry-run"},
		}
	case "uninstall":
		return []example{
			{"The only runner of this host", withRoot + "uninstall"},
			{"All of them, with a credential for GitHub", withRoot + "uninstall --all --token-file TOKEN"},
			{"Of a repository that was deleted", withRoot + "uninstall --local"},
		}
	case "status":
		return []example{
			{"All runners of this host", withRoot + "status"},
			{"One of them, for a script: code 0 if it is well, 9 if not", withRoot + "status --name web-1 --json"},
			{"With what GitHub says of it", withRoot + "status --token-file TOKEN"},
		}
	case "run":
		return []example{
			{"In this terminal, until Ctrl-C", ourselves + "run --dir ./runner"},
			{"As the first process of a container", ourselves + "run --name web-1 --dir /runner --log-format json"},
			{"Register again with this credential", ourselves + "run --dir ./runner --token-file TOKEN"},
		}
	case "drain":
		return []example{
			{"Before an update of this host", withRoot + "drain --name web-1"},
			{"Take jobs again", withRoot + "drain --name web-1 --resume"},
			{"All of them, and wait no longer than ten minutes", withRoot + "drain --all --timeout 10m"},
		}
	case "doctor":
		return []example{
			{"Before the first install", withRoot + "doctor --url " + exampleRepo + " --token-file TOKEN"},
			{
				onWindows("Install the libraries that the runner needs", "For a runner without a service"),
				withRoot + onWindows("doctor --fix", "doctor --no-service --dir ./runner"),
			},
			{"Behind a proxy", ourselves + "doctor --url " + exampleRepo + " --proxy http://proxy.example.com:3128"},
		}
	case "prepare":
		return []example{
			{"Into an image: a machine of it downloads nothing", withRoot + "prepare"},
			{"This version, for a host without a network", withRoot + "prepare --runner-version 2.337.0"},
			{"Look whether the image holds a secret, and remove it", withRoot + "prepare --seal --fix"},
		}
	case "cloud-init":
		return []example{
			{"For a cloud's user data field", forOrg + " --ephemeral --token-command COMMAND > user-data"},
			{"For an image that has the package", forOrg + " --baked --token-file /etc/runner-bootstrap/token"},
			{"Names that tell the machines apart", forOrg + " --name 'ci-{instance_id}' --token-command COMMAND"},
		}
	}
	if daily := examplesOfDailyLife(command); daily != nil {
		return daily
	}
	return examplesOfCalls(command)
}

// examplesOfCalls are those of commands about GitHub, the cache and the configuration.
func examplesOfCalls(command string) []example {
	about := " --url " + exampleOrg + " --token-file TOKEN"
	switch command {
	case "config-validate":
		return []example{
			{"The file that install reads", withRoot + "config validate"},
			{"Another one", ourselves + "config validate --config config.yaml"},
			{"With what it would be used with", ourselves + "config validate --config config.yaml --url " + exampleRepo},
		}
	case "config-show":
		return []example{
			{"What install would go by, and where each value is from", withRoot + "config show"},
			{"Of another file", ourselves + "config show --config config.yaml"},
			{"For a program", ourselves + "config show --json"},
		}
	case "runners-list":
		return []example{
			{"Of an organization", ourselves + "runners list" + about},
			{"With a label", ourselves + "runners list --label gpu" + about},
			{"Of what this host's runner belongs to", withRoot + "runners list"},
		}
	case "runners-get":
		return []example{
			{"By its name", ourselves + "runners get web-1" + about},
			{"By its id", ourselves + "runners get 23" + about},
			{"For a program", ourselves + "runners get web-1 --json" + about},
		}
	case "runners-delete":
		return []example{
			{"By its name", ourselves + "runners delete web-1" + about},
			{"Several", ourselves + "runners delete web-1 web-2" + about},
			{"By its id", ourselves + "runners delete 23" + about},
		}
	case "runners-prune":
		return []example{
			{"List those of a kind that are offline", ourselves + "runners prune 'ci-*'" + about},
			{"Delete them", ourselves + "runners prune 'ci-*' --delete" + about},
			{"Of all runners, those with a label", ourselves + "runners prune '*' --label gpu --delete" + about},
		}
	case "labels-list", "labels-clear":
		verb := "labels " + command[len("labels-"):]
		return []example{
			{"By its name", ourselves + verb + " web-1" + about},
			{"By its id", ourselves + verb + " 23" + about},
			{"Of a repository", ourselves + verb + " web-1 --url " + exampleRepo + " --token-file TOKEN"},
		}
	case "labels-add", "labels-set", "labels-remove":
		verb := "labels " + command[len("labels-"):]
		return []example{
			{"One label", ourselves + verb + " web-1 gpu" + about},
			{"Several", ourselves + verb + " web-1 gpu big" + about},
			{"Of a runner by its id", ourselves + verb + " 23 gpu" + about},
		}
	}
	return examplesOfTokens(command, about)
}

// examplesOfTokens are those of commands that print what GitHub has.
func examplesOfTokens(command, about string) []example {
	switch command {
	case "cache-list":
		return []example{
			{"What is there", withRoot + "cache list"},
			{"Below a directory of your own", ourselves + "cache list --dir ./runner"},
			{"For a program", withRoot + "cache list --json"},
		}
	case "cache-prune":
		return []example{
			{"What would go", withRoot + "cache prune --dry-run"},
			{"All but the two newest", withRoot + "cache prune --keep 2"},
			{"Below a directory of your own", ourselves + "cache prune --dir ./runner"},
		}
	case "groups-list":
		return []example{
			{"Of an organization", ourselves + "groups list" + about},
			{"Of an enterprise", ourselves + "groups list --url https://github.com/enterprises/SLUG --token-file TOKEN"},
			{"For a program", ourselves + "groups list --json" + about},
		}
	case "downloads":
		return []example{
			{"What GitHub offers", ourselves + "downloads" + about},
			{"Of your GitHub Enterprise Server", ourselves + "downloads --url https://HOST/ORG --token-file TOKEN"},
			{"For a program", ourselves + "downloads --json" + about},
		}
	case "token-registration", "token-remove":
		verb := "token " + command[len("token-"):]
		return []example{
			{"Of an organization", ourselves + verb + about},
			{"Of a repository", ourselves + verb + " --url " + exampleRepo + " --token-file TOKEN"},
			{"With the time when it ends", ourselves + verb + " --json" + about},
		}
	case "jitconfig":
		return []example{
			{"For one job", ourselves + "jitconfig --name job-1" + about},
			{"With labels", ourselves + "jitconfig --name job-1 --labels gpu" + about},
			{"With the runner's id", ourselves + "jitconfig --name job-1 --json" + about},
		}
	}
	return nil
}

// examplesOfDailyLife are those of commands about runners that are at work.
func examplesOfDailyLife(command string) []example {
	switch command {
	case "restart":
		return []example{
			{"With the program that is installed now", withRoot + "restart --name web-1"},
			{"All of them, each when its job is done", withRoot + "restart --all --timeout 1h"},
			{"At once: a running job is cancelled", withRoot + "restart --name web-1 --now"},
		}
	case "list":
		return []example{
			{"All runners of this host", withRoot + "list"},
			{"Below a directory of your own", ourselves + "list --dir ./runner"},
			{"For a program", withRoot + "list --json"},
		}
	case "logs":
		return []example{
			{"Of the only runner of this host", withRoot + "logs"},
			{"As it comes", withRoot + "logs --name web-1 -f"},
			{"What GitHub's own program has logged", withRoot + "logs --name web-1 --listener"},
		}
	}
	return nil
}
