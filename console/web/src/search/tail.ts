// Events as they come.
import { useEffect, useReducer } from "react";
import { ApiError, fetchApi } from "../api/client.ts";
import { follow, type Source } from "./follow.ts";
import { EMPTY, reduce, type Tail } from "./tailstate.ts";

/** Refusals that pass: too many requests, or too slow a one. */
const PASSING: readonly number[] = [408, 429];

function source(q: string): Source {
  return {
    connect: (signal) => fetchApi(`/api/v1/tail?${new URLSearchParams({ q })}`, { signal, headers: { accept: "text/event-stream" } }),
    refused: (error) => (error instanceof ApiError && error.code >= 400 && error.code < 500 && !PASSING.includes(error.code) ? error.problem : undefined),
    why: (error) => (error instanceof ApiError ? error.message : undefined),
  };
}

export function useTail(q: string): [Tail, (action: { kind: "pause" | "resume" }) => void] {
  const [tail, act] = useReducer(reduce, EMPTY);
  useEffect(() => {
    const control = new AbortController();
    act({ kind: "reset" });
    void follow(source(q), control.signal, act);
    return () => control.abort();
  }, [q]);
  return [tail, act];
}
