// Dead letters: which there are, and what becomes of them.
import { useEffect, useState } from "react";
import type { DeadLetter } from "./types.ts";
import type { Status } from "./types.ts";
import { useText } from "../i18n/i18n.ts";
import { useParams } from "../query/url.ts";
import { Empty, Failed, Loading } from "../ui/state.tsx";
import { Actions, Told } from "./dead-actions.tsx";
import { Filters } from "./dead-filters.tsx";
import { LetterTable } from "./dead-table.tsx";
import { LetterDialog } from "./letter.tsx";
import { type Filter, type Outcome, useLetters } from "./letters.ts";

export function DeadLetters({ status }: { status: Status | undefined }) {
  const text = useText().pipeline.dead;
  const [params, change] = useParams();
  const filter: Filter = { service: params.get("service") ?? "", reason: params.get("reason") ?? "", cluster: params.get("cluster") ?? "" };
  const filtered = filter.service + filter.reason + filter.cluster !== "";
  const { data, error, isPending, isFetching, isFetchingNextPage, isFetchNextPageError, hasNextPage, fetchNextPage, refetch } = useLetters(filter);
  const letters = data?.pages.flatMap((page) => page.items) ?? [];
  const [chosen, setChosen] = useState<ReadonlySet<number>>(new Set());
  const [outcome, setOutcome] = useState<Outcome>();
  const open = /^\d+$/.test(params.get("letter") ?? "") ? Number(params.get("letter")) : undefined;
  // What is not shown is not chosen: neither what was discarded nor what the filter leaves out.
  const selection = letters.filter((it) => chosen.has(it.sequence));

  // A page may hold nothing although there are more: letters that the filter leaves out are passed over a part at a time.
  const empty = letters.length === 0;
  useEffect(() => {
    if (empty && hasNextPage && !isFetchingNextPage && !isFetchNextPageError) void fetchNextPage();
  }, [empty, hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage]);

  const finish = (told: Outcome) => {
    setOutcome(told);
    setChosen(new Set(told.failures.map((it) => it.sequence)));
  };
  return (
    <div className="dead">
      <p className="muted prose">{text.intro}</p>
      <Filters filter={filter} status={status} filtered={filtered} fetching={isFetching} onRefresh={() => void refetch()}
        onChange={(next) => { setOutcome(undefined); change({ service: "", reason: "", cluster: "", ...next }); }} />
      {outcome ? <Told outcome={outcome} onClose={() => setOutcome(undefined)} /> : null}
      {error && !data ? <Failed error={error} onRetry={() => void refetch()} />
        : isPending || (empty && hasNextPage && !isFetchNextPageError) ? <Loading />
        : empty && !hasNextPage ? <Empty title={filtered ? text.noMatch : text.none}><p>{filtered ? text.noMatchHelp : text.noneHelp}</p></Empty>
        : (
          <>
            <Actions selection={selection} onUnselect={() => setChosen(new Set())} onDone={finish} />
            <LetterTable letters={letters} chosen={chosen} onChoose={setChosen} onOpen={(letter: DeadLetter) => change({ letter: String(letter.sequence) })}
              more={hasNextPage} loading={isFetchingNextPage} failed={isFetchNextPageError} onMore={() => void fetchNextPage()} />
          </>
        )}
      {open === undefined ? null : (
        <LetterDialog sequence={open} onClose={() => change({ letter: "" })} onDone={(told) => { setOutcome(told); change({ letter: "" }); }} />
      )}
    </div>
  );
}
