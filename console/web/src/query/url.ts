// The address holds the whole state of a page, so that it can be shared, kept, and gone back to.
import { useCallback } from "react";
import { useLocation, useSearch } from "wouter";

/** The part of the path after `prefix`, as it was before it was encoded: wouter decodes a part of what is encoded, and that loses `%`. */
export function usePathValue(prefix: string): string {
  useLocation();
  const part = location.pathname.slice(prefix.length);
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** A parameter of the address: its value, and how to change it. `replace` leaves no step to go back to. */
export function useParam(name: string, initial = ""): [string, (value: string, options?: { replace?: boolean }) => void] {
  const [params, change] = useParams();
  const set = useCallback((value: string, options?: { replace?: boolean }) => change({ [name]: value === initial ? "" : value }, options), [change, name, initial]);
  return [params.get(name) ?? initial, set];
}

/** All parameters; a change names those that it changes, `""` takes one away. */
export function useParams(): [URLSearchParams, (change: Record<string, string>, options?: { replace?: boolean }) => void] {
  // For news of a change alone: what wouter gives is decoded once already, and decoding it again would take a `%` in a value for an escape.
  useSearch();
  const [, navigate] = useLocation();
  const change = useCallback(
    (values: Record<string, string>, options?: { replace?: boolean }) => {
      // As it is now: another change may have come since this was rendered.
      const params = new URLSearchParams(location.search);
      for (const [name, value] of Object.entries(values)) {
        if (value === "") params.delete(name);
        else params.set(name, value);
      }
      const text = params.toString();
      navigate(text === "" ? location.pathname : `${location.pathname}?${text}`, options);
    },
    [navigate],
  );
  return [new URLSearchParams(location.search), change];
}

/** The address of the search page with this query. */
export function searchHref(q: string, more: Record<string, string> = {}): string {
  return `/?${new URLSearchParams({ q, ...more })}`;
}

/** The pages of what an event is about; `q` carries what is looked at along. */
export const hrefs = {
  event: (id: string, q = "") => withQuery(`/events/${encodeURIComponent(id)}`, { q }),
  user: (name: string, more: Record<string, string> = {}) => withQuery(`/users/${encodeURIComponent(name)}`, more),
  object: (object: { cluster?: string; namespace?: string; apiGroup?: string; resource: string; name?: string }, more: Record<string, string> = {}) => {
    const { cluster = "", namespace = "", resource, name = "" } = object;
    return withQuery("/objects", { cluster, ns: namespace, resource, name, ...more });
  },
  address: (ip: string, more: Record<string, string> = {}) => withQuery(`/addresses/${encodeURIComponent(ip)}`, more),
  credential: (id: string, more: Record<string, string> = {}) => withQuery(`/credentials/${encodeURIComponent(id)}`, more),
};

function withQuery(path: string, values: Record<string, string>): string {
  const params = new URLSearchParams(Object.entries(values).filter(([, value]) => value !== ""));
  return params.size === 0 ? path : `${path}?${params}`;
}
