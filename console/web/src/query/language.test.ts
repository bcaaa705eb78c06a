import { describe, expect, test } from "vitest";
import { is, isTime, literal, place, quote, range, terms, timeOf, withTerm, withTermNegated, withTime, withoutTerm } from "./language.ts";

describe("terms", () => {
  test("are words, with their keys and values", () => {
    const seen = terms('user:alice -ns:kube-* code:>=400 name~red "a b" last:12h').map((it) => [it.key, it.value, it.negated]);
    expect(seen).toEqual([
      ["user", "alice", false],
      ["ns", "kube-*", true],
      ["code", ">=400", false],
      ["name", "~red", false],
      [undefined, undefined, false],
      ["last", "12h", false],
    ]);
  });

  test("do not end in quotes or parentheses", () => {
    expect(terms('cmd:"cat /etc/passwd" (a or b) not user:x').map((it) => it.text)).toEqual(['cmd:"cat /etc/passwd"', "(a or b)", "not user:x"]);
    expect(terms('name:"a\\" b" x').map((it) => it.text)).toEqual(['name:"a\\" b"', "x"]);
  });

  test("an `or` at the top makes one of them", () => {
    expect(terms("a b or c").map((it) => it.text)).toEqual(["a b or c"]);
    expect(withTerm("a or b", "user:x")).toBe("(a or b) user:x");
  });

  test("what is being typed is no reason to fail", () => {
    for (const text of ['"open', "(", ")", "not", "a not", "\\", "user:", "  "]) expect(Array.isArray(terms(text))).toBe(true);
  });

  test("are added, taken away and turned round", () => {
    const query = "user:alice last:12h";
    const [user] = terms(query);
    if (!user) throw new Error("no term");
    expect(withTerm(query, "user:alice")).toBe(query);
    expect(withoutTerm(query, user)).toBe("last:12h");
    expect(withTermNegated(query, user)).toBe("-user:alice last:12h");
    const [turned] = terms("-user:alice last:12h");
    if (!turned) throw new Error("no term");
    expect(withTermNegated("-user:alice last:12h", turned)).toBe(query);
  });

  test("times are one range", () => {
    expect(timeOf("a since:2026-11-22 until:2026-11-23")).toBe("since:2026-11-22 until:2026-11-23");
    expect(timeOf("12:05..14:05 a")).toBe("12:05..14:05");
    expect(withTime("a last:12h b", "last:1h")).toBe("a b last:1h");
    expect(withTime("a last:12h", "")).toBe("a");
    expect(terms("user:a..b").some(isTime)).toBe(false);
    expect(range(0, 60_000)).toBe("since:1970-01-01T00:00:00Z until:1970-01-01T00:00:59.999Z");
  });
});

describe("values", () => {
  test("are quoted where they could mean more", () => {
    expect(is("user", "system:serviceaccount:ci:deployer")).toBe("user:system:serviceaccount:ci:deployer");
    expect(is("ip", "10.0.0.1")).toBe("ip:10.0.0.1");
    expect(is("name", 'a"b\\')).toBe('name:"a\\"b\\\\"');
    expect(quote("")).toBe('""');
    expect(quote("or")).toBe('"or"');
    expect(quote("a*")).toBe('"a*"');
    expect(quote("deployments.apps")).toBe('"deployments.apps"');
  });

  test("come back as they were", () => {
    for (const value of ["alice", 'a"b\\c', "a b", "10.0.0.1", "", "x*"]) expect(literal(quote(value))).toBe(value);
    for (const value of ["a,b", "a*", "~x", ">=400"]) expect(literal(value)).toBeUndefined();
  });
});

test("places are of bytes", () => {
  expect(place("ü foo:1", [3, 6])).toEqual([2, 5]);
});
