//go:build unix

package infrastructure

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// leave is what the machines of the AWS example run beside their runner.
const leave = module + "/examples/aws-autoscaling-group/leave.sh"

// The stand-ins share files: clock is the time, which sleep moves on; log is what was done. What the metadata service, the group and
// the runner do depends on the clock.
var standIns = map[string]string{
	"sleep": `now=$(($(/usr/bin/cat clock) + $1))
echo $now >clock.new && mv clock.new clock
[ $now -lt $STOPS ] || [ -e stopped ] || { touch stopped && kill -TERM $PPID; }`,
	"cut": `/usr/bin/cat clock`,
	"curl": `now=$(/usr/bin/cat clock)
case $* in
*-X?PUT*ttl-seconds*) [ $now -ge $AWAKE ] && echo the-token ;;
*'token: the-token'*instance-id) echo i-0abc ;;
*'token: the-token'*target-lifecycle-state) [ $now -ge $WANTED ] && echo $STATE || echo InService ;;
*) exit 22 ;;
esac`,
	"systemctl": `case $* in
*is-active*) [ "$ACTIVE" = yes ] ;;
*list-units*) [ $(/usr/bin/cat clock) -ge $ENDS ] || echo actions.runner.o.i-0abc.service ;;
esac`,
	"systemd-run": `echo "systemd-run $*" >>log`,
	"timeout":     `shift; exec "$@"`,
	"aws": `now=$(/usr/bin/cat clock)
case $* in
"autoscaling record-lifecycle-action-heartbeat --region eu-central-1 --auto-scaling-group-name runners --lifecycle-hook-name wait --instance-id i-0abc")
	echo "$now heartbeat" >>log ;;
"autoscaling complete-lifecycle-action --region eu-central-1 --auto-scaling-group-name runners --lifecycle-hook-name wait --instance-id i-0abc --lifecycle-action-result CONTINUE")
	echo "$now complete" >>log ;;
*) echo "$*" >>log; exit 252 ;;
esac
for refused in $REFUSES; do [ $refused != $now ] || exit 254; done`,
}

// TestLeave: a group waits for a machine as long as its runner works, and not longer than that may.
func TestLeave(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		given []string
		words []string
		want  string
	}{
		"a short job": {given: []string{"WANTED=60", "ENDS=70"}, want: "60 heartbeat\n70 complete\n"},
		"a long job":  {given: []string{"ENDS=1000"}, want: "0 heartbeat\n300 heartbeat\n600 heartbeat\n900 heartbeat\n1000 complete\n"},
		"no job":      {given: []string{"WANTED=60", "ENDS=0"}, want: "60 complete\n"},
		"too long a job": {
			given: []string{"ENDS=99999"},
			want:  "0 heartbeat\n300 heartbeat\n600 heartbeat\n900 heartbeat\n1200 complete\n",
		},
		"late metadata":      {given: []string{"AWAKE=50", "ENDS=60"}, want: "50 heartbeat\n60 complete\n"},
		"out of a warm pool": {given: []string{"STATE=Warmed:Terminated", "ENDS=0"}, want: "0 complete\n"},
		"refused once": {
			given: []string{"REFUSES=0 400", "ENDS=400"},
			want:  "0 heartbeat\n10 heartbeat\n310 heartbeat\n400 complete\n405 complete\n",
		},
		"without a hook":            {given: []string{"REFUSES=0 5 15 35 75", "ENDS=0"}, want: "0 complete\n5 complete\n15 complete\n35 complete\n75 complete\n"},
		"stopped, as at a shutdown": {given: []string{"ENDS=1000", "STOPS=20"}, want: "0 heartbeat\n20 complete\n"},
		"at a boot": {words: []string{}, want: "systemd-run --quiet --collect --unit=leave-group.service --property=Restart=on-failure " +
			"--property=RestartSec=10s --property=After=network.target --property=Before=network-online.target /bin/sh SCRIPT watch\n"},
		"at a boot, again": {words: []string{}, given: []string{"ACTIVE=yes"}, want: ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			write := func(name, text string) {
				if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o755); err != nil { //nolint:gosec // it is run
					t.Fatal(err)
				}
			}
			for program, text := range standIns {
				write(program, "#!/bin/sh\ncd \"$FOLDER\"\n"+text+"\n")
			}
			write("clock", "0\n")
			write("log", "")
			// As the example puts it together.
			write("script", "#!/bin/sh\nGROUP='runners' HOOK='wait' REGION='eu-central-1' SECONDS_WITHOUT=900 DRAIN_MINUTES=15\n"+read(t, leave))
			if c.words == nil {
				c.words = []string{"watch"}
			}
			cmd := exec.CommandContext(t.Context(), filepath.Join(folder, "script"), c.words...)
			cmd.Env = append([]string{
				"PATH=" + folder + ":/usr/bin:/bin", "FOLDER=" + folder, "AWAKE=0", "WANTED=0", "STATE=Terminated", "ENDS=0", "REFUSES=", "ACTIVE=", "STOPS=99999",
			}, c.given...)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			got := strings.ReplaceAll(read(t, filepath.Join(folder, "log")), filepath.Join(folder, "script"), "SCRIPT")
			if got != c.want {
				t.Errorf("it does\n%swant\n%s", got, c.want)
			}
		})
	}
}
