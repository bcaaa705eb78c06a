import { expect, test } from "vitest";
import { recordCounter } from "./records.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

test("records of CSV are counted, not lines, wherever parts end", () => {
  const csv = 'time,agent\r\n1,"a\r\nb ""c""\r\n"\r\n2,plain\r\n';
  expect(recordCounter("csv")(bytes(csv))).toBe(2);
  const count = recordCounter("csv");
  let seen = 0;
  for (const byte of bytes(csv)) seen = count(Uint8Array.of(byte));
  expect(seen).toBe(2);
  expect(recordCounter("csv")(bytes(""))).toBe(0);
});

test("documents are counted by their lines", () => {
  expect(recordCounter("ndjson")(bytes('{"a":"\\""}\n{"b":"\\n"}\n'))).toBe(2);
});
