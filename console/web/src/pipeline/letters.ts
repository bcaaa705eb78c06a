// Dead letters: lists of them, one of them, and what can be done with them.
import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { answer, api, ApiError } from "../api/client.ts";
import type { DeadLetter } from "./types.ts";

export const SERVICES = ["ingest", "evaluator", "archiver", "alerter"] as const;
/** Requests that are under way at a time. */
const AT_ONCE = 4;

export interface Filter {
  service: string;
  reason: string;
  cluster: string;
}

export function useLetters(filter: Filter) {
  return useInfiniteQuery({
    queryKey: ["dead-letters", filter],
    queryFn: ({ pageParam, signal }) => {
      const query = Object.fromEntries(Object.entries({ ...filter, cursor: pageParam }).filter(([, value]) => value !== ""));
      return answer(api.GET("/api/v1/dead-letters", { params: { query }, signal }));
    },
    initialPageParam: "",
    getNextPageParam: (page) => page.next,
    staleTime: 10_000,
  });
}

export function useLetter(sequence: number) {
  return useQuery({
    queryKey: ["dead-letter", sequence],
    queryFn: ({ signal }) => answer(api.GET("/api/v1/dead-letters/{sequence}", { params: { path: { sequence } }, signal })),
    // It may hold secrets: nothing of it is kept when it is closed.
    gcTime: 0,
  });
}

export type Deed = "requeue" | "discard";

export interface Outcome {
  deed: Deed;
  done: number;
  /** Somebody else was faster, or they were too old. */
  gone: number;
  failures: { sequence: number; why: string }[];
}

async function act(deed: Deed, sequence: number): Promise<void> {
  const params = { params: { path: { sequence } } };
  if (deed === "requeue") await answer(api.POST("/api/v1/dead-letters/{sequence}/requeue", params));
  else await answer(api.DELETE("/api/v1/dead-letters/{sequence}", params));
}

/** Does something with letters, each by itself: what fails for one is told, and does not stop the others. */
export function useDeed() {
  const client = useQueryClient();
  const [progress, setProgress] = useState<{ done: number; all: number }>();

  const run = async (deed: Deed, letters: readonly Pick<DeadLetter, "sequence">[]): Promise<Outcome> => {
    const outcome: Outcome = { deed, done: 0, gone: 0, failures: [] };
    const waiting = letters.map((it) => it.sequence);
    let finished = 0;
    setProgress({ done: 0, all: waiting.length });
    const worker = async () => {
      for (let sequence = waiting.shift(); sequence !== undefined; sequence = waiting.shift()) {
        try {
          await act(deed, sequence);
          outcome.done += 1;
        } catch (error) {
          if (error instanceof ApiError && error.code === 404) outcome.gone += 1;
          else outcome.failures.push({ sequence, why: error instanceof Error ? error.message : String(error) });
        }
        finished += 1;
        setProgress({ done: finished, all: letters.length });
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    setProgress(undefined);
    await Promise.all([client.invalidateQueries({ queryKey: ["dead-letters"] }), client.invalidateQueries({ queryKey: ["status"] })]);
    return outcome;
  };
  return { run, progress };
}
