#!/usr/bin/env bash
# Prints the folder of the headers of Node, which native addons need to compile.
set -euo pipefail
for folder in "$(node -p 'require("path").dirname(process.execPath)')/../include/node" /usr/include/node /usr/local/include/node; do
  if [ -f "$folder/node_api.h" ]; then
    echo "$folder"
    exit
  fi
done
echo 'node_api.h was not found; install the headers of Node' >&2
exit 1
