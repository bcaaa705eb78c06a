// The search language's surface: where its terms begin and end, and how values are written. What they mean is for the console alone
// (`docs/search.md`): nothing here decides what is found.

/** A term at the top of a query: what a chip shows. */
export interface Term {
  /** As it stands in the query. */
  text: string;
  start: number;
  end: number;
  negated: boolean;
  /** The key, in small letters; absent for bare words and for parts in parentheses. */
  key?: string;
  /** The value as it is written: with its operator, if that is not the colon. */
  value?: string;
}

const KEYED = /^(-|!)?([A-Za-z]+)(:=|:~|:|~|>=|<=|>|<|=)([^]*)$/;
const RANGE = /^[0-9TZ:.+-]*\.\.[0-9TZ:.+-]*$/i;
const PLAIN = /^[A-Za-z0-9_][A-Za-z0-9_\-:@]*$/;
const NUMERIC = /^[0-9][A-Za-z0-9_\-:@]*(\.[A-Za-z0-9_\-:@]+)*$/;
const WORDS = new Set(["or", "and", "not"]);
const TIMES = new Set(["last", "since", "until", "around"]);

/** The terms of a query that must all hold. A query with an `or` at its top is one term. */
export function terms(query: string): Term[] {
  const parts = split(query);
  if (parts.some((part) => part.text.toLowerCase() === "or")) {
    const start = parts[0]?.start ?? 0;
    const end = parts.at(-1)?.end ?? 0;
    return [{ text: query.slice(start, end), start, end, negated: false }];
  }
  const found: Term[] = [];
  let not: number | undefined;
  for (const part of parts) {
    const word = part.text.toLowerCase();
    if (word === "and") continue;
    if (word === "not") {
      not ??= part.start;
      continue;
    }
    found.push(term(query, not ?? part.start, part.end, part.text, not !== undefined));
    not = undefined;
  }
  // A query that is being typed may end with `not`.
  if (not !== undefined) found.push({ text: query.slice(not).trim(), start: not, end: query.trimEnd().length, negated: true });
  return found;
}

function term(query: string, start: number, end: number, word: string, negated: boolean): Term {
  const base = { text: query.slice(start, end), start, end };
  const keyed = KEYED.exec(word);
  if (!keyed) return { ...base, negated: negated !== /^[-!]./.test(word), ...(RANGE.test(word) ? { key: "time", value: word } : {}) };
  const [, sign, key = "", operator = "", value = ""] = keyed;
  return { ...base, negated: negated !== (sign !== undefined), key: key.toLowerCase(), value: (operator === ":" ? "" : operator) + value };
}

/** Words and parts in parentheses, as the console's lexer ends them. */
function split(query: string): { text: string; start: number; end: number }[] {
  const parts = [];
  let at = 0;
  while (at < query.length) {
    if (/\s/.test(query[at] ?? "")) {
      at += 1;
      continue;
    }
    const start = at;
    let depth = 0;
    let quoted = false;
    for (; at < query.length; at += 1) {
      const c = query[at] ?? "";
      if (c === "\\") at += 1;
      else if (c === '"') quoted = !quoted;
      else if (quoted) continue;
      else if (c === "(") depth += 1;
      else if (c === ")") depth -= 1;
      else if (depth <= 0 && /\s/.test(c)) break;
    }
    at = Math.min(at, query.length);
    parts.push({ text: query.slice(start, at), start, end: at });
  }
  return parts;
}

/** A value as the language reads it back, literally. Nothing is `""`, which finds where there is no value. */
export function quote(value: string): string {
  if ((PLAIN.test(value) || NUMERIC.test(value)) && !value.includes("..") && !WORDS.has(value.toLowerCase())) return value;
  return `"${value.replaceAll(/["\\]/g, "\\$&")}"`;
}

/** `key:value` for a literal value. */
export function is(key: string, value: string): string {
  return `${key}:${quote(value)}`;
}

/** The value of a term, as it was before it was quoted; `undefined` for what is no single literal value. */
export function literal(value: string): string | undefined {
  if (value.startsWith('"')) return /^"(?:[^"\\]|\\.)*"$/s.test(value) ? value.slice(1, -1).replaceAll(/\\(.)/gs, "$1") : undefined;
  return /[",*?~<>=()\\]/.test(value) ? undefined : value;
}

/** The query with one more term, that is not there yet. */
export function withTerm(query: string, term: string): string {
  const there = terms(query);
  if (there.some((it) => it.text === term)) return query;
  const single = there[0];
  const alone = there.length === 1 && single && hasOr(single.text);
  const before = alone ? `(${single.text})` : query.trim();
  return before === "" ? term : `${before} ${term}`;
}

function hasOr(text: string): boolean {
  return split(text).some((part) => part.text.toLowerCase() === "or");
}

/** The query without a term. */
export function withoutTerm(query: string, term: Term): string {
  return `${query.slice(0, term.start).trimEnd()} ${query.slice(term.end).trimStart()}`.trim();
}

/** The query with another text in a term's place. */
export function withTermReplaced(query: string, term: Term, text: string): string {
  return `${query.slice(0, term.start)}${text}${query.slice(term.end)}`.trim();
}

/** The query with the opposite of a term in its place. */
export function withTermNegated(query: string, term: Term): string {
  const text = term.negated ? term.text.replace(/^(not\s+|[-!])/i, "") : `-${term.text}`;
  return withTermReplaced(query, term, text);
}

/** Whether a term is of times: there may be one range in a query. */
export function isTime(term: Term): boolean {
  return term.key === "time" || (term.key !== undefined && TIMES.has(term.key));
}

/** The terms of times; empty where the query says nothing of them. */
export function timeOf(query: string): string {
  return terms(query).filter(isTime).map((term) => term.text).join(" ");
}

/** The query with other times; `""` takes them away. */
export function withTime(query: string, time: string): string {
  const rest = withoutTime(query);
  return time === "" ? rest : withTerm(rest, time);
}

/** The query without its times. */
export function withoutTime(query: string): string {
  return terms(query).filter((term) => !isTime(term)).map((term) => term.text).join(" ");
}

/** A range from one moment to another, in milliseconds; the end is not part of it. */
export function range(start: number, end: number): string {
  const whole = (time: number) => new Date(time).toISOString().replace(".000Z", "Z");
  // What ends a range belongs to it.
  return `since:${whole(start)} until:${new Date(end - 1).toISOString()}`;
}

/** The milliseconds before and after a time. */
export function around(time: string, minutes: number): string {
  return `around:${time}/${minutes}m`;
}

/** Bytes of the query's UTF-8, as the API counts places, to characters of this string. */
export function place(query: string, bytes: readonly number[]): [number, number] {
  const encoded = new TextEncoder().encode(query);
  const at = (byte: number) => new TextDecoder().decode(encoded.subarray(0, byte)).length;
  return [at(bytes[0] ?? 0), at(bytes[1] ?? bytes[0] ?? 0)];
}
