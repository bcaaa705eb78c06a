import { expect, test } from "vitest";
import type { AuditEvent } from "../api/client.ts";
import { EMPTY, KEPT, reduce, type Tail } from "./tailstate.ts";

const some = (from: number, many: number) => Array.from({ length: many }, (_, at) => ({ id: String(from + at) }) as AuditEvent);
const ids = (tail: Tail) => tail.shown.map((it) => it.id);

test("the newest are on top, and the oldest go", () => {
  let tail = reduce(EMPTY, { kind: "events", events: some(1, 2) });
  tail = reduce(tail, { kind: "events", events: some(3, 1) });
  expect(ids(tail)).toEqual(["3", "2", "1"]);
  tail = reduce(tail, { kind: "events", events: some(10, KEPT) });
  expect(tail.shown.length).toBe(KEPT);
  expect(tail.dropped).toBe(true);
});

test("while paused, they wait; all are counted, also those that are too many", () => {
  let tail = reduce(reduce(EMPTY, { kind: "events", events: some(1, 1) }), { kind: "pause" });
  tail = reduce(tail, { kind: "events", events: some(2, KEPT + 5) });
  expect(ids(tail)).toEqual(["1"]);
  expect(tail.waited).toBe(KEPT + 5);
  tail = reduce(tail, { kind: "resume" });
  expect(ids(tail)[0]).toBe(String(KEPT + 6));
  expect([tail.shown.length, tail.waited, tail.dropped]).toEqual([KEPT, 0, true]);
});
