// The state of the pipeline, asked again and again while somebody looks.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { answer, api, ApiError } from "../api/client.ts";
import type { Consumer, Status } from "./types.ts";

export const POLL_MS = 5_000;
const KEY = ["status"];

/** What the console says, and what it said when it was asked before: rates are the difference. */
export interface Look {
  status: Status;
  before?: Status;
}

/** Asks every five seconds, unless that is paused or the tab is hidden. */
export function useStatus(paused: boolean, allowed: boolean) {
  const client = useQueryClient();
  return useQuery({
    queryKey: KEY,
    queryFn: async ({ signal }): Promise<Look> => {
      const status = await answer(api.GET("/api/v1/status", { signal }));
      return { status, before: client.getQueryData<Look>(KEY)?.status };
    },
    enabled: allowed,
    // Who may not see it may not in five seconds either.
    refetchInterval: ({ state }) => (paused || (state.error instanceof ApiError && state.error.code === 403) ? false : POLL_MS),
    refetchIntervalInBackground: false,
    // Who comes back to the tab sees what is now.
    refetchOnWindowFocus: paused ? false : "always",
    staleTime: 0,
    retry: false,
  });
}

/** Per second between two looks; `undefined` where there is one look alone, or where the console has begun to count anew in between. */
export function rate({ status, before }: Look, of: (status: Status) => number): number | undefined {
  if (!before) return undefined;
  const seconds = (Date.parse(status.time) - Date.parse(before.time)) / 1000;
  const more = of(status) - of(before);
  return seconds > 0 && more >= 0 ? more / seconds : undefined;
}

/** The consumers of one step, of all partitions. */
export interface Lag {
  pending: number;
  ackPending: number;
  redelivered: number;
  /** Consumers whose messages nobody asks for. */
  alone: number;
  consumers: number;
}

export function lag(status: Status, belongs: (consumer: Consumer) => boolean): Lag {
  const sum: Lag = { pending: 0, ackPending: 0, redelivered: 0, alone: 0, consumers: 0 };
  for (const consumer of status.broker.consumers.filter(belongs)) {
    sum.pending += consumer.pending;
    sum.ackPending += consumer.ackPending;
    sum.redelivered += consumer.redelivered;
    // One that is busy asks for more only when it is done.
    sum.alone += consumer.waiting === 0 && consumer.ackPending === 0 ? 1 : 0;
    sum.consumers += 1;
  }
  return sum;
}

export const ofEvents = (name: string) => name.startsWith("VEDETTE_EVENTS");
export const total = (sums: Record<string, number>) => Object.values(sums).reduce((sum, it) => sum + it, 0);
