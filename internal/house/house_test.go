// Package house holds the rules that this repository keeps about itself, as far as the linters (.golangci.yml) do not
// have them: they know no other file than the one in hand.
//
// It has tests only. TestHouse applies every rule to the tree, TestRulesCanFail
// applies every rule to small trees that keep it and that break it, and
// TestThirdParty compares THIRD_PARTY.md with what the program links. A rule
// that gets in the way is changed here, together with its reason.
package house

import (
	"os"
	"testing"
)

// rule is one thing that must hold everywhere. Check returns one finding for
// each place where it does not, as "path:line: what is wrong".
type rule struct {
	name   string
	reason string
	check  func(*tree) []string
}

func rules() []rule {
	return []rule{
		{"package name", "such a name says nothing about what is inside, and so everything ends up inside", plainNames},
		{"import arrows", "arrows point down only, so that each room can be read, tested and replaced without the rooms above it", importArrows},
		{"simulator stays outside", "code that knows the simulator can behave well for it and badly for GitHub", simulatorOutside},
		{"one home per module", "a dependency that one package hides can be replaced or patched in that package", oneHome},
		{"package size", "what cannot be read in one sitting has parts that nobody knows", packageSizes},
		{"struct size", "what has more parts than can be named from memory is several things", structSizes},
		{"methods of a type", "all methods of a type can change all of it: some of many belong to a type of its own", methodCounts},
		{"nothing whole embedded", "what embeds a host or a plan can do all that these can, and nobody sees what of it is used", wholesEmbedded},
		{"one home for systemd", "another service manager is added where this one is known, and nowhere else", systemdsHome},
		{"one remover", "a removal that crosses a mount, or follows what a job has put there, empties what is somebody else's", oneRemover},
		{"patterns compile, and late", "one that is none fails before its user, and each process before a listener would compile them all", patternsCompile},
		{"no machine paths", "a path of one machine is wrong on every other", noMachinePaths},
		{"no tokens", "a token in a repository is a token given away, even a revoked one trains people to ignore the alarm", noTokens},
		{"nothing unfinished", "a note to do something later is an issue, where it can be found, or it is done now", nothingUnfinished},
		{"promises are shown", "a promise that no test holds is a wish, and nobody notices when it ends", promisesShown},
		{"quoted words are said", "who looks for the words of an error in a guide finds nothing where the program has others by now", quotedSaid},
		{"links lead somewhere", "who follows a link that leads nowhere does not try the next one", linksLead},
		{"plain words", "most who read this in a hurry have learned English later, and stop at a word that they do not use", plainWords},
		{"scripts are named after commands", "the one who changes a command must find what holds it by its name", scriptNames},
	}
}

// top is the repository, seen from here.
const top = "../.."

func TestHouse(t *testing.T) {
	here, err := load(os.DirFS(top))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			for _, finding := range r.check(here) {
				t.Errorf("%s\n\twhy this is a rule: %s", finding, r.reason)
			}
		})
	}
}
