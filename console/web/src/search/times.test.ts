import { expect, test } from "vitest";
import { asked, interval, saysNow, saysTime, shift, spanAsked, spanOf, wider, zoneless } from "./times.ts";

const NOW = Date.parse("2026-11-26T12:00:00Z");
const HOUR_MS = 3_600_000;

test("a query without a time is asked about the last twelve hours", () => {
  expect(asked("")).toBe("last:12h");
  expect(asked(" user:a  b ")).toBe("user:a  b last:12h");
  expect(asked("a or b")).toBe("(a or b) last:12h");
  for (const query of ["last:1h a", "a 12:05..14:05", "(since:2026-11-22)", "a or last:1h", "..14:05"]) {
    expect(saysTime(query)).toBe(true);
    expect(asked(query)).toBe(query);
  }
  for (const query of ['"last:1h"', "code:400..499", "name:last", "user:a..b"]) expect(saysTime(query)).toBe(false);
});

test("places in what is asked are places in what was typed", () => {
  expect(shift("a or b")).toBe(-1);
  expect(shift("  a")).toBe(2);
  expect(shift("a last:1h")).toBe(0);
});

test("spans are known where these pages write them, and nowhere else", () => {
  expect(spanOf("a last:1h30m", NOW)).toEqual({ start: NOW - 1.5 * HOUR_MS, end: NOW });
  expect(spanOf("since:2026-11-26T10:00:00Z until:2026-11-26T10:59:59.999Z", NOW)).toEqual({ start: NOW - 2 * HOUR_MS, end: NOW - HOUR_MS });
  expect(spanOf("around:2026-11-26T10:00:00Z/30m", NOW)).toEqual({ start: NOW - 2.5 * HOUR_MS, end: NOW - 1.5 * HOUR_MS });
  for (const query of ["12:05..14:05", "since:2h", "last:soon", "since:2026-11-26T10:00:00Z until:2026-11-26T09:00:00Z"]) expect(spanOf(query, NOW)).toBeUndefined();
});

test("intervals make as many bars as can be told apart", () => {
  expect(interval({ start: NOW - 12 * HOUR_MS, end: NOW })?.text).toBe("10m");
  expect(interval({ start: NOW - 1_000, end: NOW })?.text).toBe("1s");
  expect(interval({ start: NOW - 24 * 365 * HOUR_MS, end: NOW })?.text).toBe("7d");
});

test("zooming out doubles a span, and does not reach into the future", () => {
  expect(wider({ start: NOW - HOUR_MS, end: NOW }, NOW)).toEqual({ start: NOW - 2 * HOUR_MS, end: NOW });
  expect(wider({ start: NOW - 10 * HOUR_MS, end: NOW - 8 * HOUR_MS }, NOW)).toEqual({ start: NOW - 11 * HOUR_MS, end: NOW - 7 * HOUR_MS });
});

test("the console says what was meant; what ends it belongs to it", () => {
  expect(spanAsked({ start: "2026-11-26T10:00:00.000000Z", end: "2026-11-26T11:04:59.999999Z" }, NOW)).toEqual({ start: NOW - 2 * HOUR_MS, end: NOW - 55 * 60_000 });
  expect(spanAsked({ start: "2026-11-26T10:00:00.000000Z" }, NOW)).toEqual({ start: NOW - 2 * HOUR_MS, end: NOW });
  expect(spanAsked({}, NOW)).toBeUndefined();
});

test("times move on with the clock, or do not", () => {
  for (const query of ["", "a last:1h", "since:2h", "since:2026-11-22 a", "2026-11-22..", "since:2h until:1h"]) expect(saysNow(query), query).toBe(true);
  for (const query of ["12:05..14:05", "since:2026-11-22 until:2026-11-23", "around:14:05/15m", "..14:05"]) expect(saysNow(query), query).toBe(false);
});

test("times without a zone are told apart", () => {
  expect(zoneless("a 12:05..14:05")).toEqual(["12:05..14:05"]);
  expect(zoneless("since:2026-11-22 until:2026-11-23T06:00")).toEqual(["since:2026-11-22", "until:2026-11-23T06:00"]);
  expect(zoneless("around:14:05/15m")).toEqual(["around:14:05/15m"]);
  for (const query of ["last:1h", "since:2h", "since:2026-11-22T14:05:00Z", "since:2026-11-22T14:05:00+08:00", "since:1764000000", "code:400..499", "path:12:05"]) expect(zoneless(query), query).toEqual([]);
});
