#!/bin/bash
# Simulated service entry point: the frozen PATH, and TERM turned into INT.
[ -f .path ] && PATH=$(cat .path) && export PATH
./bin/Runner.Listener run --startuptype service &
PID=$!
trap 'kill -INT "$PID"' TERM INT
wait "$PID"
trap - TERM INT
wait "$PID" 2>/dev/null
exit 0
