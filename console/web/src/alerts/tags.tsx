import type { Alert } from "../api/alerts.ts";
import { useText } from "../i18n/i18n.ts";
import { Tag, type Tone } from "../ui/tag.tsx";
import { visible } from "../ui/plain.tsx";

const PRIORITIES: Record<string, Tone> = { WARNING: "warn", INFO: "accent" };

export function Priority({ priority }: { priority: string }) {
  return <Tag tone={PRIORITIES[priority] ?? "plain"}>{priority}</Tag>;
}

/** What became of an alert, in words. */
export function Outcome({ alert }: { alert: Pick<Alert, "outcome" | "receivers"> }) {
  const text = useText().alerts;
  const receivers = alert.receivers.map((it) => visible(it, 80)).join(", ");
  switch (alert.outcome) {
    case "sent":
      return <><Tag tone="good">{text.sent}</Tag> {receivers ? <span className="small muted">{text.sentTo(receivers)}</span> : null}</>;
    case "unrouted":
      return <><Tag tone="warn">{text.unrouted}</Tag> <span className="small muted">{text.unroutedHelp}</span></>;
    case "rejected":
      return <><Tag tone="bad">{text.rejected}</Tag> <span className="small muted">{receivers ? text.rejectedBy(receivers) : text.rejectedHelp}</span></>;
  }
}
