#!/usr/bin/env python3
"""Computes testdata/identity.json on its own, from the definition in src/identity.rs.

Run by hand, with the package `blake3` installed: `python3 identity.py` checks the file, `--write` writes it. It shares
no code and no approach with the crate: it splits an item into tokens with a regular expression and rebuilds it.
"""
import json
import pathlib
import re
import sys

import blake3

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s"{}\[\],:]+')
FILE = pathlib.Path(__file__).with_name("identity.json")

ITEM = '{"level":"Metadata","auditID":"a","verb":"get","requestURI":"/api"}'
CASES = [
    ("as a kube-apiserver sends it", "default", ITEM),
    ("another cluster", "other", ITEM),
    ("no cluster's name", "", ITEM),
    ("a cluster's name runs into the item", 'default\x00{"a":1}', ITEM),
    ("white space between all tokens", "default",
     ' {\t"level" :\r\n"Metadata" , "auditID": "a","verb":"get" ,\n "requestURI":"/api" } '),
    ("white space in strings counts", "default", '{"verb":"get ","requestURI":" /api\u3000 x"}'),
    ("white space inside nested values goes", "default", '{"verb":"get","requestObject":{ "a" : [ 1 , { } , [ ] ] }}'),
    ("kind first", "default", '{"kind":"Event","verb":"get"}'),
    ("kind and apiVersion first", "default", '{"kind":"Event","apiVersion":"audit.k8s.io/v1",' + ITEM[1:]),
    ("kind and apiVersion first, with white space", "default",
     '{ "kind" : "Event" ,\n "apiVersion" : "audit.k8s.io/v1" , ' + ITEM[1:]),
    ("apiVersion in the middle", "default", '{"verb":"get","apiVersion":"audit.k8s.io/v1","requestURI":"/"}'),
    ("kind and apiVersion in the middle", "default",
     '{"verb":"get","kind":"Event","apiVersion":"audit.k8s.io/v1","requestURI":"/"}'),
    ("kind last", "default", '{"verb":"get","kind":"Event"}'),
    ("kind and apiVersion last", "default", '{"verb":"get","kind":"Event","apiVersion":"audit.k8s.io/v1"}'),
    ("kind first and apiVersion last", "default", '{"kind":"Event","verb":"get","apiVersion":"audit.k8s.io/v1"}'),
    ("the same without them", "default", '{"verb":"get"}'),
    ("kind twice, of any value", "default", '{"kind":{"a":[1,2]},"verb":"get","kind":null}'),
    ("kind in nested objects counts", "default",
     '{"verb":"create","requestObject":{"kind":"Pod","apiVersion":"v1","spec":{"kind":"x"}}}'),
    ("kind in nested objects counts beside its own", "default",
     '{"kind":"Event","verb":"create","objectRef":{"apiVersion":"v1"},"apiVersion":"audit.k8s.io/v1"}'),
    ("other spellings of kind count", "default", '{"Kind":"Event","APIVersion":"v1","k\\u0069nd":"Event","verb":"get"}'),
    ("strings with escapes", "default", '{"verb":"get","requestURI":"/\\"a\\\\\\" , \\u0022 \\/"}'),
    ("strings with brackets", "default", '{"verb":"get","requestURI":"}]{[,:","kind":"}"}'),
    ("unicode", "default", '{"verb":"get","user":{"username":"Zo\u00eb \U0001f600 \u5f20\u4f1f"}}'),
    ("unicode escaped is not unicode", "default", '{"verb":"get","user":{"username":"Zo\\u00eb"}}'),
    ("numbers stay as they are written", "default", '{"verb":"get","requestObject":[1.0,1,1e0,-0,0.10]}'),
    ("KubeSphere's spelling", "default",
     '{"Devops":"","Workspace":"demo","Cluster":"host","Level":"Metadata","AuditID":"b","Verb":"create",'
     '"ObjectRef":{"Resource":"pods","Namespace":"default"}}'),
    ("KubeSphere's spelling in another cluster", "member-1",
     '{"Devops":"","Workspace":"demo","Cluster":"host","Level":"Metadata","AuditID":"b","Verb":"create",'
     '"ObjectRef":{"Resource":"pods","Namespace":"default"}}'),
]


def members(tokens):
    """The members of the object that the tokens make, each as its own list of tokens."""
    out, member, depth = [], [], 0
    for token in tokens[1:-1]:
        depth += (token in "{[") - (token in "}]")
        if token == "," and depth == 0:
            out.append(member)
            member = []
        else:
            member.append(token)
    return out + [member] if member else out


def identity(cluster, item):
    kept = [m for m in members(TOKEN.findall(item)) if m[0] not in ('"kind"', '"apiVersion"')]
    normal = "{" + ",".join("".join(member) for member in kept) + "}"
    return blake3.blake3(cluster.encode() + b"\x00" + normal.encode()).digest()[:16].hex()


vectors = [{"name": n, "cluster": c, "item": i, "id": identity(c, i)} for n, c, i in CASES]
text = json.dumps(vectors, indent=2) + "\n"
if sys.argv[1:] == ["--write"]:
    FILE.write_text(text)
elif FILE.read_text() != text:
    sys.exit("identity.json differs from what its definition says")
