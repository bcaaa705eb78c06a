// Rule management of `/api/v1`.
import type { AuditEvent, Problem } from "./client.ts";
import { ask, send } from "./pending-ask.ts";

export type RuleState = "inForce" | "lastGoodInForce" | "refused" | "notSelected" | "pending";

/** What the compiler says. Lines and columns count from 1, in characters; the end column is the one behind. */
export interface Diagnostic {
  severity: "error" | "warning" | "note";
  code: string;
  message: string;
  help?: string;
  /** `source`: the text that was sent, or is beside this; else another resource. */
  document: string;
  path?: string;
  line?: number;
  column?: number;
  endLine?: number;
  endColumn?: number;
}

export interface Entry {
  name: string;
  desc: string;
  kind: "rule" | "macro" | "list" | "alias";
  condition?: string;
  exceptions?: string[];
  output?: string;
  priority?: string;
  enabled?: boolean;
  macro?: string;
  list?: string[];
  alias?: string;
}

export interface Rule {
  /** `namespaces/<namespace>/rules/<name>` */
  name: string;
  etag: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  created?: string;
  state: RuleState;
  rulesInForce: number;
  generation: number;
  diagnostics: Diagnostic[];
  entries: Entry[];
  /** YAML, as kubectl would apply it. */
  source: string;
}

export interface Evaluator {
  name: string;
  service: string;
  version: string;
  generation: number;
  rules: number;
  behindSince?: string;
  lastError: string;
}

export interface Rules {
  items: Rule[];
  evaluators: Evaluator[];
  generation: number;
}

export interface Check {
  accepted: boolean;
  diagnostics: Diagnostic[];
}

export interface Tried {
  event: AuditEvent;
  archived: boolean;
  rules: string[];
  alerts: { rule: string; message: string }[];
  /** Rules that could not be decided: a body that they look at was not recorded. */
  blind: string[];
  explanation?: string;
  error?: string;
}

export interface Trial extends Check {
  /** How many were tried. */
  events: number;
  items: Tried[];
}

/** A refusal may say what the compiler says. */
export type RuleProblem = Problem & { diagnostics?: Diagnostic[] };

export interface Settings {
  version: string;
  /** Whether rules can be managed here. */
  rules: boolean;
}

const path = (namespace: string, name: string) => `/api/v1/rules/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`;

export function getSettings(signal: AbortSignal): Promise<Settings> {
  return ask("/api/v1/settings", { signal });
}

export function listRules(signal: AbortSignal): Promise<Rules> {
  return ask("/api/v1/rules", { signal });
}

export function getRule(namespace: string, name: string, signal?: AbortSignal): Promise<Rule> {
  return ask(path(namespace, name), signal ? { signal } : {});
}

export function putRule(namespace: string, name: string, body: { source: string; etag?: string }, validateOnly: boolean): Promise<Rule> {
  return send("PUT", `${path(namespace, name)}${validateOnly ? "?validateOnly=true" : ""}`, body);
}

export function deleteRule(namespace: string, name: string, etag: string): Promise<void> {
  return ask(`${path(namespace, name)}?${new URLSearchParams({ etag })}`, { method: "DELETE" });
}

export function checkRules(source: string, signal: AbortSignal): Promise<Check> {
  return send("POST", "/api/v1/rules/check", { source }, signal);
}

export function tryRules(body: { source: string; q?: string; rule?: string; limit?: number }): Promise<Trial> {
  return send("POST", "/api/v1/rules/try", body);
}
