#!/usr/bin/env bash
# One OpenSearch with the security plugin on 127.0.0.1 for tests: https with the given certificates, and users with passwords
# (the plugin's own demo users, as admin:admin). From Maven Central's jars alone.
#
#   secured-node.sh prepare                    # fetches the jars and compiles the launcher
#   secured-node.sh run PORT DATADIR CERTS     # becomes the server; CERTS has ca.pem, node.pem, node.key
#
# HEAP     Java heap, 512m unless told
# JDK      a JDK's folder, 21 or newer; unless told, the first fitting one under /usr/lib/jvm, /opt
# BUILD    where the jars and classes go
# MVN_ARGS more arguments for mvn
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=${BUILD:-$here/target}

die() { echo "secured-node: $*" >&2; exit 1; }

find_jdk() {
    local d v
    for d in "${JDK:-}" "${JAVA_HOME:-}" /usr/lib/jvm/* /opt/*; do
        [ -n "$d" ] && [ -x "$d/bin/javac" ] || continue
        v=$("$d/bin/javac" -version 2>&1 | sed -E 's/^javac ([0-9]+).*/\1/')
        if [ "$v" -ge 21 ]; then echo "$d"; return; fi
    done
    die "no JDK from 21 on found; set JDK"
}

jars() { # PROFILE FOLDER
    # shellcheck disable=SC2086
    mvn -q -B -Dstyle.color=never ${MVN_ARGS:-} -f "$here/pom.xml" -P"$1" -Dout="$2" dependency:copy-dependencies >&2
}

# What the folder BUILD was made from.
key() { cat "$here/pom.xml" "$here/secured-node.sh" "$here/SearchNode.java" | sha256sum; }

# A fresh folder is filled and moved into place, so an interrupted build is never used.
prepare() {
    local key tmp jar
    key=$(key)
    mkdir -p "$(dirname "$build")"
    exec 9>"$build.lock"
    flock 9
    if [ "$(cat "$build/key" 2>/dev/null)" != "$key" ]; then
        tmp=$build.tmp
        rm -rf "$tmp"
        mkdir -p "$tmp/lib" "$tmp/zip" "$tmp/plugin" "$tmp/classes"
        jars server "$tmp/lib"
        jars plugin "$tmp/zip"
        (cd "$tmp/plugin" && "$jdk/bin/jar" xf "$tmp"/zip/opensearch-security-*.zip)
        for jar in "$tmp"/plugin/*.jar; do # one already in lib must not be loaded twice
            [ -e "$tmp/lib/$(basename "$jar")" ] || mv "$jar" "$tmp/lib/"
        done
        mv "$tmp/plugin/config" "$tmp/users"
        rm -rf "$tmp/zip" "$tmp/plugin"
        "$jdk/bin/javac" -nowarn -cp "$tmp/lib/*" -d "$tmp/classes" "$here/SearchNode.java"
        echo "$key" >"$tmp/key"
        rm -rf "$build"
        mv "$tmp" "$build"
    fi
    flock -u 9
    exec 9>&-
}

jdk=$(find_jdk)
if [ "${1:-}" = prepare ]; then
    prepare
    exit
fi
[ "${1:-}" = run ] && [ $# -eq 4 ] || die "usage: secured-node.sh prepare | run PORT DATADIR CERTS"
[ "$(cat "$build/key" 2>/dev/null)" = "$(key)" ] || die "not prepared in $build: run scripts/tools.sh secured"
data=$(cd "$3" && pwd)
# The plugin reads nothing outside the server's configuration folder.
mkdir -p "$data/config/opensearch-security"
cp "$build"/users/*.yml "$data/config/opensearch-security/"
cp "$4/ca.pem" "$4/node.pem" "$4/node.key" "$data/config/"
settings=()
for layer in http transport; do
    settings+=("plugins.security.ssl.$layer.pemcert_filepath=node.pem" "plugins.security.ssl.$layer.pemkey_filepath=node.key"
        "plugins.security.ssl.$layer.pemtrustedcas_filepath=ca.pem")
done
settings+=(plugins.security.ssl.http.enabled=true plugins.security.ssl.transport.enforce_hostname_verification=false
    plugins.security.allow_default_init_securityindex=true plugins.security.allow_unsafe_democertificates=true
    plugins.security.authcz.admin_dn=CN=admin)
exec "$jdk/bin/java" -Xms"${HEAP:-512m}" -Xmx"${HEAP:-512m}" -Dlog4j2.configurationFile="$here/../search/log4j2.properties" \
    -Dfile.encoding=UTF-8 --enable-native-access=ALL-UNNAMED -cp "$build/classes:$build/lib/*" \
    SearchNode "$2" "$data" "${settings[@]}"
