// What was alerted, by which rule, with the event behind it.
import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useMemo, useState } from "react";
import { Link } from "wouter";
import { ApiError } from "../api/client.ts";
import type { AlertFilter, AlertsKept } from "../api/alerts.ts";
import { HistogramChart } from "../chart/histogram.tsx";
import { useText } from "../i18n/i18n.ts";
import { useParams } from "../query/url.ts";
import { useDark } from "../theme.ts";
import { full } from "../time.ts";
import { Empty, Failed, Loading } from "../ui/state.tsx";
import "./alerts.css";
import { useAlertGroups, useAlertsKept, useAlertTrend } from "./data.ts";
import { type Chosen, Filters } from "./filters.tsx";
import { Groups } from "./groups.tsx";
import { periodName } from "./period-name.ts";
import { PERIOD, periodBetween, rangeOf } from "./period.ts";

// Of three to one and more against the cards, in either scheme.
const COLOURS: Record<string, readonly [light: string, dark: string]> = { WARNING: ["#b26a00", "#f0b85a"], INFO: ["#0b7f8e", "#5cc8d5"] };
const OTHER = ["#77838f", "#8e9aa6"] as const;

export default function Page() {
  const text = useText();
  const [params, change] = useParams();
  const chosen: Chosen = { q: params.get("q") ?? "", rule: params.get("rule") ?? "", priority: params.get("priority") ?? "", time: params.get("time") ?? PERIOD };
  const { q, rule, priority, time } = chosen;
  // "Now" stands still until somebody asks again, so that pages of one list are of one range.
  const [now, setNow] = useState(Date.now);
  const { interval, step, ...range } = useMemo(() => rangeOf(time, now), [time, now]);
  const { start, end } = range;
  const span = useMemo(() => (start ? { start: Date.parse(start), end: end ? Date.parse(end) : now } : undefined), [start, end, now]);
  const filter: AlertFilter = useMemo(
    () => ({
      ...(q ? { q } : {}), ...(rule ? { rule: [rule] } : {}), ...(priority ? { priority: [priority] } : {}),
      ...(start ? { start } : {}), ...(end ? { end } : {}),
    }),
    [q, rule, priority, start, end],
  );
  const kept = useAlertsKept();
  const groups = useAlertGroups(filter);
  const trend = useAlertTrend(filter, interval);
  const queries = useQueryClient();
  const dark = useDark();

  const choose = useCallback((values: Partial<Chosen>) => {
    setNow(Date.now());
    const period = values.time === PERIOD ? { time: "" } : {};
    change({ ...values, ...period, open: "" }, { replace: "q" in values });
  }, [change]);
  // The chart is drawn anew when these change.
  const colour = useCallback((series: string) => (COLOURS[series] ?? OTHER)[dark ? 1 : 0], [dark]);
  const brush = useCallback((from: number, to: number) => choose({ time: periodBetween(from, to) }), [choose]);
  const refresh = () => {
    setNow(Date.now());
    void queries.invalidateQueries({ queryKey: ["alerts-kept"] });
  };
  const clear = () => change({ q: "", rule: "", priority: "", time: "", open: "" });

  const error = kept.error ?? groups.error;
  if (error) return <NotShown error={error} onRetry={() => { void kept.refetch(); void groups.refetch(); }} />;
  const period = periodName(time, text.alerts);
  const rules = [...new Set((groups.data?.items ?? []).map((it) => it.rule))].sort();
  const filtered = q !== "" || rule !== "" || priority !== "" || time !== PERIOD;
  const never = kept.data?.items.length === 0 && kept.data.kept.complete;
  return (
    <div className="alerts">
      <header className="page-head"><h1>{text.alerts.title}</h1><p className="muted">{text.alerts.intro}</p></header>
      {kept.data && !kept.data.kept.complete ? <Incomplete kept={kept.data.kept} /> : null}
      {never ? (
        <Empty title={text.alerts.none.title} actions={<Link href="/rules" className="button">{text.alerts.none.rules}</Link>}><p>{text.alerts.none.help}</p></Empty>
      ) : (
        <>
          <Filters chosen={chosen} rules={rules} onChange={choose} onRefresh={refresh} {...(filtered ? { onClear: clear } : {})} />
          {trend.data && trend.data.total > 0 ? (
            <section className="card">
              <header><h2>{text.alerts.total(trend.data.total)}</h2><span className="muted">{period}</span></header>
              <HistogramChart histogram={trend.data} label={text.alerts.trend(trend.data.total, period)} height={120}
                color={colour} onRange={brush} step={step} {...(span ? { span } : {})} />
            </section>
          ) : null}
          {groups.isPending ? <Loading /> : groups.data && groups.data.items.length > 0 ? (
            <>
              <Unrouted rules={groups.data.items.filter((it) => it.latest.outcome === "unrouted").length} />
              <section className="card wide" aria-label={text.alerts.groups} aria-busy={groups.isPlaceholderData}>
                <Groups groups={groups.data.items} filter={filter} open={params.get("open") ?? ""} onOpen={(open) => change({ open }, { replace: true })} />
              </section>
            </>
          ) : (
            <Empty title={text.alerts.nothing.title(period)} actions={(
              <>
                {time === "all" ? null : <button type="button" className="button" onClick={() => choose({ time: "all" })}>{text.alerts.widen}</button>}
                {filtered ? <button type="button" className="button" onClick={clear}>{text.alerts.clear}</button> : null}
              </>
            )}>
              <p>{text.alerts.nothing.help}</p>
            </Empty>
          )}
        </>
      )}
    </div>
  );
}

function Incomplete({ kept }: { kept: AlertsKept }) {
  const text = useText().alerts.incomplete;
  return <p className="notice warn"><strong>{text.title}</strong> {kept.since ? text.since(full(kept.since)) : text.unknown}</p>;
}

function Unrouted({ rules }: { rules: number }) {
  const text = useText().alerts.noReceiver;
  return rules === 0 ? null : <p className="notice"><strong>{text.title}</strong> {text.help(rules)}</p>;
}

function NotShown({ error, onRetry }: { error: Error; onRetry: () => void }) {
  const text = useText().alerts;
  const code = error instanceof ApiError ? error.code : undefined;
  const said = code === 403 ? text.forbidden : code === 404 ? text.missing : undefined;
  return (
    <>
      <h1>{text.title}</h1>
      {said ? (
        <Empty title={said.title}>
          <p>{said.help}</p>
          <p className="small">{error.message}</p>
        </Empty>
      ) : <Failed error={error} onRetry={onRetry} />}
    </>
  );
}
