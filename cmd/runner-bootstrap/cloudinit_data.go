package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/runner-bootstrap/runner-bootstrap/internal/github"
	"github.com/runner-bootstrap/runner-bootstrap/internal/openfile"
	"github.com/runner-bootstrap/runner-bootstrap/internal/plan"
	"github.com/runner-bootstrap/runner-bootstrap/internal/shell"
	"github.com/runner-bootstrap/runner-bootstrap/internal/terminal"
	"github.com/runner-bootstrap/runner-bootstrap/internal/transport"
	"github.com/runner-bootstrap/runner-bootstrap/internal/userdata"
)

// addFiles carries the files that options name, and has the options name them where they lie on the machine.
func addFiles(o *cloudInitOptions, data *userdata.Data) error {
	for _, file := range []struct {
		option, permissions string
		at                  *string
		secret              bool
	}{
		{"--ca-file", "0644", &o.install.network.caFile, false}, // the jobs read it as well
		{"--status-webhook-secret-file", "0600", &o.install.report.webhookSecret, true},
	} {
		if *file.at == "" {
			continue
		}
		if file.secret && !o.userData.exposeSecrets {
			if path.IsAbs(*file.at) {
				continue // the image has it, or somebody brings it
			}
			return usagef("%s: every process on the machine could read it from user data; give the absolute path of a file that "+
				"the machine has, or say that you know with --i-know", file.option)
		}
		if leftToImage(*file.at) {
			continue
		}
		text, err := openfile.Read(*file.at, maxSecret)
		if err != nil {
			return usagef("%s: %v", file.option, err)
		}
		*file.at = path.Join(path.Dir(o.install.futurePaths().Config), filepath.Base(*file.at))
		data.Add(*file.at, file.permissions, string(text))
	}
	return absoluteFiles(&o.install)
}

// leftToImage tells of a file that is not here, and that has one place on the machine, which runs Linux: its image has it there.
func leftToImage(file string) bool {
	if !path.IsAbs(file) {
		return false
	}
	_, err := os.Stat(file)
	return errors.Is(err, fs.ErrNotExist)
}

// checkText refuses what is not UTF-8: YAML, which user data is, holds it as binary alone, and the install reads no such value.
func checkText(call *session, o *cloudInitOptions) error {
	for _, option := range optionsFor("cloud-init", o.groups()) {
		if !call.given(option.name) {
			continue
		}
		valid := true
		switch value := option.setting().(type) {
		case string:
			valid = utf8.ValidString(value)
		case []string:
			valid = !slices.ContainsFunc(value, func(one string) bool { return !utf8.ValidString(one) })
		}
		if !valid {
			return usagef("--%s: the value is not UTF-8, which user data has to be", option.name)
		}
	}
	return nil
}

// absoluteFiles refuses a path that would mean another place on the machine than where it was typed.
func absoluteFiles(o *installOptions) error {
	for _, file := range [][2]string{
		{"--archive", o.source.archive}, {"--metrics-file", o.report.metricsFile}, {"--dir", o.place.dir},
	} {
		if file[1] != "" && !path.IsAbs(file[1]) {
			return usagef("%s: %q is on the machine, and so has to be an absolute path", file[0], file[1])
		}
	}
	return nil
}

// release is where the files of this program's own release are.
func release() string { return releases + "/download/v" + strings.TrimPrefix(version, "v") }

// pin fills in the digest of the list by which the machine checks this release, where nobody has given it and the machine fetches
// the release. The proxy and the authorities are those of this host: those of the options are the machine's.
func (o *userDataOptions) pin(ctx context.Context, call *session) error {
	if o.baked || o.packageURL != "" || o.checksumsSHA256 != "" {
		return nil
	}
	if err := settleProxies(); err != nil {
		return err
	}
	client := transport.NewDownload(transport.Config{UserAgent: "runner-bootstrap/" + versionText()})
	digest, err := userdata.Checksums(ctx, client, release())
	if err != nil {
		return err
	}
	o.checksumsSHA256 = digest
	call.console.log.Info("the machine takes this release alone", "version", version, "checksums_sha256", digest)
	return nil
}

// program is how the machine gets this program.
func (o *cloudInitOptions) program() userdata.Program {
	return userdata.Program{
		Baked:   o.userData.baked,
		Package: o.userData.packageURL, Digest: o.userData.packageSHA256,
		Release: release(), Checksums: o.userData.checksumsSHA256,
		Proxy: o.install.network.proxy, NoProxy: o.install.network.noProxy, CAFile: o.install.network.caFile,
	}
}

func printUserData(call *session, o *cloudInitOptions, scope github.Scope, data *userdata.Data) error {
	format := userdata.Format(o.userData.format)
	made, err := data.Bytes(format, "A GitHub Actions runner for "+scope.URL()+". Made by:", "  "+again(call, call.arguments))
	if err != nil {
		return err
	}
	warnOfSize(call, len(made), format)
	warnOfName(call, &o.install)
	out := call.out
	if printable, is := out.(*terminal.Printable); is && !terminal.Is(printable.To) {
		out = printable.To // a machine is to read each byte as it was made
	}
	_, err = out.Write(made)
	return err
}

func warnOfSize(call *session, size int, format userdata.Format) {
	refusing := userdata.Refusing(size)
	if len(refusing) == 0 {
		return
	}
	about := []any{"bytes", size, "refused_by", strings.Join(refusing, ", ")}
	if format != userdata.Gzip {
		about = append(about, "instead", "--format gzip")
	}
	call.console.log.Warn("user data is larger than a cloud takes", about...)
}

// warnOfName tells of a name that two machines with this user data would share. Only some placeholders are a machine's own: a host
// name may come with the image, or again with the next machine at the same address.
func warnOfName(call *session, o *installOptions) {
	name := o.name.name
	if name == "" || strings.Contains(name, "{instance_id}") || strings.Contains(name, "{random}") {
		return
	}
	own := "{instance_id}"
	if o.identity.metadata == plan.MetadataOff {
		own = "{random}"
	}
	if strings.Contains(name, "{hostname}") {
		better := strings.ReplaceAll(name, "{hostname}", own)
		call.console.log.Warn("machines whose host names are the same, or come again, would have one name at GitHub",
			"name", name, "instead", shell.Unix().Words("--name", better))
		return
	}
	better := name + "-" + own
	if strings.Contains(name, "{n}") {
		better = strings.Replace(name, "{n}", own+"-{n}", 1)
	}
	call.console.log.Warn("two machines with this user data would have one name at GitHub",
		"name", name, "instead", shell.Unix().Words("--name", better))
}
