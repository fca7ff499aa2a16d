#!/usr/bin/env bash
# Prints the folder of Node's headers, which a native addon is compiled with.
set -euo pipefail
for folder in "$(node -p 'require("path").dirname(process.execPath)')/../include/node" /usr/include/node /usr/local/include/node; do
  if [ -f "$folder/node_api.h" ]; then
    echo "$folder"
    exit
  fi
done
echo 'node_api.h is not there; install the headers of Node' >&2
exit 1
