// The events that a query finds, as rows; more of them are asked for as one comes near the end.
import { useInfiniteQuery } from "@tanstack/react-query";
import { useCallback, useMemo } from "react";
import { answer, api } from "../api/client.ts";
import { useText } from "../i18n/i18n.ts";
import { Failed, Loading } from "../ui/state.tsx";
import { type ColumnName, USUAL_COLUMNS } from "./columns.tsx";
import { EventGrid } from "./grid.tsx";
import { fold } from "./rows.ts";

const PAGE = 200;

/** `at` is the moment of the page that asks, where it has one. */
export function useEvents(q: string, sort: "asc" | "desc", { at, enabled = true }: { at?: number; enabled?: boolean } = {}) {
  return useInfiniteQuery({
    queryKey: ["events", q, sort, at],
    queryFn: ({ pageParam, signal }) =>
      answer(api.GET("/api/v1/events", { params: { query: { q, sort, limit: PAGE, ...(pageParam ? { cursor: pageParam } : {}) } }, signal })),
    initialPageParam: "",
    getNextPageParam: (last) => last.next ?? undefined,
    // Whoever comes back from an event soon finds the list as it was: all its pages would be asked again.
    staleTime: 5 * 60_000,
    // The same question at another moment: what was there stays until the answer comes, and so does the place in it.
    placeholderData: (before, query) => (query?.queryKey[1] === q && query.queryKey[2] === sort ? before : undefined),
    enabled,
  });
}

export interface Props {
  q: string;
  sort?: "asc" | "desc";
  height?: number;
  columns?: readonly ColumnName[];
  /** How many requests there are, where that is known. */
  total?: number;
  main?: boolean;
  at?: number;
}

export function EventTable({ q, sort = "desc", height, columns = USUAL_COLUMNS, total, main, at }: Props) {
  const { search: text, common } = useText();
  const found = useEvents(q, sort, { at });
  const { hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage } = found;
  const pages = found.data?.pages;
  const rows = useMemo(() => fold((pages ?? []).flatMap((page) => page.items)), [pages]);
  const more = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage && !isFetchNextPageError) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage]);
  if (found.isPending) return <Loading />;
  if (found.isError && !pages) return <Failed error={found.error} onRetry={() => void found.refetch()} />;
  const foot =
    isFetchNextPageError ? <>{text.table.moreFailed} <button type="button" className="button small" onClick={() => void fetchNextPage()}>{common.retry}</button></>
    : hasNextPage || found.isPlaceholderData ? text.table.more
    : text.table.end;
  return <EventGrid rows={rows} columns={columns} label={text.table.label} q={q} name={`${q}\n${sort}`} height={height} total={hasNextPage || found.isPlaceholderData ? total : rows.length} onMore={more} foot={foot} main={main} />;
}
