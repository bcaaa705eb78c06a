import { expect, test } from "vitest";
import { isMoment, newSince, upTo } from "./times.ts";

const NOW = Date.parse("2026-11-26T12:00:00Z");

test("what is new is looked for before the time begins", () => {
  expect(newSince("last:24h", 7, NOW)).toBe("7d");
  expect(newSince("last:7d", 7, NOW)).toBe("336h");
  expect(newSince("since:2026-11-22 until:2026-11-23", 7, NOW)).toBe("7d");
  expect(newSince("2026-11-16T12:00..2026-11-17", 7, NOW)).toBe("408h");
  expect(newSince("around:2026-11-16T12:00:00Z/12h", 7, NOW)).toBe("420h");
  expect(newSince("12:05..14:05", 7, NOW)).toBe("7d");
  expect(newSince("", 7, NOW)).toBeUndefined();
});

test("a time can end before a moment", () => {
  expect(upTo("last:7d", "14:05")).toBe("since:7d until:14:05");
  expect(upTo("since:2026-11-22 until:2026-11-23", "14:05")).toBe("since:2026-11-22 until:14:05");
  expect(upTo("2026-11-22..2026-11-23", "2026-11-22T14:05")).toBe("since:2026-11-22 until:2026-11-22T14:05");
  expect(upTo("around:14:05/15m", "14:05")).toBe("until:14:05");
  expect(upTo("", "14:05")).toBe("until:14:05");
});

test("moments", () => {
  for (const good of ["14:05", "9:05:10", "2026-11-22", "2026-11-22T14:05", "2026-11-22T14:05:00.5+01:00"]) expect(isMoment(good)).toBe(true);
  for (const bad of ["", "now", "14:05 or x", "user:x"]) expect(isMoment(bad)).toBe(false);
});
