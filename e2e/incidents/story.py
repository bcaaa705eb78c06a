"""The requests of one incident, and where each belongs in time."""

import json
from urllib.parse import quote

from plane import audit_id, milliseconds, upgrade

PATCH = {"merge": "application/merge-patch+json", "strategic": "application/strategic-merge-patch+json"}


class Story:
    """Sends the requests of one incident, and notes how long before its end each of them belongs."""

    def __init__(self, plane, incident, before=None):
        self.plane, self.incident, self.before, self.places = plane, incident, before, {}

    def __call__(self, client, ago, method, path, body=None, patch=None, headers=(), expect=None, seconds=0):
        """`ago`: before now, or before the time of day `before`. Returns the answer, as JSON where it is."""
        name = audit_id(self.incident, len(self.places))
        self.places[name] = milliseconds(ago)
        more = {"Audit-ID": name, **dict(headers)}
        if body is not None:
            more["Content-Type"] = PATCH.get(patch, "application/json")
        status, answer = client.raw(method, path, body, more, seconds)
        if expect is not None and status != expect:
            raise SystemExit(f"{self.incident}: {method} {path} at {ago}: {status}, not {expect}: {answer[:500]!r}")
        try:
            return json.loads(answer)
        except ValueError:
            return None

    def session(self, client, ago, path, seconds, kind="websocket", **parameters):
        """exec, attach or portforward, open for `seconds`."""
        query = "&".join(
            f"{key}={quote(str(value), safe='')}"
            for key, values in parameters.items()
            for value in (values if isinstance(values, list) else [values])
        )
        forward = path.endswith("portforward")
        if kind == "spdy":
            self(
                client,
                ago,
                "POST",
                f"{path}?{query}",
                headers=upgrade("spdy", "portforward.k8s.io" if forward else "v4.channel.k8s.io"),
                seconds=seconds,
            )
        else:
            protocol = "SPDY/3.1+portforward.k8s.io" if forward else "v5.channel.k8s.io"
            self(client, ago, "GET", f"{path}?{query}", headers=upgrade("websocket", protocol), seconds=seconds)
