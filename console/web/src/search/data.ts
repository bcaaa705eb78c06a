// What the search page asks: all at one moment, with one word when it fails.
import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useState } from "react";
import { ApiError, answer, api } from "../api/client.ts";
import { problemOf } from "./bar.tsx";
import { FACETS, keyOf } from "./keys.ts";
import { interval, midnight, type Span, spanAsked } from "./times.ts";

export const STACKS = ["verb", "codeClass", "priority"] as const;
export type Stack = (typeof STACKS)[number];

/** How long bars are where nobody says it. */
const UNASKED = "15m";
const TOP = 6;

export function useCounts(q: string, at: number, enabled: boolean) {
  return useQuery({
    queryKey: ["statistics", q, at],
    queryFn: ({ signal }) => answer(api.GET("/api/v1/statistics", { params: { query: { q } }, signal })),
    enabled,
  });
}

/** `span` is what the query says where that is known; the console says it for the others. */
export function useTrend(q: string, at: number, by: Stack, span: Span | undefined, enabled: boolean) {
  const step = interval(span);
  return useQuery({
    queryKey: ["histogram", q, at, by, step?.text],
    queryFn: async ({ signal }) => {
      const ask = (cut: Stack, wanted = step) => answer(api.GET("/api/v1/histogram", { params: { query: { q, by: cut, ...(wanted ? { interval: wanted.text } : {}) } }, signal }));
      const cut = async (cut: Stack) => {
        const histogram = await ask(cut);
        const meant = step ? undefined : interval(spanAsked(histogram, at));
        return meant && meant.text !== UNASKED && histogram.total > 0 ? { histogram: await ask(cut, meant), by: cut, step: meant.ms } : { histogram, by: cut, step: step?.ms };
      };
      try {
        return await cut(by);
      } catch (error) {
        // A console of before there were priorities.
        if (by === "priority" && error instanceof ApiError && error.problem.parameter === "by") return cut("codeClass");
        throw error;
      }
    },
    placeholderData: keepPreviousData,
    enabled,
  });
}

export function useFacets(q: string, at: number, enabled: boolean) {
  const by = FACETS.map((key) => keyOf(key)?.by ?? key).join(",");
  return useQuery({
    queryKey: ["facets", q, at],
    queryFn: ({ signal }) => answer(api.GET("/api/v1/facets", { params: { query: { q, by, top: TOP } }, signal })),
    placeholderData: keepPreviousData,
    enabled,
  });
}

/** How many events there are since midnight, whatever is searched. */
export function useToday() {
  return useQuery({
    queryKey: ["today", midnight(Date.now())],
    // As of when it is asked: a page that is left open asks on after midnight.
    queryFn: ({ signal }) => answer(api.GET("/api/v1/statistics", { params: { query: { start: new Date(midnight(Date.now())).toISOString() } }, signal })),
    refetchInterval: 60_000,
  });
}

interface Asked {
  data: unknown;
  error: unknown;
  isError: boolean;
  isFetching: boolean;
}

/** Those who did not answer may soon. */
const PASSING: readonly number[] = [0, 502, 503];
const AGAIN_MS = 5_000;

/** Why a part of the page could not be loaded: one reason for all parts, until all are there. */
export function useFailure(asked: readonly Asked[], name: string): { error: unknown; again: boolean; retry: () => void } | undefined {
  const client = useQueryClient();
  const [held, setHeld] = useState<{ error: unknown; name: string } | undefined>();
  const now = asked.find((it) => it.isError && it.data === undefined && !problemOf(it.error))?.error;
  const busy = asked.some((it) => it.isFetching);
  // While it is tried again it has not failed, and not succeeded: what was said stays.
  useEffect(() => {
    if (now !== undefined) setHeld({ error: now, name });
    else if (!busy) setHeld(undefined);
  }, [now, busy, name]);
  const error = now ?? (busy && held?.name === name ? held.error : undefined);
  const again = error instanceof ApiError && PASSING.includes(error.code);
  const retry = useCallback(() => void client.refetchQueries({ type: "active" }, { cancelRefetch: false }), [client]);
  useEffect(() => {
    if (!again) return undefined;
    const timer = setInterval(() => void client.refetchQueries({ type: "active", predicate: (it) => it.state.status === "error" }, { cancelRefetch: false }), AGAIN_MS);
    return () => clearInterval(timer);
  }, [again, client]);
  return error === undefined ? undefined : { error, again, retry };
}
