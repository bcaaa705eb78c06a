import { expect, test } from "vitest";
import { barRange, tickOptions } from "./labels.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const axis = (long: number) => ({ from: 0, to: long });

test("marks say what tells them apart", () => {
  expect(Object.keys(tickOptions(30 * DAY_MS, axis(365 * DAY_MS)))).toEqual(["month", "day", "year"]);
  expect(Object.keys(tickOptions(23 * HOUR_MS, axis(30 * DAY_MS)))).toEqual(["month", "day"]);
  expect(Object.keys(tickOptions(6 * HOUR_MS, axis(3 * DAY_MS)))).toEqual(["month", "day", "hour", "minute", "hourCycle"]);
  expect(Object.keys(tickOptions(HOUR_MS, axis(12 * HOUR_MS)))).toEqual(["hour", "minute", "hourCycle"]);
  expect(tickOptions(15_000, axis(120_000))).toHaveProperty("second");
});

test("a bar is its whole range", () => {
  const start = new Date(2026, 10, 26, 14).getTime();
  const said = (long: number) => barRange("en-GB", start, start + long).replaceAll(/[\u2009\u202F]/g, " ");
  expect(said(10 * 60_000)).toMatch(/^26 Nov,? 14:00–14:10$/);
  expect(barRange("en-GB", new Date(2026, 10, 23).getTime(), new Date(2026, 10, 30).getTime()).replaceAll(/[\u2009\u202F ]/g, " ")).toMatch(/^23 ?– ?29 Nov 2026$/);
});
