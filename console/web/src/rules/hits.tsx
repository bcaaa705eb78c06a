// How often a rule matched, asked for when somebody wants to know.
import { useCallback, useState } from "react";
import { Link, useLocation } from "wouter";
import { HistogramChart } from "../chart/histogram.tsx";
import { useText } from "../i18n/i18n.ts";
import { is, range } from "../query/language.ts";
import { searchHref } from "../query/url.ts";
import { useDark } from "../theme.ts";
import { Failed, Loading } from "../ui/state.tsx";
import { hitsQuery, useHits } from "./data.ts";

export function Hits({ rule }: { rule: string }) {
  const text = useText().rules.hits;
  const [shown, setShown] = useState(false);
  const hits = useHits(rule, shown);
  const dark = useDark();
  const [, navigate] = useLocation();
  // The chart is drawn anew when these change.
  const colour = useCallback(() => (dark ? "#5cc8d5" : "#0b7f8e"), [dark]);
  const brush = useCallback((start: number, end: number) => navigate(searchHref(`${is("rule", rule)} ${range(start, end)}`)), [navigate, rule]);
  return (
    <div className="hits">
      <div className="row">
        <button type="button" className="button small" aria-expanded={shown} onClick={() => setShown(!shown)}>{text.show}<span className="visually-hidden"> {rule}</span></button>
        {shown && hits.data ? <span className="small">{hits.data.total > 0 ? text.total(hits.data.total) : text.none}</span> : null}
        <Link className="small" href={searchHref(hitsQuery(rule))}>{text.search}<span className="visually-hidden"> {rule}</span></Link>
      </div>
      {!shown ? null : hits.isPending ? <Loading /> : hits.isError ? <Failed error={hits.error} onRetry={() => void hits.refetch()} /> : hits.data.total > 0 ? (
        <HistogramChart histogram={hits.data} label={text.label(rule, hits.data.total)} height={80} color={colour} onRange={brush} />
      ) : null}
    </div>
  );
}
