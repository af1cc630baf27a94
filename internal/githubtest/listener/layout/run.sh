#!/bin/bash
# Simulated run.sh: restarts run-helper, and hides nearly every exit code behind 0.
DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) || exit 1

# run_once ends with the code of the helper.
run_once() {
    cp -f "$DIR/run-helper.sh.template" "$DIR/run-helper.sh" || return 1
    chmod 755 "$DIR/run-helper.sh"
    if [ -z "$RUNNER_MANUALLY_TRAP_SIG" ]; then
        # shellcheck disable=SC2048,SC2086 # like the real one, it splits an argument with blanks
        "$DIR/run-helper.sh" $*
        return $?
    fi
    set -m
    trap 'kill -INT -"$PID"' INT TERM
    # shellcheck disable=SC2048,SC2086
    "$DIR/run-helper.sh" $* &
    PID=$!
    wait "$PID"
    local code=$?
    # A signal ends the wait, not the helper.
    while kill -0 "$PID" 2>/dev/null; do
        wait "$PID"
    done
    return "$code"
}

while :; do
    run_once "$@"
    code=$?
    if [ "$code" -eq 2 ]; then
        echo "Restarting runner..."
    elif [ "$code" -eq 7 ] && [ "$ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE" = "1" ]; then
        echo "Exiting runner..."
        exit 7
    else
        echo "Exiting runner..."
        [ -n "$RUNNER_MANUALLY_TRAP_SIG" ] && exit "$code"
        exit 0
    fi
done
