// One event in a sentence: who did what to what, from where, when, with what answer, and how long it took.
import type { ReactNode } from "react";
import { Link } from "wouter";
import type { AuditEvent } from "../api/client.ts";
import { useText } from "../i18n/i18n.ts";
import { duration } from "../time.ts";
import { Code } from "../ui/tag.tsx";
import { Time } from "../ui/time.tsx";
import { eventHrefs } from "./facts.ts";
import { fill } from "./fill.tsx";
import { Plain } from "../ui/plain.tsx";

const LIMIT = 160;
const HELD = new Set(["exec", "attach", "portforward", "proxy"]);

type Action = { done: string; tried: string };

/** An entry by a key that a stranger chose. */
function own(actions: Record<string, Action>, key: string): Action | undefined {
  return Object.hasOwn(actions, key) ? actions[key] : undefined;
}

/** A credential's kind and the beginning of its id. */
function shortened(credential: string): string {
  return /^\w+=.{12}/.test(credential) ? credential.replace(/^(\w+=.{8}).*$/s, "$1…") : credential;
}

function Part({ href, text, code = false }: { href?: string; text: string; code?: boolean }) {
  const shown = code ? <code><Plain text={text} limit={LIMIT} /></code> : <Plain text={text} limit={LIMIT} />;
  return href ? <Link href={href}>{shown}</Link> : <strong>{shown}</strong>;
}

/** `last` is the request's last stage, which knows the answer and the duration. */
export function Sentence({ event, last, q }: { event: AuditEvent; last: AuditEvent; q: string }) {
  const text = useText().event;
  const words = text.sentence;
  const to = eventHrefs(event, q);
  const code = last.code ?? undefined;
  const micros = last.durationMicros ?? 0;

  const who = !event.user ? words.nobody
    : event.actor && event.actor !== event.user ? fill(words.through, { user: <Part href={to.user} text={event.user} />, actor: <Part href={to.actor} text={event.actor} /> })
    : fill(words.who, { actor: <Part href={to.user} text={event.user} /> });
  const action = actionOf(event, text, to.object);
  const form = code === undefined ? words.asked : code >= 400 ? words.tried : words.done;
  const what = fill(form, { action: fill(code !== undefined && code < 400 ? action.form.done : action.form.tried, action.parts) });

  return (
    <div className="sentence">
      <p className="told">
        {fill(words.whole, {
          who,
          what,
          when: <Time value={event.time} as="full" />,
          from: event.ip ? fill(words.from, { ip: <Part href={to.address} text={event.ip} /> }) : null,
          credential: event.credential ? fill(words.credential, { credential: <Link href={to.credential ?? ""} title={event.credential}><Plain text={shortened(event.credential)} limit={40} /></Link> }) : null,
          answer: <Answer event={last} />,
          took: micros > 0 ? fill(HELD.has(event.subresource ?? "") && code !== undefined && code < 400 ? words.session : words.took, { duration: <span className="nowrap">{duration(micros)}</span> }) : null,
        })}
      </p>
      {last.message ? <p className="said"><Plain text={last.message} limit={400} /></p> : null}
    </div>
  );
}

function Answer({ event }: { event: AuditEvent }) {
  const words = useText().event.sentence.answer;
  const { code } = event;
  if (event.stage === "Panic") return words.panic;
  if (code == null) return fill(words.none, { stage: <Plain text={event.stage ?? ""} limit={40} /> });
  const template = code === 101 ? words.opened : code === 401 ? words.unauthenticated : code === 403 ? words.forbidden : code >= 400 ? words.failed : words.ok;
  return fill(template, { code: <><Code event={event} />{event.reason && event.reason !== "Forbidden" ? <> <Plain text={event.reason} limit={60} /></> : null}</> });
}

function actionOf(event: AuditEvent, text: ReturnType<typeof useText>["event"], href: string | undefined): { form: Action; parts: Record<string, ReactNode> } {
  const verb = <Plain text={event.verb ?? ""} limit={40} />;
  if (!event.resource) return { form: text.path, parts: { verb, path: <Part text={event.requestURI ?? ""} code /> } };
  const parts: Record<string, ReactNode> = {
    verb,
    object: objectOf(event, text, href),
    subresource: <Plain text={event.subresource ?? ""} limit={60} />,
    command: event.command ? <code className="command"><Plain text={event.command} limit={400} /></code> : text.unknownCommand,
  };
  const sub = event.subresource ?? "";
  if (sub === "") return { form: own(text.verbs, event.verb ?? "") ?? text.other, parts };
  return { form: own(text.subresources, sub) ?? text.ofSubresource, parts };
}

function objectOf(event: AuditEvent, text: ReturnType<typeof useText>["event"], href: string | undefined): ReactNode {
  const { resource = "", namespace = "", name = "" } = event;
  if (name !== "") return fill(text.sentence.object, { object: <Part href={href} text={`${resource} ${namespace === "" ? "" : `${namespace}/`}${name}`} code /> });
  const kind = <Part href={href} text={resource} code />;
  if (namespace === "") return fill(text.sentence.everywhere, { resource: kind });
  return fill(text.sentence.all, { resource: kind, namespace: <code><Plain text={namespace} limit={80} /></code> });
}
