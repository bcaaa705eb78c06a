// What the compiler says of a text, asked while it is being written.
import { useEffect, useState } from "react";
import { ApiError } from "../api/client.ts";
import { type Check, checkRules } from "../api/rules.ts";

/** How long typing rests before it is asked. */
const REST_MS = 350;

export interface Checked {
  /** The last answer, and the text that it is about. */
  answer?: Check & { source: string };
  error?: ApiError;
  /** Whether the text has not been looked at yet. */
  pending: boolean;
}

export function useCheck(source: string): Checked {
  const [state, setState] = useState<Omit<Checked, "pending"> & { of?: string }>({});
  useEffect(() => {
    const stop = new AbortController();
    const timer = setTimeout(() => {
      checkRules(source, stop.signal).then(
        (check) => setState({ of: source, answer: { ...check, source } }),
        (error: unknown) => {
          if (error instanceof ApiError) setState((before) => ({ ...before, of: source, error }));
        },
      );
    }, REST_MS);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [source]);
  const { of, ...rest } = state;
  return { ...rest, pending: of !== source };
}
