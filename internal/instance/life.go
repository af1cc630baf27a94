package instance

import "time"

// Duration is a time.Duration that is stored as people write it: "5m0s".
type Duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}

// Life is how a runner is kept: when it ends, how it stops, and who is told. It
// may be changed without registering again.
type Life struct {
	MaxJobs          int      `json:"max_jobs,omitempty"`
	MaxIdle          Duration `json:"max_idle,omitempty"`
	MaxLifetime      Duration `json:"max_lifetime,omitempty"`
	DrainTimeout     Duration `json:"drain_timeout,omitempty"`
	DeregisterOnStop bool     `json:"deregister_on_stop,omitempty"`
	OnExit           string   `json:"on_exit,omitempty"`
	OnExitPreempted  bool     `json:"on_exit_preempted,omitempty"` // also where the machine is taken away
	Preemption       string   `json:"preemption,omitempty"`
	Webhook          string   `json:"webhook,omitempty"` // its address may hold a secret, so records are private
	WebhookSecret    string   `json:"webhook_secret_file,omitempty"`
	MetricsFile      string   `json:"metrics_file,omitempty"`
	Allow            []string `json:"allow,omitempty"` // what is open to jobs, of AllowSudo and the others
}

// Credential says where the supervisor finds its credential. It is none itself:
// the private file that [Store.KeepCredential] writes is.
type Credential struct {
	Kept           bool   `json:"kept,omitempty"`
	TokenFile      string `json:"token_file,omitempty"`
	TokenCommand   string `json:"token_command,omitempty"`
	AppID          string `json:"app_id,omitempty"`
	AppKeyFile     string `json:"app_key_file,omitempty"`
	AppKeyCommand  string `json:"app_key_command,omitempty"`
	InstallationID int64  `json:"app_installation_id,omitempty"`
}

// Empty tells whether the supervisor has no credential.
func (c Credential) Empty() bool { return c == Credential{} }

// Source is where the runner came from.
type Source struct {
	Pinned bool   `json:"pinned,omitempty"` // by version or archive: it is not replaced by another
	Mirror string `json:"mirror,omitempty"`
	// MirrorHeaders is the file with headers for the mirror.
	MirrorHeaders string `json:"mirror_headers,omitempty"`
}

// What may be left open to jobs.
const (
	AllowSudo   = "sudo"
	AllowDocker = "docker"
	AllowDBus   = "dbus"
	AllowAll    = "all"
)
