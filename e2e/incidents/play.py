#!/usr/bin/env python3
"""Plays five incidents on a real control plane and keeps what its audit webhook said, for the sample of `vedette up`.

usage: play.py [--bin FOLDER] [--out FOLDER]

Writes to FOLDER (e2e/testdata unless told):
  incidents-eventlists.ndjson.gz   the EventLists as kube-apiserver posted them, one a line
  incidents-places.json            which request belongs to which incident, and where it goes in time

The clients are real ones at addresses of their own, and every request has an Audit-ID that depends on the incident and its
number in it alone, so that a later run says the same, apart from times and ids that the control plane makes.
"""

import argparse
import gzip
import json
import os
import tempfile
import time

import incidents
from plane import Plane, cache_bin

HERE = os.path.dirname(os.path.abspath(__file__))


def write(stories, receiver, out):
    lines = receiver.lines()
    events = [event for line in lines for event in json.loads(line)["items"]]
    places = {name for story in stories for name in story.places}
    strays = [event for event in events if event["auditID"] not in places]
    if strays:
        raise SystemExit(f"{len(strays)} events belong to no request of ours: {strays[0]}")
    with open(f"{out}/incidents-eventlists.ndjson.gz", "wb") as raw, gzip.GzipFile("", "wb", 9, raw, 0) as file:
        for line in lines:
            file.write(line + b"\n")
    # One request a line: a difference stays readable.
    blocks = []
    for story in stories:
        head = {"incident": story.incident, **({"before": story.before} if story.before else {})}
        rows = ",\n".join(f"   {json.dumps(name)}: {ago}" for name, ago in story.places.items())
        blocks.append("{" + json.dumps(head)[1:-1] + ', "agoMs": {\n' + rows + "\n  }}")
    with open(f"{out}/incidents-places.json", "w", encoding="utf-8") as file:
        file.write("[\n " + ",\n ".join(blocks) + "\n]\n")
    for story in stories:
        print(f"{story.incident}: {len(story.places)} requests, {sum(e['auditID'] in story.places for e in events)} events")
    print(f"{len(lines)} lists, {len(events)} events")


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--bin", default=cache_bin(), help="where etcd and kube-apiserver are")
    options.add_argument("--out", default=os.path.join(HERE, "..", "testdata"))
    options = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="vedette-incidents-") as folder, Plane(folder, options.bin) as plane:
        stories = incidents.play(plane)
        wanted = {name for story in stories for name in story.places}
        for _ in range(300):
            stages = plane.receiver.stages()
            # Authentication that failed has no later stage than this one.
            ended = {name for name, seen in stages.items() if "ResponseComplete" in seen or seen == ["ResponseStarted"]}
            if wanted <= ended:
                break
            time.sleep(0.2)
        else:
            raise SystemExit(f"no event of {sorted(wanted - ended)}")
        # A last stage may still be on its way.
        time.sleep(2)
        write(stories, plane.receiver, options.out)


if __name__ == "__main__":
    main()
