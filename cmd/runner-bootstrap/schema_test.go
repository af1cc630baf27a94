package main

import (
	"bytes"
	"encoding"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/runner-bootstrap/runner-bootstrap/internal/bootstrap"
	"github.com/runner-bootstrap/runner-bootstrap/internal/doctor"
	"github.com/runner-bootstrap/runner-bootstrap/internal/download"
	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/health"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/status"
)

// The shapes of what --json prints are a contract: each has a schema in docs/reference/json, made of the types that are
// printed, and whatever a script has the program print is held to it.

const schemas = "../../docs/reference/json"

// printed are the values that commands print, by their schemas.
func printed() map[string]any {
	return map[string]any{
		"install": oneOrMore{plan.Plan{}}, "list": []listedRunner{}, "status": []status.Runner{}, "doctor": []doctor.Finding{},
		"prepare": bootstrap.Prepared{}, "version": versionFacts{}, "cache-list": []download.Entry{}, "cache-prune": []download.Entry{},
		"config-show": []shownOption{}, "downloads": []offered{}, "groups-list": []github.Group{}, "jitconfig": madeConfig{},
		"labels-list": []github.Label{}, "labels-add": []github.Label{}, "labels-set": []github.Label{}, "labels-remove": []github.Label{},
		"labels-clear": []github.Label{}, "runners-list": []github.Runner{}, "runners-get": github.Runner{},
		"runners-delete": []github.Runner{}, "runners-prune": []github.Runner{}, "token-registration": printedToken{}, "token-remove": printedToken{},
	}
}

// oneOrMore is printed as itself where there is one, and else as a list.
type oneOrMore struct{ of any }

// schema describes a type as it is encoded.
func schema(of reflect.Type) map[string]any {
	timed, textual := reflect.TypeFor[time.Time](), reflect.TypeFor[encoding.TextMarshaler]()
	switch {
	case of == timed:
		return map[string]any{"type": "string", "format": "date-time"}
	case of.Kind() == reflect.Pointer:
		return map[string]any{"anyOf": []any{schema(of.Elem()), map[string]any{"type": "null"}}}
	case of.Implements(textual):
		return map[string]any{"type": "string"}
	}
	switch of.Kind() { //nolint:exhaustive // the others are printed as they are, and have no schema
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int64, reflect.Uint64, reflect.Uint32, reflect.Int32:
		return map[string]any{"type": "integer"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Slice:
		return map[string]any{"type": []string{"array", "null"}, "items": schema(of.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": schema(of.Elem())}
	case reflect.Struct:
		properties, required := map[string]any{}, []string{}
		fields(of, func(name string, always bool, of reflect.Type) {
			properties[name] = schema(of)
			if always {
				required = append(required, name)
			}
		})
		slices.Sort(required)
		return map[string]any{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
	}
	return map[string]any{}
}

// fields calls yield for each field of a struct as encoding/json sees it.
func fields(of reflect.Type, yield func(name string, always bool, of reflect.Type)) {
	for f := range of.Fields() {
		tag, _ := f.Tag.Lookup("json")
		name, more, _ := strings.Cut(tag, ",")
		switch {
		case name == "-", !f.IsExported() && !f.Anonymous:
		case f.Anonymous && name == "":
			fields(f.Type, yield)
		default:
			yield(firstOf(name, f.Name), !strings.Contains(more, "omit"), f.Type)
		}
	}
}

func schemaOf(command string, value any) map[string]any {
	var made map[string]any
	if several, ok := value.(oneOrMore); ok {
		one := schema(reflect.TypeOf(several.of))
		made = map[string]any{"oneOf": []any{one, map[string]any{"type": "array", "items": one}}}
	} else {
		made = schema(reflect.TypeOf(value))
	}
	made["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	made["title"] = "runner-bootstrap " + typedCommand(command) + " --json"
	return made
}

// TestSchemas holds the schemas to the types that are printed, and every command with --json to having one.
func TestSchemas(t *testing.T) {
	all := printed()
	want := map[string]bool{"README.md": true, "event.json": true}
	for command, value := range all {
		if value == nil {
			continue // it prints nothing
		}
		want[command+".json"] = true
		checkSchema(t, command+".json", schemaOf(command, value))
	}
	event := schema(reflect.TypeFor[health.Event]())
	event["$schema"], event["title"] = "https://json-schema.org/draft/2020-12/schema", "What --status-webhook posts"
	properties, required := event["properties"].(map[string]any), event["required"].([]string)
	properties["schema"] = map[string]any{"type": "integer"}
	event["required"] = slices.Sorted(slices.Values(append(required, "schema")))
	checkSchema(t, "event.json", event)
	checkSchema(t, "README.md", nil)
	entries, err := os.ReadDir(schemas)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !want[entry.Name()] {
			t.Errorf("%s is the schema of nothing", entry.Name())
		}
	}
	for _, o := range declaredOptions() {
		for command := range strings.FieldsSeq(o.commands) {
			if _, known := all[command]; o.name == "json" && !known {
				t.Errorf("%s has --json, and no schema", command)
			}
		}
	}
}

// checkSchema compares a file of the schemas, or writes it. Their page is made of them.
func checkSchema(t *testing.T, name string, made map[string]any) {
	t.Helper()
	var text []byte
	if made == nil {
		text = schemaPage(t)
	} else {
		var b bytes.Buffer
		if err := printJSON(&b, made); err != nil {
			t.Fatal(err)
		}
		text = b.Bytes()
	}
	file := filepath.Join(schemas, name)
	if *update {
		if err := os.WriteFile(file, text, 0o644); err != nil { //nolint:gosec // a public text
			t.Fatal(err)
		}
		return
	}
	is, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(is, text) {
		t.Errorf("%s differs from what is printed (%v); run: go test ./cmd/runner-bootstrap -run TestSchemas -update", name, err)
	}
}

// schemaPage lists what each command prints.
func schemaPage(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("# What `--json` prints\n\nEach command prints one JSON value to standard output, and nothing else. Its shape is described by a\n" +
		"[JSON schema](https://json-schema.org), and changes only by getting more fields. Times are RFC 3339 in UTC. A command that\n" +
		"fails prints nothing, but for `status`, `doctor` and `prepare --seal`, which print what they found.\n\n" +
		"| command | schema | fields |\n|---|---|---|\n")
	all := printed()
	commands := make([]string, 0, len(all))
	for command, value := range all {
		if value != nil {
			commands = append(commands, command)
		}
	}
	slices.Sort(commands)
	for _, command := range commands {
		of := reflect.TypeOf(all[command])
		what := ""
		if several, ok := all[command].(oneOrMore); ok {
			of, what = reflect.TypeOf(several.of), "one, or a list where there are several: "
		}
		if of.Kind() == reflect.Slice {
			of, what = of.Elem(), "a list: "
		}
		var names []string
		fields(of, func(name string, _ bool, _ reflect.Type) { names = append(names, "`"+name+"`") })
		fmt.Fprintf(&b, "| `%s` | [%s.json](%s.json) | %s%s |\n", typedCommand(command), command, command, what, strings.Join(names, ", "))
	}
	b.WriteString("\n[event.json](event.json) describes what [`--status-webhook`](../events.md) posts.\n")
	return b.Bytes()
}

// heldToSchema is a stream to which a command prints JSON: check tells whether it was as its schema says.
type heldToSchema struct {
	io.Writer
	text bytes.Buffer
}

func (h *heldToSchema) Write(p []byte) (int, error) {
	h.text.Write(p)
	return h.Writer.Write(p)
}

func (h *heldToSchema) check(folder string, arguments []string) error {
	if h.text.Len() == 0 || !slices.Contains(arguments, "--json") && !slices.Contains(arguments, "--json=true") {
		return nil
	}
	name := arguments[0]
	if _, alone := printed()[name]; !alone && len(arguments) > 1 {
		name += "-" + arguments[1]
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(h.text.Bytes()))
	if err != nil {
		return fmt.Errorf("what %q has printed is no JSON: %w", arguments, err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	compiled, err := compiler.Compile(filepath.Join(folder, name+".json"))
	if err == nil {
		err = compiled.Validate(value)
	}
	if err != nil {
		return fmt.Errorf("what %q has printed is not as its schema says: %w\n%s", arguments, err, h.text.String())
	}
	return nil
}

// What is not as its schema says is noticed.
func TestHeldToSchema(t *testing.T) {
	t.Parallel()
	folder, err := filepath.Abs(schemas)
	if err != nil {
		t.Fatal(err)
	}
	for text, right := range map[string]bool{
		`{"version": "1", "go": "go1", "platform": "linux/amd64"}`:            true,
		`{"version": "1", "go": "go1"}`:                                       false,
		`{"version": "1", "go": "go1", "platform": "linux/amd64", "more": 1}`: false,
		`{"version": 1, "go": "go1", "platform": "linux/amd64"}`:              false,
		`[]`: false, `{"version"`: false, ``: true,
	} {
		h := &heldToSchema{Writer: io.Discard}
		_, _ = h.Write([]byte(text))
		if err := h.check(folder, []string{"version", "--json"}); (err == nil) != right {
			t.Errorf("%s: %v", text, err)
		}
	}
}
