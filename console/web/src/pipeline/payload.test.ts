import { describe, expect, test } from "vitest";
import { blob, indented } from "./payload.ts";

describe("a payload", () => {
  test("is indented without becoming another", () => {
    const text = '{"a":12345678901234567890,"a":[1,{}, [ ],"x, {y}: \\"z\\""],"b":null}';
    expect(indented(text)).toBe('{\n  "a": 12345678901234567890,\n  "a": [\n    1,\n    {},\n    [],\n    "x, {y}: \\"z\\""\n  ],\n  "b": null\n}');
    expect(indented(indented(text) ?? "")).toBe(indented(text));
  });

  test("that is no JSON is left as it is", () => {
    for (const text of ["", "{", '{"a":1', "plain", '{"a":1}}']) expect(indented(text)).toBeUndefined();
  });

  test("is kept byte by byte", async () => {
    expect([...new Uint8Array(await blob("//79", true).arrayBuffer())]).toEqual([255, 254, 253]);
    expect(await blob("ü", false).text()).toBe("ü");
  });
});
