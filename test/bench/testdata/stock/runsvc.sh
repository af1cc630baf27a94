#!/bin/bash
# What the stock unit starts, in our own words: the shell stays, so that TERM
# reaches the program below it as INT. The folder of Node.js is its argument; in
# the real one it is written down.
if [ -f .path ]; then
  PATH=$(cat .path)
  export PATH
fi
"./externals/$1/bin/node" ./bin/service.js &
service=$!
trap 'kill -INT "$service"' TERM INT
wait "$service" # ends with the first signal
trap - TERM INT
wait "$service"
