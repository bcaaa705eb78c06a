// The search page: what is asked, when it happened, what stands out, and the requests themselves.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useEffect, useMemo, useState } from "react";
import { answer, api } from "../api/client.ts";
import { useText } from "../i18n/i18n.ts";
import { useParams } from "../query/url.ts";
import { Coverage } from "../ui/coverage.tsx";
import { ChoiceMenu } from "../ui/menu.tsx";
import { Loading } from "../ui/state.tsx";
import { problemOf, QueryBar } from "./bar.tsx";
import { Chips } from "./chips.tsx";
import { columnsOf, keepColumns, keptColumns, USUAL_COLUMNS } from "./columns.tsx";
import { NothingFound } from "./empty.tsx";
import { Facets } from "./facets.tsx";
import { AddFilter } from "./filter.tsx";
import { isTyping } from "./grid.tsx";
import { NextSteps } from "./steps.tsx";
import { EventTable, useEvents } from "./table.tsx";
import { TimeMenu } from "./timemenu.tsx";
import { asked, midnight, spanOf } from "./times.ts";
import { type Stack, STACKS, Trend } from "./trend.tsx";
import "./search.css";

const ColumnsMenu = lazy(() => import("./columnsmenu.tsx"));
const ExportMenu = lazy(() => import("./exports.tsx"));
const Help = lazy(() => import("./help.tsx"));
const Language = lazy(() => import("./help.tsx").then((it) => ({ default: it.Language })));
const Live = lazy(() => import("./live.tsx"));
const Saved = lazy(() => import("./saved.tsx"));

const PANEL = "vedette.facets";
/** There is room for the panel beside the list. */
const WIDE = "(min-width: 1001px)";

export function Search() {
  const text = useText().search;
  const [params, change] = useParams();
  const client = useQueryClient();
  const [when, setWhen] = useState(Date.now);
  const [timeOpen, setTimeOpen] = useState(false);
  const [helpOpen, setHelpOpen] = useState(false);
  const [panel, setPanel] = useState(() => (localStorage.getItem(PANEL) ?? (matchMedia(WIDE).matches ? "shown" : "hidden")) === "shown");
  const query = params.get("q") ?? "";
  const q = asked(query);
  const sort = params.get("sort") === "asc" ? "asc" : "desc";
  const by: Stack = STACKS.find((it) => it === params.get("by")) ?? "verb";
  const live = params.get("live") === "1";
  const written = params.get("cols") ?? keptColumns();
  const columns = useMemo(() => columnsOf(written), [written]);
  const span = useMemo(() => spanOf(q, when), [q, when]);
  const found = useEvents(q, sort, !live);
  const counts = useQuery({
    queryKey: ["statistics", q],
    queryFn: ({ signal }) => answer(api.GET("/api/v1/statistics", { params: { query: { q } }, signal })),
    enabled: !live,
  });
  const ask = (next: string) => {
    setWhen(Date.now());
    // The same question is a wish for what came since.
    if (next === query) void client.resetQueries({ predicate: ({ queryKey }) => queryKey[0] !== "me" });
    else change({ q: next });
  };
  useEffect(() => {
    document.title = `${query === "" ? text.title : query.slice(0, 80)} · Vedette`;
    return () => { document.title = "Vedette"; };
  }, [query, text.title]);
  useEffect(() => {
    const key = (event: KeyboardEvent) => {
      if (event.key !== "?" || event.ctrlKey || event.metaKey || isTyping(event.target)) return;
      event.preventDefault();
      setHelpOpen(true);
    };
    document.addEventListener("keydown", key);
    return () => document.removeEventListener("keydown", key);
  }, []);
  const problem = problemOf(found.error) ?? problemOf(counts.error);
  const first = found.data?.pages[0];
  const empty = first !== undefined && first.items.length === 0;
  return (
    <div className="search-page">
      <h1 className="visually-hidden">{text.title}</h1>
      <QueryBar query={query} problem={problem} onAsk={ask} />
      <div className="row under-bar">
        <TimeMenu query={query} open={timeOpen} onOpen={setTimeOpen} onAsk={ask} />
        <AddFilter query={query} onAsk={ask} onTime={() => setTimeOpen(true)} />
        <Chips query={query} onAsk={ask} />
        <NextSteps query={query} onAsk={ask} />
        <div className="row tools">
          <Suspense>
            <button type="button" className="button small" aria-pressed={live} onClick={() => change({ live: live ? "" : "1" })}><span aria-hidden="true">●</span> {live ? text.live.stop : text.live.start}</button>
            <Saved query={query} onAsk={ask} />
            {live ? null : <ExportMenu q={q} sort={sort} columns={columns} total={counts.data?.events} />}
            <button type="button" className="button quiet small" aria-label={text.help.label} title={text.help.label} onClick={() => setHelpOpen(true)}>?</button>
          </Suspense>
        </div>
      </div>
      {problem ? (
        <section className="card" aria-labelledby="language-title">
          <h2 id="language-title">{text.help.language}</h2>
          <Suspense><Language onAsk={ask} /></Suspense>
        </section>
      ) : live ? (
        <Suspense fallback={<Loading />}><Live query={query} columns={columns} /></Suspense>
      ) : (
        <>
          <Trend query={query} q={q} span={span} by={by} onBy={(next) => change({ by: next === "verb" ? "" : next }, { replace: true })} onAsk={ask} />
          <div className="row found">
            <span role="status" aria-label={text.found.label}>
              {counts.data ? <><strong>{text.found.events(counts.data.events)}</strong> <span className="muted">· {text.found.requests(counts.data.requests)}</span></> : null}
            </span>
            <Today />
            <div className="row tools">
              <button type="button" className="button quiet small" aria-expanded={panel} onClick={() => { setPanel(!panel); localStorage.setItem(PANEL, panel ? "hidden" : "shown"); }}>{panel ? text.facets.hide : text.facets.show}</button>
              <ChoiceMenu
                label={sort === "desc" ? text.table.newest : text.table.oldest} value={sort} choices={[{ value: "desc", label: text.table.newest }, { value: "asc", label: text.table.oldest }]}
                onChange={(value) => change({ sort: value === "desc" ? "" : value }, { replace: true })}
              />
              <Suspense>
                <ColumnsMenu
                  columns={columns}
                  onChange={(next) => {
                    const chosen = next.join(",") === USUAL_COLUMNS.join(",") ? "" : next.join(",");
                    keepColumns(chosen);
                    change({ cols: chosen }, { replace: true });
                  }}
                />
              </Suspense>
            </div>
          </div>
          <div className="results" data-panel={(panel && !empty) || undefined}>
            {panel && !empty ? <Facets query={query} q={q} onAsk={ask} /> : null}
            <div className="result-list">
              {empty ? <NothingFound query={query} span={span} coverage={first.coverage} onAsk={ask} /> : <EventTable key={`${q}\n${sort}`} q={q} sort={sort} columns={columns} total={counts.data?.requests} main />}
              {first?.coverage && !empty ? <Coverage coverage={first.coverage} /> : null}
            </div>
          </div>
        </>
      )}
      {helpOpen ? <Suspense><Help onClose={() => setHelpOpen(false)} onAsk={(next) => { setHelpOpen(false); ask(next); }} /></Suspense> : null}
    </div>
  );
}

/** How many events there are since midnight, whatever is searched. */
function Today() {
  const text = useText().search.found;
  const [start] = useState(() => new Date(midnight(Date.now())).toISOString());
  const today = useQuery({
    queryKey: ["statistics", "today", start],
    queryFn: ({ signal }) => answer(api.GET("/api/v1/statistics", { params: { query: { start } }, signal })),
    refetchInterval: 60_000,
  });
  return today.data ? <span className="muted" title={text.todayHelp}>· {text.today(today.data.events)}</span> : null;
}
