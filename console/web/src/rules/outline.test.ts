import { expect, test } from "vitest";
import { outline } from "./outline.ts";

const TEXT = `# a comment
apiVersion: auditing.kubesphere.io/v1alpha1
kind: Rule
metadata: {name: "a-rule", namespace: ns}
spec:
  rules:
  - name: action
    type: list
    list: [create, delete]
  - name: Deleted
    type: rule
    condition: Verb in \${action}
  - type: rule
    name: 'Other'
`;

test("a text's name and rules are read", () => {
  expect(outline(TEXT)).toEqual({ name: "a-rule", namespace: "ns", rules: ["Deleted", "Other"] });
});

test("what is being typed is no reason to fail", () => {
  expect(outline("")).toEqual({ rules: [] });
  for (let end = 0; end < TEXT.length; end += 1) expect(Array.isArray(outline(TEXT.slice(0, end)).rules)).toBe(true);
  for (const text of ["- a", "metadata:\n  name:\n", "spec: x", "{", "a: [", "\t"]) expect(outline(text).name).toBeUndefined();
});
