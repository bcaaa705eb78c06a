// The alert log of `/api/v1`.
import { ask } from "./pending-ask.ts";
import type { Histogram } from "./client.ts";

export type Outcome = "sent" | "unrouted" | "rejected";

export interface Alert {
  /** The event and the rule. */
  id: string;
  eventId: string;
  time: string;
  alertedTime: string;
  cluster: string;
  /** `<Rule resource>.<rule>` */
  rule: string;
  priority: string;
  message: string;
  user: string;
  verb: string;
  resource?: string;
  subresource?: string;
  name?: string;
  namespace?: string;
  workspace?: string;
  ip?: string;
  auditID: string;
  outcome: Outcome;
  receivers: string[];
}

export interface AlertsKept {
  since?: string;
  complete: boolean;
}

export interface Alerts {
  items: Alert[];
  next?: string;
  total?: number;
  kept: AlertsKept;
}

export interface AlertGroup {
  rule: string;
  priority: string;
  count: number;
  firstSeen: string;
  lastSeen: string;
  users: number;
  latest: Alert;
}

/** Which alerts: what is left out is not asked about. */
export interface AlertFilter {
  q?: string;
  rule?: string[];
  priority?: string[];
  start?: string;
  end?: string;
}

function query(filter: AlertFilter, more: Record<string, string | number | undefined> = {}): string {
  const params = new URLSearchParams();
  const all = { q: filter.q, rule: filter.rule?.join(","), priority: filter.priority?.join(","), start: filter.start, end: filter.end, ...more };
  for (const [name, value] of Object.entries(all)) if (value !== undefined && value !== "") params.set(name, String(value));
  return String(params);
}

export function listAlerts(filter: AlertFilter, page: { limit: number; cursor?: string }, signal: AbortSignal): Promise<Alerts> {
  return ask(`/api/v1/alerts?${query(filter, page)}`, { signal });
}

export function groupAlerts(filter: AlertFilter, signal: AbortSignal): Promise<{ items: AlertGroup[] }> {
  return ask(`/api/v1/alerts/groups?${query(filter)}`, { signal });
}

export function alertHistogram(filter: AlertFilter, interval: string, signal: AbortSignal): Promise<Histogram> {
  return ask(`/api/v1/alerts/histogram?${query(filter, { interval })}`, { signal });
}
