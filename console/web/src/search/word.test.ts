import { expect, test } from "vitest";
import { withWord, wordAt } from "./word.ts";

const at = (text: string) => wordAt(text.replace("|", ""), text.indexOf("|"));

test("a word is what the caret is in", () => {
  expect(at("user:alice ver|")).toMatchObject({ start: 11, end: 14, keyText: "", part: "ver" });
  expect(at("-ns:kube|-system x")).toMatchObject({ start: 0, end: 15, sign: "-", keyText: "ns:", part: "kube" });
  expect(at("verb:get,li|")).toMatchObject({ keyText: "verb:", before: "get,", part: "li" });
  expect(at("(res~pod|)")).toMatchObject({ start: 1, end: 8, keyText: "res~", part: "pod" });
  expect(at('cmd:"cat /et|')).toMatchObject({ start: 0, keyText: "cmd:", part: "cat /et" });
  expect(at("res:|").key?.name).toBe("resource");
  expect(at("a |")).toMatchObject({ start: 2, end: 2, part: "" });
});

test("what is chosen takes its place, with room for the next", () => {
  expect(withWord("user:al x", wordAt("user:al x", 7), "user:alice")).toEqual({ query: "user:alice x", caret: 11 });
  expect(withWord("ver", wordAt("ver", 3), "verb:")).toEqual({ query: "verb:", caret: 5 });
  expect(withWord("a verb:g", wordAt("a verb:g", 8), "verb:get")).toEqual({ query: "a verb:get ", caret: 11 });
});
