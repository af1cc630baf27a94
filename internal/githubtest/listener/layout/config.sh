#!/bin/sh
# Simulated config.sh: behaves at its boundary like the one of actions/runner.
if [ "$(id -u)" -eq 0 ] && [ -z "$RUNNER_ALLOW_RUNASROOT" ]; then
    echo "Must not run with sudo"
    exit 1
fi

dir=$(cd "$(dirname "$0")" && pwd) || exit 1
cd "$dir" || exit 1
# shellcheck source=/dev/null
. ./env.sh

# The word counts only where it comes first.
first=$(printf '%s' "$1" | tr '[:upper:]' '[:lower:]')
if [ "$first" = "remove" ]; then
    shift
    ./bin/Runner.Listener remove "$@"
else
    ./bin/Runner.Listener configure "$@"
fi
