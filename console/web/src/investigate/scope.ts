// What a page about a user, an object, an address or a credential looks at: its subject, a time, and what it is narrowed to, all of
// which is in the address and goes along to the next page.
import { is, quote, withTerm, withTime } from "../query/language.ts";
import { useParams } from "../query/url.ts";

/** The narrowing that a page takes from its address; a page leaves out its own. */
type Part = "actor" | "object";

export interface Narrowing {
  part: Part;
  /** What it is narrowed to, to read. */
  text: string;
  remove: () => void;
}

export interface ObjectName {
  cluster: string;
  namespace: string;
  resource: string;
  name: string;
}

export interface Scope {
  /** Everything that is looked at: subject, narrowing, time. */
  q: string;
  /** The same with more terms. */
  with: (...terms: string[]) => string;
  /** The same without its time. */
  timeless: string;
  time: string;
  setTime: (time: string) => void;
  narrowing: Narrowing[];
  /** Parameters of the next page. */
  carried: Record<string, string>;
}

const OBJECT = ["cluster", "ns", "resource", "name"] as const;

/** In the address an absent time is the page's own; that of all that is kept has to be written. */
const EVER = "all";

export function objectOf(params: URLSearchParams): ObjectName | undefined {
  const resource = params.get("resource") ?? "";
  if (resource === "") return undefined;
  return { cluster: params.get("cluster") ?? "", namespace: params.get("ns") ?? "", resource, name: params.get("name") ?? "" };
}

/** The object as people write it. */
export function objectText({ namespace, resource, name }: ObjectName): string {
  return `${resource} ${[namespace, name].filter(Boolean).join("/")}`.trim();
}

/** The terms that find what was done to an object. */
export function objectTerms({ cluster, namespace, resource, name }: ObjectName): string[] {
  return [...(cluster ? [is("cluster", cluster)] : []), is("ns", namespace), is("resource", resource), ...(name ? [is("name", name)] : [])];
}

/** The term that finds who was shown an object. */
export function readsTerm({ namespace, resource, name }: ObjectName): string {
  return `reads:${namespace ? quote(namespace) : ""}/${quote(resource)}/${name ? quote(name) : "*"}`;
}

export function useScope(subject: readonly string[], own: readonly Part[], initialTime: string): Scope {
  const [params, change] = useParams();
  const time = params.get("time") === EVER ? "" : (params.get("time") ?? initialTime);
  const actor = own.includes("actor") ? "" : (params.get("actor") ?? "");
  const object = own.includes("object") ? undefined : objectOf(params);
  const narrowing: Narrowing[] = [];
  const terms = [...subject];
  if (actor) {
    terms.push(is("actor", actor));
    narrowing.push({ part: "actor", text: actor, remove: () => change({ actor: "" }) });
  }
  if (object) {
    terms.push(...objectTerms(object));
    narrowing.push({ part: "object", text: objectText(object), remove: () => change(Object.fromEntries(OBJECT.map((name) => [name, ""]))) });
  }
  const timeless = terms.reduce(withTerm, "");
  return {
    q: withTime(timeless, time),
    with: (...more) => withTime(more.reduce(withTerm, timeless), time),
    timeless,
    time,
    setTime: (next) => change({ time: next === initialTime ? "" : next === "" ? EVER : next }),
    narrowing,
    carried: {
      ...(actor ? { actor } : {}),
      ...(object ? { cluster: object.cluster, ns: object.namespace, resource: object.resource, name: object.name } : {}),
      time: time === "" ? EVER : time,
    },
  };
}
