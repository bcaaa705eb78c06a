import { expect, test } from "vitest";
import { everything, opened, rows } from "./nodes.ts";

const BODY = { kind: "Pod", spec: { containers: [{ name: "web", "a.b": 1 }], empty: {} } };

test("only what is open has rows", () => {
  expect(rows(BODY, "body", new Set()).map((it) => it.path)).toEqual([""]);
  expect(rows(BODY, "body", new Set(["", "spec"])).map((it) => [it.path, it.level, it.position, it.siblings])).toEqual([
    ["", 1, 1, 1],
    ["kind", 2, 1, 2],
    ["spec", 2, 2, 2],
    ["spec.containers", 3, 1, 2],
    ["spec.empty", 3, 2, 2],
  ]);
});

test("paths say what is a key and what an index", () => {
  expect(rows(BODY, "body", everything(BODY)).map((it) => it.path)).toContain('spec.containers[0]["a.b"]');
});

test("at first as many levels are open as fit", () => {
  const large = { items: Array.from({ length: 5_000 }, (_, index) => ({ index })) };
  expect([...opened(large)]).toEqual([""]);
  expect(rows(large, "body", opened(large))).toHaveLength(2);
  expect(rows(large, "body", everything(large))).toHaveLength(10_002);
  // Something shows in any case.
  const wide = Array.from({ length: 5_000 }, () => 0);
  expect(rows(wide, "body", opened(wide))).toHaveLength(5_001);
});

test("keys of strangers are keys", () => {
  const hostile = JSON.parse('{"__proto__": {"x": 1}, "constructor": 2}') as unknown;
  expect(rows(hostile, "body", everything(hostile)).map((it) => it.path)).toEqual(["", "__proto__", "__proto__.x", "constructor"]);
});
