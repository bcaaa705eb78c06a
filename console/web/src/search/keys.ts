// The keys of the search language as the pages offer them; what they mean is in the catalogues, by their name.
import { quote } from "../query/language.ts";

export interface Key {
  name: KeyName;
  /** The field whose frequent values are offered. */
  by?: string;
  /** What is offered where the values are known beforehand. */
  values?: readonly string[];
  /** Whether `key:begin*` asks for the values that begin so. */
  prefix?: boolean;
}

export const KEY_NAMES = [
  "actor", "user", "verb", "resource", "ns", "name", "code", "ip", "sub", "is", "change", "reads", "last", "since", "until", "around",
  "cluster", "ws", "cred", "cmd", "agent", "group", "anyip", "reason", "status", "apigroup", "duration", "rule", "path", "level", "stage",
  "audit", "id",
] as const;

export type KeyName = (typeof KEY_NAMES)[number];

const FIELD: Partial<Record<KeyName, string>> = {
  actor: "actor", user: "user", verb: "verb", resource: "resource", ns: "namespace", name: "name", code: "code", ip: "ip", sub: "subresource",
  cluster: "cluster", ws: "workspace", cred: "credential", cmd: "command", agent: "userAgent", group: "group", anyip: "sourceIP",
  reason: "reason", status: "status", apigroup: "apiGroup", rule: "rule", path: "path", level: "level", stage: "stage",
};

const VALUES: Partial<Record<KeyName, readonly string[]>> = {
  is: ["denied", "failed", "read", "write"],
  change: ["yes", "no"],
  last: ["15m", "1h", "12h", "24h", "7d"],
  since: ["1h", "24h"],
  duration: [">1s", ">10s", "<10ms"],
};

/** Codes are numbers: there is no `4*` to ask for. */
const WHOLE: readonly KeyName[] = ["code"];

const ALIASES: Record<string, KeyName> = {
  namespace: "ns", res: "resource", kind: "resource", subresource: "sub", sourceip: "anyip", credential: "cred", command: "cmd", useragent: "agent",
  workspace: "ws", uri: "path", auditid: "audit",
};

export const KEYS: readonly Key[] = KEY_NAMES.map((name) => ({ name, by: FIELD[name], values: VALUES[name], prefix: FIELD[name] !== undefined && !WHOLE.includes(name) }));

export function keyOf(name: string): Key | undefined {
  const small = name.toLowerCase();
  return KEYS.find((key) => key.name === (ALIASES[small] ?? small));
}

/** The parameters that the form offers, in the order in which people think of a request. */
export const PARAMETERS = ["cluster", "ns", "ws", "resource", "name", "verb", "code", "user", "ip"] as const satisfies readonly KeyName[];

/** What the panel of frequent values shows. */
export const FACETS = ["actor", "verb", "resource", "ns", "code", "ip"] as const satisfies readonly KeyName[];

/** A value as it is written after its key. Codes and addresses have ranges and lists of their own, which quotes would take away. */
export function written(key: KeyName, value: string): string {
  const range =
    key === "code" ? /^([0-9]{3}|[1-5]xx|[<>]=?[0-9]+|[0-9]+\.\.[0-9]+)(,([0-9]{3}|[1-5]xx))*$/i
    : key === "ip" || key === "anyip" ? /^[0-9a-f.:]+(\/[0-9]+)?$/i
    : undefined;
  return range?.test(value) ? value : quote(value);
}
