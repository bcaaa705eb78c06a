#!/usr/bin/env python3
"""Counts what Vedette must do with the sample, without any code of Vedette and without its rule files.

The shipped rules are written here a second time, as Python, from their description in words; the semantics (which event
is stored, which one alerts) likewise. What the end-to-end tests assert comes from here, so that a mistake in the product
cannot hide in its own answer.

usage: expect.py SAMPLE... [-o FILE]

A SAMPLE is lists, one a line and packed (.gz), or one list (.json); several are taken as one, in their order. Answers, as JSON, one entry for each of the settings in SETTINGS:
  received, dropped, stored, ignored, alerted_only    counts of events
  rules       events for which a rule held, whatever its priority
  classes     what can become of an event: a letter each, with the rules that held, whether it is stored, which rules alert
  lists       for each list of the sample, the letters of its events in order; `-` is an event that is dropped
  alerts      the alerts that must be in Alertmanager, told apart by their labels, each with its message (none where they
              are more than LISTED), and their number
  blind       for each rule that could not decide for want of a body: field, level, events
"""
import gzip
import json
import re
import string
import sys

LEVELS = ["None", "Metadata", "Request", "RequestResponse"]
PRIORITIES = ["DEBUG", "INFO", "WARNING"]
CLUSTER = "default"
LISTED = 1000

SETTINGS = {
    # What the demo's Webhook says: everything in, bodies kept.
    "demo": {"level": "RequestResponse", "archiving": "DEBUG", "alerting": "WARNING"},
    # The seeds' default level: bodies are stripped, so three rules are blind.
    "metadata": {"level": "Metadata", "archiving": "DEBUG", "alerting": "WARNING"},
    # The other sides of both priorities: no archiving rule is strong enough, and every change alerts.
    "strict": {"level": "RequestResponse", "archiving": "INFO", "alerting": "INFO"},
}

UNKNOWN = object()  # the value of a body that the event's level did not record


# === fields


def in_kubernetes_spelling(event):
    """What the rules read of an event of KubeSphere, under the names that kube-apiserver gives it."""
    if "Verb" not in event:
        return event
    user = event["User"]
    return {
        "level": event["Level"],
        "verb": event["Verb"],
        "user": {"username": user.get("Username") or user.get("username")},
        "workspace": event["Workspace"],
        "objectRef": {name[:1].lower() + name[1:]: value for name, value in event["ObjectRef"].items()},
        "responseStatus": event["ResponseStatus"],
        "requestObject": event["RequestObject"],
    }


def text(event, *path):
    for step in path:
        event = event.get(step) if isinstance(event, dict) else None
    return event


def ref(event, name):
    return text(event, "objectRef", name) or ""


def request_body(event):
    """The request body, None where there is none, UNKNOWN where the level did not record it."""
    if LEVELS.index(event["level"]) < LEVELS.index("Request"):
        return UNKNOWN
    return event.get("requestObject")


def each(value, *path):
    """Every value at a path whose lists are walked through, as `a[*].b[*].c`."""
    for i, step in enumerate(path):
        if isinstance(value, list):
            for item in value:
                yield from each(item, *path[i:])
            return
        value = value.get(step) if isinstance(value, dict) else None
    if value is not None:
        yield value


def positive(values):
    return any(isinstance(v, (int, float)) and not isinstance(v, bool) and v > 0 for v in values)


# === rules: (priority, alerting?, condition, output); a condition answers True, False or UNKNOWN with the field


def needs_body(guard, field, test):
    """`guard and test(body)`: what the guard refuses needs no body."""

    def condition(event):
        if not guard(event):
            return False
        body = request_body(event)
        return (UNKNOWN, field) if body is UNKNOWN else test(body)

    return condition


def creates(resource):
    return lambda e: ref(e, "resource") == resource and e["verb"] == "create"


RULES = {
    "archiving-rule.archiving": ("DEBUG", False, lambda e: e["verb"] not in ("get", "list", "watch"), ""),
    "alerting-rule.ResourceChange": ("INFO", True, lambda e: e["verb"] in ("create", "delete", "update", "patch"), ""),
    "alerting-rule.CreateHostnetworkPod": (
        "WARNING",
        True,
        needs_body(creates("pods"), "RequestObject.spec.hostNetwork", lambda b: text(b, "spec", "hostNetwork") is True),
        "{user} {verb} HostNetwork Pod {name} in Namespace {namespace}.",
    ),
    "alerting-rule.CreateHostportPod": (
        "WARNING",
        True,
        needs_body(
            creates("pods"),
            "RequestObject.spec.containers[*].ports[*].hostPort",
            lambda b: positive(each(b, "spec", "containers", "ports", "hostPort"))
            or positive(each(b, "spec", "initContainers", "ports", "hostPort")),
        ),
        "{user} {verb} HostNetPort Pod {name} in Namespace {namespace}.",
    ),
    "alerting-rule.CreateNodeportService": (
        "WARNING",
        True,
        needs_body(
            creates("services"), "RequestObject.spec.ports[*].nodePort", lambda b: positive(each(b, "spec", "ports", "nodePort"))
        ),
        "{user} {verb} NodePort Service {name} in Namespace {namespace}.",
    ),
    "alerting-rule.AttachOrExecPod": (
        "WARNING",
        True,
        lambda e: creates("pods")(e) and ref(e, "subresource") in ("exec", "attach"),
        "{user} {subresource} Pod {name} in Namespace {namespace}.",
    ),
    "evidence-rule.SecretRead": (
        "DEBUG",
        False,
        lambda e: ref(e, "resource") == "secrets" and e["verb"] in ("get", "list", "watch"),
        "",
    ),
    "evidence-rule.PodAccess": (
        "DEBUG",
        False,
        lambda e: ref(e, "resource") == "pods" and ref(e, "subresource") in ("exec", "attach", "portforward"),
        "",
    ),
    "evidence-rule.Refused": ("DEBUG", False, lambda e: text(e, "responseStatus", "code") in (401, 403), ""),
}


# === one event


def at_level(event, level):
    """The event as it goes on: bodies above the level are taken off, and its level is lowered."""
    lowered = min(LEVELS.index(event["level"]), LEVELS.index(level))
    if lowered == 0:
        return None
    event = dict(event, level=LEVELS[lowered])
    if lowered < LEVELS.index("RequestResponse"):
        event.pop("responseObject", None)
    if lowered < LEVELS.index("Request"):
        event.pop("requestObject", None)
    return event


def alert(event, rule, output, priority):
    resource, name = rule.split(".")
    values = {
        "user": text(event, "user", "username") or "",
        "verb": event["verb"],
        **{key: ref(event, key) for key in ("name", "namespace", "subresource")},
    }
    labels = {
        "alerttype": "auditing",
        "alertname": name,
        "rule_id": f"kubesphere-logging-system/{resource}/{name}",
        "severity": priority.lower(),
        "cluster": CLUSTER,
        "resource": ref(event, "resource"),
        "workspace": event.get("workspace"),
        **values,
    }
    return {"labels": {key: value for key, value in sorted(labels.items()) if value}, "message": output.format(**values)}


def at_least(priority, bar):
    return PRIORITIES.index(priority) >= PRIORITIES.index(bar)


def count(lists, settings):
    letters = dict(zip(string.ascii_letters, [None] * 52))
    classes, rules, alerts, blind, lines = {}, dict.fromkeys(RULES, 0), {}, {}, []
    totals = dict.fromkeys(["received", "dropped", "stored", "ignored", "alerted_only"], 0)
    for events in lists:
        line = ""
        for event in events:
            totals["received"] += 1
            event = at_level(event, settings["level"])
            if event is None:
                totals["dropped"] += 1
                line += "-"
                continue
            held, alerting, stored = [], [], False
            for rule, (priority, alerts_by_kind, condition, output) in RULES.items():
                answer = condition(event)
                if isinstance(answer, tuple):
                    key = (rule, answer[1], event["level"])
                    blind[key] = blind.get(key, 0) + 1
                    continue
                if not answer:
                    continue
                held.append(rule)
                rules[rule] += 1
                if not alerts_by_kind:
                    stored |= at_least(priority, settings["archiving"])
                elif not at_least(priority, settings["alerting"]):
                    stored = True
                else:
                    alerting.append(rule)
                    found = alert(event, rule, output, priority)
                    alerts[json.dumps(found["labels"])] = found
            totals["stored" if stored else "alerted_only" if alerting else "ignored"] += 1
            kind = json.dumps({"rules": sorted(held), "stored": stored, "alerts": sorted(alerting)})
            if kind not in classes:
                classes[kind] = next(letter for letter in letters if letter not in classes.values())
            line += classes[kind]
        lines.append(line)
    return {
        "settings": settings,
        **totals,
        "rules": {rule: n for rule, n in sorted(rules.items())},
        "classes": {letter: json.loads(kind) for kind, letter in classes.items()},
        "alert_label_sets": len(alerts),
        "alerts": [alerts[key] for key in sorted(alerts)] if len(alerts) <= LISTED else None,
        "blind": [dict(zip(("rule", "field", "level"), key), events=n) for key, n in sorted(blind.items())],
        "lists": lines,
    }


def lists_of(path):
    if path.endswith(".json"):
        with open(path, encoding="utf-8") as file:
            return [json.load(file)]
    with gzip.open(path, "rb") as file:
        return [json.loads(line) for line in file]


def main():
    arguments = sys.argv[1:]
    out = arguments.pop() if arguments[-2:-1] == ["-o"] else None
    if out:
        arguments.pop()
    lists = [
        [in_kubernetes_spelling(event) for event in found.get("items") or found["Items"]]
        for path in arguments
        for found in lists_of(path)
    ]
    answer = {name: count(lists, settings) for name, settings in SETTINGS.items()}
    written = json.dumps(answer, indent=1, ensure_ascii=False) + "\n"
    # An object of text alone takes one line: alerts stay readable in a difference.
    written = re.sub(r"\{\n\s+([^{}\[\]]*?)\n\s+\}", lambda m: "{" + re.sub(r"\n\s+", " ", m[1]) + "}", written)
    if out:
        with open(out, "w", encoding="utf-8") as file:
            file.write(written)
    else:
        sys.stdout.write(written)


if __name__ == "__main__":
    main()
