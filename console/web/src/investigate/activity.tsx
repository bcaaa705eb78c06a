// What was done, as the table of events shows it everywhere.
import { EventTable } from "../search/table.tsx";
import { Failed, Loading } from "../ui/state.tsx";
import { useStatistics } from "./frame.tsx";
import { KeptOf, Nothing } from "./nothing.tsx";
import type { Scope } from "./scope.ts";

/** Room for some twenty rows: a table of its own height scrolls, so that what is below it stays in reach. */
const HEIGHT = 560;

export function Activity({ q, scope }: { q: string; scope: Scope }) {
  const count = useStatistics(q);
  if (count.isPending) return <Loading />;
  if (count.isError) return <Failed error={count.error} onRetry={() => void count.refetch()} />;
  if (count.data.events === 0) return <Nothing q={q} scope={scope} />;
  return (
    <>
      <EventTable q={q} height={HEIGHT} main />
      <KeptOf q={q} />
    </>
  );
}
