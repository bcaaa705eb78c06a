#!/usr/bin/env bash
# Builds the console's pages into console/web/dist, from where the program embeds them. Does nothing where they are built already.
#
#   pages.sh           installs packages as pinned, generates the API's client, checks types, builds
#   pages.sh check     checks without building: types, unit tests, and that the committed client is the API's
#
# Ends with 2 where there is no Node, or one that is too old.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../console/web"

say() { [ -n "${QUIET:-}" ] || echo "pages: $*"; }
die() { echo "pages: $*" >&2; exit 1; }
no_node() {
    echo "pages: the console's pages need Node 20 or newer and npm, $*; without them the console says that it has no pages" >&2
    exit 2
}
hash_of() { { node --version; cat "$@"; } | sha256sum | cut -d' ' -f1; }

for program in node npm; do
    command -v "$program" >/dev/null || no_node "and there is no \`$program\`"
done
major=$(node --version | sed -E 's/^v([0-9]+).*/\1/')
[ "$major" -ge 20 ] || no_node "and this is $(node --version)"

# One process at a time installs or builds. The lock stands outside, since installing removes node_modules with all that is in it.
locks=${XDG_CACHE_HOME:-$HOME/.cache}/vedette/locks
mkdir -p "$locks"
exec 9>"$locks/pages-$(pwd -P | sha256sum | cut -c1-16)"
flock 9

key=$(hash_of package.json package-lock.json .npmrc)
if [ "$(cat node_modules/.vedette 2>/dev/null)" != "$key" ]; then
    say "fetching packages"
    npm ci --ignore-scripts --no-audit --no-fund >node_modules.log 2>&1 || { tail -n 20 node_modules.log >&2; die "packages could not be had; see console/web/node_modules.log"; }
    echo "$key" >node_modules/.vedette
fi

if [ "${1:-}" = check ]; then
    npx tsc --noEmit
    npx vitest run --silent
    npx openapi-typescript ../../docs/api/openapi.json 2>/dev/null | cmp -s - src/api/schema.ts ||
        die "src/api/schema.ts is not made of docs/api/openapi.json: \`npm run client\` in console/web"
    exit
fi

# Everything that goes into them, in an order of its own.
inputs=$(find index.html package-lock.json vite.config.ts tsconfig.json scripts public src -type f ! -name '*.test.*' | LC_ALL=C sort)
# shellcheck disable=SC2086 # names without spaces, one a line
key=$(hash_of $inputs)
if [ -f dist/index.html ] && [ "$(cat node_modules/.vedette.built 2>/dev/null)" = "$key" ]; then
    say "built already"
    exit
fi
npm run --silent build >node_modules/.vedette.log 2>&1 || { tail -n 30 node_modules/.vedette.log >&2; die "the pages could not be built"; }
say "$(tail -n 1 node_modules/.vedette.log)"
echo "$key" >node_modules/.vedette.built
