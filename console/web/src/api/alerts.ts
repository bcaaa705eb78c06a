// The alert log of `/api/v1`.
import { answer, api, type Histogram, type Schemas } from "./client.ts";

export type Alert = Schemas["Alert"];
export type Outcome = Alert["outcome"];
export type Alerts = Schemas["Alerts"];
export type AlertGroup = Schemas["AlertGroup"];
export type AlertGroups = Schemas["AlertGroups"];
export type AlertsKept = Alerts["kept"];

/** Which alerts: what is left out is not asked about. */
export interface AlertFilter {
  q?: string;
  rule?: string[];
  priority?: string[];
  start?: string;
  end?: string;
}

function query({ rule, priority, ...rest }: AlertFilter) {
  return { ...rest, ...(rule?.length ? { rule: rule.join(",") } : {}), ...(priority?.length ? { priority: priority.join(",") } : {}) };
}

export function listAlerts(filter: AlertFilter, page: { limit: number; cursor?: string }, signal: AbortSignal): Promise<Alerts> {
  return answer(api.GET("/api/v1/alerts", { params: { query: { ...query(filter), ...page } }, signal }));
}

export function groupAlerts(filter: AlertFilter, signal: AbortSignal): Promise<AlertGroups> {
  return answer(api.GET("/api/v1/alerts/groups", { params: { query: query(filter) }, signal }));
}

export function alertHistogram(filter: AlertFilter, interval: string, signal: AbortSignal): Promise<Histogram> {
  return answer(api.GET("/api/v1/alerts/histogram", { params: { query: { ...query(filter), interval } }, signal }));
}

/** The alerts of an event. */
export async function alertsOf(event: string, signal: AbortSignal): Promise<Alert[]> {
  return (await answer(api.GET("/api/v1/alerts", { params: { query: { event } }, signal }))).items;
}
