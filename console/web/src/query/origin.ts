// Where an event was opened from: in the state of the browser's history, so that going back is going back, with all of that page's state.
//
// Lists and links open events in many places, and none of them has to know: wouter tells of every step, and a step from a page to an event
// notes the page. From event to event, as to a neighbour, the page stays the same, some more steps away.

export interface Origin {
  /** Path and query of the page. */
  href: string;
  /** How many steps back it is. */
  steps: number;
}

interface Place {
  href: string;
  origin: Origin | undefined;
}

const isEvent = (href: string) => href.startsWith("/events/");

/** Where the event that is shown was opened from, if it was within the console. */
export function origin(): Origin | undefined {
  const state: unknown = history.state;
  return typeof state === "object" && state !== null && "origin" in state ? (state.origin as Origin) : undefined;
}

function here(): Place {
  return { href: location.pathname + location.search, origin: origin() };
}

let last = here();

function moved(pushed: boolean): void {
  const before = last;
  last = here();
  if (!isEvent(last.href) || last.origin) return;
  if (!isEvent(before.href)) last.origin = pushed ? { href: before.href, steps: 1 } : undefined;
  else if (before.origin) last.origin = { href: before.origin.href, steps: before.origin.steps + (pushed ? 1 : 0) };
  if (last.origin) history.replaceState({ ...(history.state as object | null), origin: last.origin }, "");
}

addEventListener("pushState", () => moved(true));
addEventListener("replaceState", () => moved(false));
// What was there before has noted it already.
addEventListener("popstate", () => { last = here(); });
