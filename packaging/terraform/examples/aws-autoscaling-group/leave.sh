# shellcheck shell=sh
# Keeps the auto scaling group waiting for this machine while its job goes on, and no longer. GROUP, HOOK, REGION, SECONDS_WITHOUT
# (how long the hook waits without a heartbeat) and DRAIN_MINUTES (how long a job may go on) are set in front of it.
#
# cloud-init runs it at each boot. From then on it is a service, which at a shutdown ends after the runner's and before the network.
if [ "${1-}" != watch ]; then
  systemctl --quiet is-active leave-group.service || exec systemd-run --quiet --collect --unit=leave-group.service \
    --property=Restart=on-failure --property=RestartSec=10s --property=After=network.target --property=Before=network-online.target \
    /bin/sh "$0" watch
  exit
fi

# ask PATH: of the metadata service, by a token as IMDSv2 wants it.
ask() {
  token=$(curl -fsS -m 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token) &&
    curl -fsS -m 5 -H "X-aws-ec2-metadata-token: $token" "http://169.254.169.254/latest/meta-data/$1"
}

# tell VERB [OPTION...]: the group.
tell() {
  verb=$1
  shift
  timeout 60 aws autoscaling "$verb" --region "$REGION" --auto-scaling-group-name "$GROUP" --lifecycle-hook-name "$HOOK" \
    --instance-id "$id" "$@"
}

# works: a runner of this machine has not ended yet.
works() { [ -n "$(systemctl list-units --plain --no-legend --state=active,activating,deactivating 'actions.runner.*')" ]; }

# now: seconds that no setting of the clock changes.
now() { cut -d . -f 1 /proc/uptime; }

# finish tells the group that it need not wait any longer. If nobody hears it, the hook ends SECONDS_WITHOUT after the last heartbeat.
finish() {
  trap '' TERM
  for pause in 0 5 10 20 40; do
    sleep "$pause"
    ! tell complete-lifecycle-action --lifecycle-action-result CONTINUE || break
  done
  exit 0
}

until id=$(ask instance-id 2>/dev/null); do sleep 5; done
# Also Warmed:Terminated, for a machine of a warm pool.
until case $(ask autoscaling/target-lifecycle-state 2>/dev/null) in *Terminated) ;; *) false ;; esac do sleep 5; done

# The supervisor sees the same, lets its job finish within DRAIN_MINUTES, and needs a moment to leave GitHub.
trap finish TERM
end=$(($(now) + DRAIN_MINUTES * 60 + 300)) next=0
while works && [ "$(now)" -lt "$end" ]; do
  if [ "$(now)" -ge "$next" ]; then
    next=$(($(now) + SECONDS_WITHOUT / 3))
    tell record-lifecycle-action-heartbeat || next=$(($(now) + 10))
  fi
  sleep 5
done
finish
