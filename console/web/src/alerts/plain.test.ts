import { expect, test } from "vitest";
import { plain } from "./plain.ts";

test("what would not be seen is shown", () => {
  expect(plain("a\u202egnp.exe\u0000\u200bb")).toBe("a⟨U+202E⟩gnp.exe␀⟨U+200B⟩b");
  expect(plain("中文 <img onerror=x>")).toBe("中文 <img onerror=x>");
  expect(plain("x".repeat(2_000))).toHaveLength(1_001);
});
