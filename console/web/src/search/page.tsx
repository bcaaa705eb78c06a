// The search page: what is asked, when it happened, what stands out, and the requests themselves.
import { useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useEffect, useLayoutEffect, useMemo, useState } from "react";
import { useText } from "../i18n/i18n.ts";
import { useParams } from "../query/url.ts";
import { Coverage } from "../ui/coverage.tsx";
import { ChoiceMenu } from "../ui/menu.tsx";
import { minute } from "../time.ts";
import { Failed, Loading } from "../ui/state.tsx";
import { problemOf, QueryBar } from "./bar.tsx";
import { Chips } from "./chips.tsx";
import { columnsOf, keepColumns, keptColumns, USUAL, USUAL_COLUMNS } from "./columns.tsx";
import { NothingFound } from "./empty.tsx";
import { type Stack, STACKS, useCounts, useFacets, useFailure, useToday, useTrend } from "./data.ts";
import { Facets } from "./facets.tsx";
import { AddFilter } from "./filter.tsx";
import { isTyping } from "./grid.tsx";
import { useMoment } from "./moment.ts";
import { NextSteps } from "./steps.tsx";
import { EventTable, useEvents } from "./table.tsx";
import { TimeMenu } from "./timemenu.tsx";
import { asked, saysNow, spanAsked, spanOf } from "./times.ts";
import { Trend } from "./trend.tsx";
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
  const [timeOpen, setTimeOpen] = useState(false);
  const [helpOpen, setHelpOpen] = useState(false);
  const [panel, setPanel] = useState(() => (localStorage.getItem(PANEL) ?? (matchMedia(WIDE).matches ? "shown" : "hidden")) === "shown");
  const query = params.get("q") ?? "";
  const q = asked(query);
  const sort = params.get("sort") === "asc" ? "asc" : "desc";
  const by: Stack = STACKS.find((it) => it === params.get("by")) ?? "verb";
  const live = params.get("live") === "1";
  const written = params.get("cols") ?? keptColumns();
  useEffect(() => {
    // An address that is passed on shows others the same.
    if (!params.has("cols") && written !== "") change({ cols: written }, { replace: true });
  }, [params.has("cols"), written, change]);
  const columns = useMemo(() => columnsOf(written), [written]);
  const { at, renew, catchUp } = useMoment(q);
  const found = useEvents(q, sort, { at, enabled: !live });
  const first = found.data?.pages[0];
  const empty = first !== undefined && first.items.length === 0;
  const counts = useCounts(q, at, !live);
  const said = useMemo(() => spanOf(q, at), [q, at]);
  const trend = useTrend(q, at, by, said, !live);
  const facets = useFacets(q, at, !live && panel && !empty);
  const span = useMemo(() => (trend.isPlaceholderData ? undefined : spanAsked(trend.data?.histogram, at)) ?? said, [trend.isPlaceholderData, trend.data, at, said]);
  const failure = useFailure([found, counts, trend, facets], `${q}\n${at}`);
  const refresh = () => {
    renew();
    void client.invalidateQueries({ queryKey: ["today"] });
  };
  const ask = (next: string) => {
    // The same question is a wish for what came since.
    if (next === query) refresh();
    else change({ q: next });
  };
  useEffect(() => {
    document.title = `${query === "" ? text.title : query.slice(0, 80)} · Vedette`;
    return () => { document.title = "Vedette"; };
  }, [query, text.title]);
  useLayoutEffect(() => {
    const key = (event: KeyboardEvent) => {
      if (event.key !== "?" || event.ctrlKey || event.metaKey || isTyping(event.target)) return;
      event.preventDefault();
      setHelpOpen(true);
    };
    document.addEventListener("keydown", key);
    return () => document.removeEventListener("keydown", key);
  }, []);
  const problem = problemOf(found.error) ?? problemOf(counts.error);
  return (
    <div className="search-page">
      <h1 className="visually-hidden">{text.title}</h1>
      <QueryBar query={query} problem={problem} span={live ? undefined : span} onAsk={ask} />
      <div className="row under-bar">
        {live ? null : <TimeMenu query={query} span={span} open={timeOpen} onOpen={setTimeOpen} onAsk={ask} />}
        <AddFilter query={query} onAsk={ask} onTime={live ? undefined : () => setTimeOpen(true)} />
        <Chips query={query} onAsk={ask} />
        <NextSteps query={query} onAsk={ask} />
        <div className="row tools">
          <Suspense>
            <button type="button" className="button small" aria-pressed={live} onClick={() => { catchUp(); change({ live: live ? "" : "1" }); }}><span aria-hidden="true">●</span> {live ? text.live.stop : text.live.start}</button>
            <Saved query={query} onAsk={ask} />
            <ExportMenu q={q} sort={sort} columns={columns} total={counts.data?.events} hidden={live} />
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
          {failure ? (
            <section className="card">
              <Failed error={failure.error} onRetry={failure.retry} />
              {failure.again ? <p className="again muted" role="status">{text.found.again}</p> : null}
            </section>
          ) : null}
          {failure && !trend.data ? null : <Trend query={query} found={trend} span={span} by={by} onBy={(next) => { catchUp(); change({ by: next === "verb" ? "" : next }, { replace: true }); }} onAsk={ask} />}
          <div className="row found">
            <span role="status" aria-label={text.found.label}>
              {counts.data ? <><strong>{text.found.events(counts.data.events)}</strong> <span className="muted">· {text.found.requests(counts.data.requests)}</span></> : null}
            </span>
            <Today after={counts.data !== undefined} />
            {saysNow(q) ? <span className="muted">{counts.data ? "· " : ""}{text.found.asOf(minute(at, new Date(at).toDateString() !== new Date().toDateString()))} · <button type="button" className="link" onClick={refresh}>{text.found.refresh}</button></span> : null}
            <div className="row tools">
              <button type="button" className="button quiet small" aria-expanded={panel} onClick={() => { catchUp(); setPanel(!panel); localStorage.setItem(PANEL, panel ? "hidden" : "shown"); }}>{panel ? text.facets.hide : text.facets.show}</button>
              <ChoiceMenu
                label={sort === "desc" ? text.table.newest : text.table.oldest} value={sort} choices={[{ value: "desc", label: text.table.newest }, { value: "asc", label: text.table.oldest }]}
                onChange={(value) => { catchUp(); change({ sort: value === "desc" ? "" : value }, { replace: true }); }}
              />
              <Suspense>
                <ColumnsMenu
                  columns={columns}
                  onChange={(next) => {
                    const usual = next.join(",") === USUAL_COLUMNS.join(",");
                    keepColumns(usual ? "" : next.join(","));
                    change({ cols: usual ? USUAL : next.join(",") }, { replace: true });
                  }}
                />
              </Suspense>
            </div>
          </div>
          <div className="results" data-panel={(panel && !empty) || undefined}>
            {panel && !empty ? <Facets query={query} found={facets} onAsk={ask} /> : null}
            <div className="result-list">
              {empty ? <NothingFound query={query} span={span} coverage={first.coverage} onAsk={ask} /> : failure && !found.data ? null : <EventTable key={`${q}\n${sort}`} q={q} sort={sort} columns={columns} total={counts.data?.requests} at={at} main />}
              {first?.coverage && !empty ? <Coverage coverage={first.coverage} /> : null}
            </div>
          </div>
        </>
      )}
      {helpOpen ? <Suspense><Help onClose={() => setHelpOpen(false)} onAsk={(next) => { setHelpOpen(false); ask(next); }} /></Suspense> : null}
    </div>
  );
}

function Today({ after }: { after: boolean }) {
  const text = useText().search.found;
  const today = useToday();
  return today.data ? <span className="muted" title={text.todayHelp}>{after ? "· " : ""}{text.today(today.data.events)}</span> : null;
}
