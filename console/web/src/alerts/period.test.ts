import { expect, test } from "vitest";
import { periodBetween, rangeOf } from "./period.ts";

const NOW = Date.UTC(2026, 10, 26, 12);

test("periods end now", () => {
  expect(rangeOf("24h", NOW)).toEqual({ start: "2026-11-25T12:00:00.000Z", interval: "30m", step: 1_800_000 });
  expect(rangeOf("all", NOW)).toEqual({ interval: "1d", step: 86_400_000 });
});

test("a range that was brushed ends before its end", () => {
  expect(rangeOf(periodBetween(NOW, NOW + 60_000), NOW)).toEqual({ start: "2026-11-26T12:00:00.000Z", end: "2026-11-26T12:00:59.999Z", interval: "1m", step: 60_000 });
});

test("what is no period is all that is kept", () => {
  for (const period of ["", "x", "5..1", "..", "9999999999999999..1"]) expect(rangeOf(period, NOW)).toEqual({ interval: "1d", step: 86_400_000 });
});
