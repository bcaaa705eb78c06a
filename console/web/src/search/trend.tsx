// When it happened: the histogram of what is searched, with what it is stacked by.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { lazy, Suspense } from "react";
import { ApiError, answer, api } from "../api/client.ts";
import { useText } from "../i18n/i18n.ts";
import { is, range, withTerm, withTime } from "../query/language.ts";
import { Failed } from "../ui/state.tsx";
import { visible } from "../ui/plain.tsx";
import { problemOf } from "./bar.tsx";
import { interval, type Span } from "./times.ts";

const HistogramChart = lazy(() => import("../chart/histogram.tsx").then((it) => ({ default: it.HistogramChart })));

export const STACKS = ["verb", "codeClass", "priority"] as const;
export type Stack = (typeof STACKS)[number];
/** What can be added to the query for a series. */
const KEYS: Partial<Record<Stack, string>> = { verb: "verb", codeClass: "code" };

export function Trend({ query, q, span, by, onBy, onAsk }: {
  query: string;
  /** What is asked. */
  q: string;
  span?: Span;
  by: Stack;
  onBy: (by: Stack) => void;
  onAsk: (query: string) => void;
}) {
  const text = useText().search.trend;
  const step = interval(span);
  const found = useQuery({
    queryKey: ["histogram", q, by, step?.text],
    queryFn: async ({ signal }) => {
      const ask = (cut: Stack) => answer(api.GET("/api/v1/histogram", { params: { query: { q, by: cut, ...(step ? { interval: step.text } : {}) } }, signal }));
      try {
        return { histogram: await ask(by), by, step: step?.ms };
      } catch (error) {
        // A console of before there were priorities.
        if (by === "priority" && error instanceof ApiError && error.problem.parameter === "by") return { histogram: await ask("codeClass"), by: "codeClass" as const, step: step?.ms };
        throw error;
      }
    },
    placeholderData: keepPreviousData,
  });
  const key = KEYS[found.data?.by ?? by];
  const choose = (series: string) => {
    if (key) onAsk(withTerm(query, /^[1-5]xx$/.test(series) ? `${key}:${series}` : is(key, series)));
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
      {found.data && found.data.by !== by && !found.isPlaceholderData ? <p className="small muted">{text.noPriority}</p> : null}
      {found.isError && !problemOf(found.error) ? <Failed error={found.error} onRetry={() => void found.refetch()} /> : null}
      {found.isError ? null : (
        <div className="trend-chart" aria-busy={found.isPending}>
          {found.data ? (
            <Suspense><HistogramChart
              histogram={found.data.histogram} label={text.label} span={found.isPlaceholderData ? undefined : span} step={found.data.step} onRange={(start, end) => onAsk(withTime(query, range(start, end)))}
              onSeries={key ? choose : undefined} nameOf={visible}
            /></Suspense>
          ) : null}
          {found.data?.histogram.total === 0 ? <p className="trend-nothing muted">{text.nothing}</p> : null}
        </div>
      )}
    </section>
  );
}
