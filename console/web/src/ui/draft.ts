// What is typed in a box and does not count yet.
import { useLayoutEffect, useState } from "react";

const same = (value: string) => value;

/** What is typed, which begins as the value is written, and begins anew when that changes: at once, so that whatever is typed from then on stays. */
export function useDraft(value: string, written: (value: string) => string = same): [string, (typed: string) => void] {
  const [typed, setTyped] = useState(() => written(value));
  useLayoutEffect(() => setTyped(written(value)), [value]);
  return [typed, setTyped];
}
