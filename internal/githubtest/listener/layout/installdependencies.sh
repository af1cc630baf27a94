#!/bin/sh
if [ "$(id -u)" -ne 0 ]; then
    echo "Need to run with sudo privilege"
    exit 1
fi
echo "Finished Install Dependencies"
