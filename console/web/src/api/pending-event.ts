// What the event page asks of alerts, until the OpenAPI document has it.
import { fetchApi } from "./client.ts";

export interface Alert {
  id: string;
  eventId: string;
  time: string;
  alertedTime: string;
  cluster: string;
  rule: string;
  priority: string;
  message: string;
  user: string;
  verb: string;
  resource: string;
  subresource: string;
  name: string;
  namespace: string;
  workspace: string;
  ip: string;
  auditID: string;
  outcome: "sent" | "unrouted" | "rejected";
  receivers: string[];
}

/** The alerts of an event. */
export async function alertsOf(event: string, signal: AbortSignal): Promise<Alert[]> {
  const response = await fetchApi(`/api/v1/alerts?${new URLSearchParams({ event })}`, { signal });
  return ((await response.json()) as { items: Alert[] }).items;
}
