// The way of an event, from where it comes in to where it stays: who works on it there, what waits, how fast it goes.
import type { ReactNode } from "react";
import type { Consumer, Service, Status } from "./types.ts";
import { number, useText } from "../i18n/i18n.ts";
import { Tag } from "../ui/tag.tsx";
import { Figure, LagFigure, Rate, Room, together } from "./figures.tsx";
import { bytes } from "./format.ts";
import { lag, type Look, ofEvents, rate, total } from "./status.ts";

const ARCHIVE = "VEDETTE_RESULTS_ARCHIVE";
const ALERT = "VEDETTE_RESULTS_ALERT";

const waitsFor = (kind: "archive" | "alert") => (it: Consumer) => ofEvents(it.stream) && it.name.toLowerCase().endsWith(kind);

export function Way({ look }: { look: Look }) {
  const text = useText().pipeline.way;
  const { status } = look;
  return (
    <section className="card" aria-labelledby="way">
      <header><h2 id="way">{text.title}</h2><span className="small muted">{text.help}</span></header>
      <ol className="way">
        <Ingest look={look} />
        <Queue area="events" title={text.events} help={text.eventsHelp} status={status} is={ofEvents} />
        <Evaluator look={look} />
        <Queue area="archive-results" title={text.archiveResults} status={status} is={(name) => name === ARCHIVE} />
        <Archiver look={look} />
        <Archive status={status} />
        <Queue area="alert-results" title={text.alertResults} status={status} is={(name) => name === ALERT} />
        <Alerter look={look} />
        <Receivers status={status} />
      </ol>
    </section>
  );
}

function Step({ area, title, help, children }: { area: string; title: string; help?: string; children: ReactNode }) {
  return (
    <li className={`step ${area}`}>
      <h3>{title}</h3>
      {help ? <p className="small muted">{help}</p> : null}
      <dl>{children}</dl>
    </li>
  );
}

function named(status: Status, name: string): Service[] {
  return status.services.filter((it) => it.name === `vedette-${name}`);
}

function Instances({ of }: { of: Service[] }) {
  const text = useText().pipeline.way;
  const versions = [...new Set(of.map((it) => it.version))];
  return (
    <Figure name={text.instancesLabel}>
      {of.length === 0 ? <Tag tone="warn">{text.instances(0)}</Tag> : <>{text.instances(of.length)} <small className="muted">{versions.join(", ")}</small></>}
    </Figure>
  );
}

function Ingest({ look }: { look: Look }) {
  const text = useText().pipeline;
  const { ingest } = look.status.books.total;
  return (
    <Step area="ingest" title={text.way.ingest} help={text.way.ingestHelp}>
      <Instances of={named(look.status, "ingest")} />
      <Rate name={text.way.rate} value={rate(look, (it) => it.books.total.ingest.received)} />
      <Figure name={text.terms.received}>{number(ingest.received)}</Figure>
      <Figure name={text.terms.dropped}>{number(total(ingest.dropped))}</Figure>
      <Lost name={text.terms.deadLettered} value={total(ingest.deadLettered)} />
    </Step>
  );
}

/** A number that should be nothing. */
function Lost({ name, value }: { name: string; value: number }) {
  return <Figure name={name}>{value > 0 ? <Tag tone="warn">{number(value)}</Tag> : number(value)}</Figure>;
}

function Queue({ area, title, help, status, is }: { area: string; title: string; help?: string; status: Status; is: (name: string) => boolean }) {
  const text = useText().pipeline.way;
  const stream = together(status.broker.streams.filter((it) => is(it.name)));
  return (
    <Step area={`queue ${area}`} title={title} help={help}>
      <Figure name={text.messages}>{number(stream.messages)}</Figure>
      <Figure name={text.room} wide><Room stream={stream} /></Figure>
    </Step>
  );
}

function Evaluator({ look }: { look: Look }) {
  const text = useText().pipeline;
  const { status } = look;
  const instances = named(status, "evaluator");
  const generations = [...new Set(instances.flatMap((it) => it.metadata.generation ?? []))];
  const [archive, alert] = [lag(status, waitsFor("archive")), lag(status, waitsFor("alert"))];
  return (
    <Step area="evaluator" title={text.way.evaluator} help={text.way.evaluatorHelp}>
      <Instances of={instances} />
      <Figure name={text.way.generation} wide>
        <span className="mono">{generations.join(", ") || "–"}</span>
        {generations.length > 1 ? <><br /><Tag tone="warn">{text.way.generationsDiffer}</Tag></> : null}
      </Figure>
      <LagFigure name={text.way.lagOf.archive} lag={archive} />
      <Rate name={text.way.rateOf.archive} value={rate(look, (it) => it.books.total.archive.evaluated)} />
      <LagFigure name={text.way.lagOf.alert} lag={alert} />
      <Rate name={text.way.rateOf.alert} value={rate(look, (it) => it.books.total.alert.evaluated)} />
      <Figure name={text.way.redelivered}>{number(archive.redelivered + alert.redelivered)}</Figure>
      <Lost name={text.terms.deadLettered} value={status.books.total.archive.deadLettered} />
    </Step>
  );
}

function Archiver({ look }: { look: Look }) {
  const text = useText().pipeline;
  const { archive } = look.status.books.total;
  const waits = lag(look.status, (it) => it.stream === ARCHIVE);
  return (
    <Step area="archiver" title={text.way.archiver} help={text.way.archiverHelp}>
      <Instances of={named(look.status, "archiver")} />
      <LagFigure name={text.way.lag} lag={waits} />
      <Rate name={text.way.rate} value={rate(look, ({ books: { total: { archive: it } } }) => it.stored + it.duplicate + it.rejected)} />
      <Figure name={text.terms.stored}>{number(archive.stored)}</Figure>
      <Figure name={text.terms.duplicate}>{number(archive.duplicate)}</Figure>
      <Lost name={text.terms.rejected} value={archive.rejected} />
      <Figure name={text.way.redelivered}>{number(waits.redelivered)}</Figure>
    </Step>
  );
}

function Archive({ status: { archive } }: { status: Status }) {
  const text = useText().pipeline.way;
  return (
    <Step area="archive" title={text.archive}>
      <Figure name={text.state}><Tag tone={archive.ready ? "good" : "bad"}>{archive.ready ? text.ready : text.notReady}</Tag></Figure>
      <Figure name={text.engine} wide>{archive.detail}</Figure>
      <Figure name={text.records}>{archive.events == null ? "–" : number(archive.events)}</Figure>
      <Figure name={text.days}>{archive.days == null ? "–" : number(archive.days)}</Figure>
      <Figure name={text.size}>{archive.bytes == null ? "–" : bytes(archive.bytes)}</Figure>
    </Step>
  );
}

function Alerter({ look }: { look: Look }) {
  const text = useText().pipeline;
  const { alert } = look.status.books.total;
  const waits = lag(look.status, (it) => it.stream === ALERT);
  return (
    <Step area="alerter" title={text.way.alerter} help={text.way.alerterHelp}>
      <Instances of={named(look.status, "alerter")} />
      <LagFigure name={text.way.lag} lag={waits} />
      <Rate name={text.way.rate} value={rate(look, (it) => it.books.total.alert.alerts)} />
      <Figure name={text.terms.alerts}>{number(alert.alerts)}</Figure>
      <Figure name={text.way.redelivered}>{number(waits.redelivered)}</Figure>
    </Step>
  );
}

function Receivers({ status }: { status: Status }) {
  const text = useText().pipeline;
  const { alert } = status.books.total;
  // Instances have the same settings, but for the moment in which these change.
  const counts = named(status, "alerter").flatMap((it) => Number(it.metadata.receivers ?? Number.NaN)).filter(Number.isFinite);
  const configured = counts.length > 0 ? Math.max(...counts) : undefined;
  return (
    <Step area="receivers" title={text.way.receivers}>
      <Figure name={text.way.configured}>{configured === undefined ? "–" : number(configured)}</Figure>
      <Figure name={text.terms.sent}>{number(alert.sent)}</Figure>
      <Figure name={text.terms.unrouted}>{number(alert.unrouted)}</Figure>
      <Lost name={text.terms.rejected} value={alert.rejected} />
      {configured === 0 || alert.unrouted > 0 ? (
        <Figure name="" wide><span className="small muted">{configured === 0 ? text.way.none : text.way.unroutedHelp}</span></Figure>
      ) : null}
    </Step>
  );
}
