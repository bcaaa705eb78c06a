import { expect, test } from "vitest";
import { json, visible } from "./plain.tsx";

test("what would not be seen is shown", () => {
  expect(visible("a\u202egnp.exe\u0000\u200bb")).toBe("a⟨U+202E⟩gnp.exe⟨U+0000⟩⟨U+200B⟩b");
  expect(visible("lines\n\tstay")).toBe("lines\n\tstay");
  expect(visible("中文 <img onerror=x>")).toBe("中文 <img onerror=x>");
  expect(visible("x".repeat(2_000))).toHaveLength(1_001);
});

test("JSON stays the same JSON", () => {
  const value = { "a\u202e": ["\u{e0041}", "\u0000", "中文"] };
  expect(json(value)).not.toMatch(/[\u202e\u{e0041}]/u);
  expect(JSON.parse(json(value))).toEqual(value);
});
