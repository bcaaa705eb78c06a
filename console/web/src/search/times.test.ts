import { expect, test } from "vitest";
import { asked, interval, saysTime, shift, spanOf, wider } from "./times.ts";

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
