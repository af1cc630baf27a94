# shellcheck shell=sh
# What --on-exit runs, as root, within a minute, when the runner of this machine has ended. GROUP, HOOK
# and REGION are set in front of it.
#
# Where the group, or AWS, takes the machine away, the group is told that it need not wait for it any
# longer: its hook would be waited out otherwise. Without a hook, as after a notice of spot, that is
# refused. All else switches the machine off, and so terminates it.
if [ "$RUNNER_END" = preempted ]; then
  for pause in 0 5 10; do
    sleep "$pause"
    ! aws autoscaling complete-lifecycle-action --region "$REGION" --lifecycle-action-result CONTINUE \
      --auto-scaling-group-name "$GROUP" --lifecycle-hook-name "$HOOK" \
      --instance-id "$(cat /var/lib/cloud/data/instance-id)" || exit 0
  done
fi
exec systemctl poweroff
