import { expect, test } from "vitest";
import type { Diagnostic } from "../api/rules.ts";
import { placeOf } from "./places.ts";

const at = (over: Partial<Diagnostic>): Diagnostic => ({ severity: "error", code: "VR0001", message: "", document: "source", ...over });

test("places are of characters", () => {
  const text = "a: 😀 x\nb: foo bar\n";
  expect(placeOf(text, at({ line: 1, column: 6, endLine: 1, endColumn: 7 }))).toEqual([6, 7]);
  expect(placeOf(text, at({ line: 2, column: 4 }))).toEqual([11, 14]);
  expect(placeOf(text, at({ line: 99, column: 4 }))).toEqual([text.length, text.length]);
  expect(placeOf(text, at({ line: 1, column: 99, endLine: 1, endColumn: 100 }))).toEqual([7, 7]);
  expect(placeOf(text, at({}))).toBeUndefined();
  expect(placeOf(text, at({ document: "namespaces/n/rules/r", line: 1, column: 1 }))).toBeUndefined();
});
