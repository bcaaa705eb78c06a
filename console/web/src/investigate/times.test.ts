import { expect, test } from "vitest";
import { isMoment, momentOf, newSince, typedOf, upTo } from "./times.ts";

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

test("what is typed is of the viewer's zone, and of the address in UTC", () => {
  const before = process.env.TZ;
  process.env.TZ = "Europe/Berlin";
  try {
    const now = new Date("2026-11-26T12:00:00Z");
    expect(momentOf("2026-11-22T15:05", now)).toBe("2026-11-22T14:05:00Z");
    expect(momentOf("2026-07-22 15:05:30", now)).toBe("2026-07-22T13:05:30Z");
    expect(momentOf("2026-11-22", now)).toBe("2026-11-21T23:00:00Z");
    expect(momentOf("9:05", now)).toBe("2026-11-26T08:05:00Z");
    expect(momentOf("14:05", now)).toBe("2026-11-25T13:05:00Z");
    expect(momentOf("2026-11-22T14:05Z", now)).toBe("2026-11-22T14:05:00Z");
    for (const bad of ["", "now", "25:00", "2026-02-31", "14:05 or x"]) expect(momentOf(bad, now), bad).toBeUndefined();
    for (const moment of ["2026-11-22T14:05:00Z", "2026-11-22T14:05", "2026-11-22T15:05:00+01:00"]) expect(typedOf(moment, now)).toBe("2026-11-22T15:05");
    expect(typedOf("14:05", now)).toBe("2026-11-26T15:05");
    expect(typedOf("2026-11-22", now)).toBe("2026-11-22T01:00");
  } finally {
    process.env.TZ = before;
  }
});
