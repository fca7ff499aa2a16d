#!/usr/bin/env bash
# Builds the native part of faiss-node against Debian's libfaiss with one g++ call, for networks that block its own download.
# Needs apt-get (or libfaiss-dev and libopenblas-dev), the headers of Node, and g++.
#
# usage: install-faiss-node.sh PACKAGE_FOLDER   (the folder of faiss-node in node_modules)
set -euo pipefail

package=$(realpath "${1:?the folder of faiss-node}")
addon=$package/build/Release/faiss-node.node

if ! dpkg -s libfaiss-dev libopenblas-dev > /dev/null 2>&1; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends libfaiss-dev libopenblas-dev > /dev/null
fi

if [ ! -f "$addon" ]; then
  headers=$(bash "$(dirname "$0")/node-headers.sh")
  mkdir -p "$package/build/Release"
  # faiss 1.7.3 calls the type Index::idx_t; faiss-node expects 1.7.4's name for it.
  printf '#pragma once\n#include <faiss/Index.h>\nnamespace faiss { using idx_t = Index::idx_t; }\n' > "$package/build/idx.h"
  g++ -O2 -std=c++17 -shared -fPIC -fopenmp -w -DNAPI_VERSION=6 -DNAPI_CPP_EXCEPTIONS -include "$package/build/idx.h" \
    -I"$headers" -I"$(node -p 'require("path").dirname(require.resolve("node-addon-api", { paths: [process.argv[1]] }))' "$package")" \
    "$package/src/faiss.cc" -o "$addon.part" -lfaiss -lopenblas
  mv "$addon.part" "$addon"
fi
node -e 'new (require(process.argv[1]).IndexFlatL2)(2)' "$package"
echo 'faiss-node is ready'
