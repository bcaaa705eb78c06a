// The alerts of a group, the newest first, more as one scrolls down.
import { useEffect, useRef } from "react";
import { Link } from "wouter";
import type { Alert, AlertFilter } from "../api/alerts.ts";
import { useText } from "../i18n/i18n.ts";
import { hrefs } from "../query/url.ts";
import { Failed, Loading } from "../ui/state.tsx";
import { Tag } from "../ui/tag.tsx";
import { Time } from "../ui/time.tsx";
import { useAlerts } from "./data.ts";
import { visible } from "../ui/plain.tsx";
import { Outcome } from "./tags.tsx";

export function AlertList({ filter, label }: { filter: AlertFilter; label: string }) {
  const text = useText();
  const found = useAlerts(filter);
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = found;
  const end = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const mark = end.current;
    if (!mark || !hasNextPage || isFetchingNextPage) return;
    const seen = new IntersectionObserver((entries) => {
      if (entries.some((it) => it.isIntersecting)) void fetchNextPage();
    }, { rootMargin: "200px" });
    seen.observe(mark);
    return () => seen.disconnect();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);

  if (found.isPending) return <Loading />;
  if (found.isError) return <Failed error={found.error} onRetry={() => void found.refetch()} />;
  const alerts = found.data.pages.flatMap((page) => page.items);
  const total = found.data.pages[0]?.total ?? alerts.length;
  return (
    <>
      <ol className="alert-list" aria-label={label}>
        {folded(alerts).map(({ alert, times }) => <AlertItem key={alert.id} alert={alert} times={times} />)}
      </ol>
      <div ref={end} className="row small muted" role="status">
        {text.alerts.shown(alerts.length, Math.max(total, alerts.length))}
        {hasNextPage
          ? <button type="button" className="button small" disabled={isFetchingNextPage} onClick={() => void fetchNextPage()}>{isFetchingNextPage ? text.common.loading : text.common.more}</button>
          : <span>{text.alerts.end}</span>}
      </div>
    </>
  );
}

/** An alert, and how many of them there are: each stage of a request is alerted. */
function folded(alerts: readonly Alert[]): { alert: Alert; times: number }[] {
  const found: { alert: Alert; times: number }[] = [];
  for (const alert of alerts) {
    const last = found.at(-1);
    // Clients choose the id of a request: whoever made it has to be the same, too.
    const same = last !== undefined && alert.auditID !== "" && (["auditID", "user", "ruleId", "outcome", "message"] as const).every((it) => last.alert[it] === alert[it]);
    if (same) last.times += 1;
    else found.push({ alert, times: 1 });
  }
  return found;
}

function AlertItem({ alert, times }: { alert: Alert; times: number }) {
  const text = useText().alerts;
  return (
    <li>
      <div className="row">
        <Time value={alert.time} />
        {times > 1 ? <Tag title={text.stages(times)}>×{times}</Tag> : null}
        <Outcome alert={alert} />
        <Link className="alert-event" href={hrefs.event(alert.eventId)}>{text.event}<span className="visually-hidden"> {alert.eventId}</span></Link>
      </div>
      <p className="alert-message">{alert.message === "" ? <span className="muted">{text.noMessage}</span> : visible(alert.message)}</p>
      <p className="small muted">
        <Link href={hrefs.user(alert.user)}>{visible(alert.user, 200)}</Link> <Did alert={alert} />
      </p>
    </li>
  );
}

/** What was done to what, from where. */
function Did({ alert }: { alert: Alert }) {
  const what = [alert.resource, alert.subresource].filter(Boolean).join("/");
  const where = [alert.namespace, alert.name].filter(Boolean).join("/");
  return (
    <>
      <strong>{visible(alert.verb, 80)}</strong> {visible(what, 200)} {where ? <code>{visible(where, 300)}</code> : null}
      {alert.ip ? <> · <Link href={hrefs.address(alert.ip)}>{visible(alert.ip, 80)}</Link></> : null} · {visible(alert.cluster, 100)}
    </>
  );
}
