#!/usr/bin/env bash
# Writes a go.mod (module vedette.dev/kube) that builds kube-apiserver and etcd from the module proxy.
# usage: gen-gomod.sh KUBE_VERSION [ETCD_VERSION]   (run in an empty folder)
# k8s.io/kubernetes requires each staging repo at v0.0.0 and replaces it by an in-tree path,
# which is not in its module zip; each is replaced here by its published v0.X.Y.
set -euo pipefail
kube=${1:?kubernetes version, e.g. v1.36.3}
etcd=${2:-}
staging_version=v0.${kube#v1.}
mod=$(go mod download -json "k8s.io/kubernetes@$kube" | python3 -c 'import json,sys; print(json.load(sys.stdin)["GoMod"])')
staging=$(go mod edit -json "$mod" | python3 -c '
import json,sys
for r in json.load(sys.stdin)["Replace"] or []:
    if r["New"]["Path"].startswith("./staging/"):
        print(r["Old"]["Path"])')
read -r goversion godebug <<<"$(go mod edit -json "$mod" | python3 -c '
import json,sys
m=json.load(sys.stdin); print(m["Go"], (m.get("Godebug") or [{}])[0].get("Value",""))')"
{
  echo "module vedette.dev/kube"; echo; echo "go $goversion"; echo
  [ -n "$godebug" ] && { echo "godebug default=$godebug"; echo; }
  echo "tool ("; echo "	go.etcd.io/etcd/server/v3"; echo "	k8s.io/kubernetes/cmd/kube-apiserver"; echo ")"; echo
  echo "require k8s.io/kubernetes $kube"; echo
  [ -n "$etcd" ] && { echo "require go.etcd.io/etcd/server/v3 $etcd"; echo; }
  echo "replace ("
  for m in $staging; do echo "	$m => $m $staging_version"; done
  echo ")"
} > go.mod
go mod tidy
