// When it happened: the histogram of what is searched, with what it is stacked by.
import { lazy, Suspense } from "react";
import { useText } from "../i18n/i18n.ts";
import { is, range, withTerm, withTime } from "../query/language.ts";
import { visible } from "../ui/plain.tsx";
import { STACKS, type Stack, type useTrend } from "./data.ts";
import type { Span } from "./times.ts";

const HistogramChart = lazy(() => import("../chart/histogram.tsx").then((it) => ({ default: it.HistogramChart })));

/** What can be added to the query for a series. */
const KEYS: Partial<Record<Stack, string>> = { verb: "verb", codeClass: "code" };

export function Trend({ query, found, span, by, onBy, onAsk }: {
  query: string;
  found: ReturnType<typeof useTrend>;
  span?: Span;
  by: Stack;
  onBy: (by: Stack) => void;
  onAsk: (query: string) => void;
}) {
  const text = useText().search.trend;
  const { data } = found;
  // What is shown may be the answer to the question before: it must not pass for this one's.
  const busy = found.isPending || found.isPlaceholderData;
  const key = KEYS[data?.by ?? by];
  const choose = (series: string) => {
    if (key && !busy) onAsk(withTerm(query, /^[1-5]xx$/.test(series) ? `${key}:${series}` : is(key, series)));
  };
  const zoom = (start: number, end: number) => {
    if (!busy) onAsk(withTime(query, range(start, end)));
  };
  return (
    <section className="card trend" aria-labelledby="trend-title">
      <header>
        <h2 id="trend-title">{text.label}</h2>
        <span className="muted small">{text.help}</span>
        <div className="row small stack-by" role="group" aria-label={text.by}>
          <span className="muted" aria-hidden="true">{text.by}</span>
          {STACKS.map((it) => <button key={it} type="button" className="button quiet small" aria-pressed={it === by} onClick={() => onBy(it)}>{text.byOf[it]}</button>)}
        </div>
      </header>
      {data && data.by !== by && !busy ? <p className="small muted">{text.noPriority}</p> : null}
      <div className="trend-chart" aria-busy={busy}>
        {data && (span || data.histogram.buckets.length > 0) ? (
          <Suspense><HistogramChart histogram={data.histogram} label={text.label} span={found.isPlaceholderData ? undefined : span} step={data.step} onRange={zoom} onSeries={key ? choose : undefined} nameOf={visible} /></Suspense>
        ) : null}
        {data?.histogram.total === 0 && !busy ? <p className="trend-nothing muted">{text.nothing}</p> : null}
      </div>
    </section>
  );
}
