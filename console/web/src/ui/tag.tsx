import type { AuditEvent } from "../api/client.ts";

export type Tone = "good" | "warn" | "bad" | "accent" | "plain";

export function Tag({ tone = "plain", children, title }: { tone?: Tone; children: React.ReactNode; title?: string }) {
  return <span className={`tag ${tone}`} title={title}>{children}</span>;
}

/** How a request was answered: told by the number, not by colour alone. */
export function Code({ event }: { event: Pick<AuditEvent, "code"> }) {
  const { code } = event;
  if (code == null) return null;
  const tone: Tone = code >= 500 ? "bad" : code === 401 || code === 403 ? "warn" : code >= 400 ? "plain" : "good";
  return <Tag tone={tone}>{code}</Tag>;
}
