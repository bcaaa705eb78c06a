import { expect, test } from "vitest";
import type { Rule } from "../api/rules.ts";
import { changes, lines } from "./changes.ts";

function rule(over: Partial<Rule>): Rule {
  return { name: "namespaces/n/rules/r", etag: "1", labels: {}, annotations: {}, state: "inForce", rulesInForce: 1, generation: 1, diagnostics: [], entries: [], source: "", ...over };
}

test("entries and labels that change are told", () => {
  const before = rule({ labels: { type: "alerting" }, entries: [{ name: "a", desc: "", kind: "macro", macro: "x" }, { name: "b", desc: "", kind: "list", list: ["1"] }] });
  const after = rule({ labels: { type: "archiving" }, entries: [{ desc: "", name: "a", kind: "macro", macro: "x" }, { name: "c", desc: "", kind: "list", list: ["1"] }] });
  expect(changes(before, after)).toEqual({ added: ["c"], removed: ["b"], changed: [], labels: ["type"] });
  expect(changes(undefined, after).added).toEqual(["a", "c"]);
});

test("lines are compared", () => {
  const told = (before: string, after: string) => lines(before, after).map((it) => `${it.kind === "same" ? " " : it.kind === "added" ? "+" : "-"}${it.text}`);
  expect(told("a\nb\nc\n", "a\nx\nc")).toEqual([" a", "-b", "+x", " c"]);
  expect(told("a\nb\nc\nd", "b\nc\ne\nd")).toEqual(["-a", " b", " c", "+e", " d"]);
  expect(told("a", "a")).toEqual([" a"]);
  expect(told("a\na", "a")).toEqual([" a", "-a"]);
});
