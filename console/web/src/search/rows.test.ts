import { describe, expect, test } from "vitest";
import type { AuditEvent } from "../api/client.ts";
import { fold } from "./rows.ts";

const event = (id: string, stage: string, more: Partial<AuditEvent> = {}) => ({ id, stage, auditID: "a", cluster: "host", user: "alice", time: "2026-11-26T05:00:00Z", ...more }) as AuditEvent;
const shape = (events: AuditEvent[]) => fold(events).map((row) => [row.event.id, ...row.others.map((it) => it.id)]);

describe("stages of a request", () => {
  test("are one row, that the last one stands for, however they come", () => {
    const [received, started, complete] = [event("1", "RequestReceived"), event("2", "ResponseStarted"), event("3", "ResponseComplete")];
    for (const order of [[received, started, complete], [complete, started, received], [started, received, complete]]) expect(shape(order)).toEqual([["3", "2", "1"]]);
  });

  test("are not those of another user, cluster or time that chose the same id", () => {
    expect(shape([event("1", "ResponseComplete"), event("2", "ResponseComplete", { user: "mallory" })])).toEqual([["1"], ["2"]]);
    expect(shape([event("1", "ResponseComplete"), event("2", "ResponseComplete", { cluster: "other" })])).toEqual([["1"], ["2"]]);
    expect(shape([event("1", "ResponseComplete"), event("2", "ResponseComplete", { time: "2026-11-26T06:00:00Z" })])).toEqual([["1"], ["2"]]);
  });

  test("without an id are alone, and the same event is there once", () => {
    expect(shape([event("1", "ResponseComplete", { auditID: "" }), event("2", "ResponseComplete", { auditID: "" })])).toEqual([["1"], ["2"]]);
    expect(shape([event("1", "ResponseComplete"), event("1", "ResponseComplete")])).toEqual([["1"]]);
  });
});
