// An empty result: what did not happen, beside what would not be known.
import { useQuery } from "@tanstack/react-query";
import { answer, api, type Coverage as Kept } from "../api/client.ts";
import { useText } from "../i18n/i18n.ts";
import { Coverage } from "../ui/coverage.tsx";
import { Empty } from "../ui/state.tsx";
import type { Scope } from "./scope.ts";

export function useCoverage(q: string, enabled = true) {
  return useQuery({ queryKey: ["coverage", q], enabled, queryFn: ({ signal }) => answer(api.GET("/api/v1/coverage", { params: { query: { q } }, signal })) });
}

/** Whether something of what was asked for may have happened without a trace. */
function incomplete(kept: Kept): boolean {
  const { losses } = kept;
  return kept.beginsBefore || (kept.gaps ?? []).length > 0 || (kept.rules ?? []).some((it) => !it.kept) || (losses ? losses.dropped + losses.deadLettered + losses.inFlight > 0 : false);
}

export function Nothing({ q, coverage, scope }: { q: string; coverage?: Kept; scope: Scope }) {
  const text = useText().investigate;
  const asked = useCoverage(q, coverage === undefined).data;
  const kept = coverage ?? asked;
  return (
    <>
      <Empty title={text.empty} actions={scope.time === "" ? undefined : <button type="button" className="button" onClick={() => scope.setTime("")}>{text.widen}</button>}>
        {kept ? <p>{incomplete(kept) ? text.emptyHelp : text.emptyWhole}</p> : null}
      </Empty>
      {kept ? <Coverage coverage={kept} open /> : null}
    </>
  );
}

/** What is kept of what a tab shows. */
export function KeptOf({ q }: { q: string }) {
  const kept = useCoverage(q).data;
  return kept ? <Coverage coverage={kept} /> : null;
}
