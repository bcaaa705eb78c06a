// What the pipeline is made of: the broker's streams, and the services that announced themselves on it.
import type { Evaluator } from "./types.ts";
import { number, useText } from "../i18n/i18n.ts";
import { Tag } from "../ui/tag.tsx";
import { Time } from "../ui/time.tsx";
import { Room } from "./figures.tsx";
import type { Service, Status } from "./types.ts";

export function Streams({ status: { broker } }: { status: Status }) {
  const text = useText().pipeline.streams;
  return (
    <section className="card" aria-labelledby="streams">
      <header>
        <h2 id="streams">{text.title}</h2>
        {broker.connected ? <span className="small muted">{text.broker(broker.version)}</span> : <Tag tone="bad">{text.away}</Tag>}
      </header>
      {broker.message ? <p className="notice warn">{broker.message}</p> : null}
      <div className="scroll" role="group" aria-labelledby="streams" tabIndex={0}>
        <table className="table">
          <thead><tr><th scope="col">{text.stream}</th><th scope="col" className="number">{text.messages}</th><th scope="col">{text.room}</th><th scope="col">{text.consumers}</th></tr></thead>
          <tbody>
            {broker.streams.map((stream) => (
              <tr key={stream.name}>
                <th scope="row" className="mono">{stream.name}</th>
                <td className="number">{number(stream.messages)}</td>
                <td><Room stream={stream} /></td>
                <td>
                  <ul className="plain">
                    {broker.consumers.filter((it) => it.stream === stream.name).map((it) => (
                      <li key={it.name}>
                        {text.waits(it.name, it.pending, it.ackPending)}
                        {it.redelivered > 0 ? <> <Tag>{text.redelivered(it.redelivered)}</Tag></> : null}
                      </li>
                    ))}
                  </ul>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

export function Services({ services, evaluators }: { services: Service[]; evaluators: Evaluator[] }) {
  const text = useText().pipeline.services;
  const rows = [...services].sort((a, b) => a.name.localeCompare(b.name) || a.id.localeCompare(b.id));
  const versions = new Map<string, Set<string>>();
  for (const { name, version } of services) versions.set(name, (versions.get(name) ?? new Set()).add(version));
  return (
    <section className="card" aria-labelledby="services">
      <header>
        <h2 id="services">{text.title}</h2>
        {[...versions.values()].some((it) => it.size > 1) ? <Tag tone="warn">{text.versionsDiffer}</Tag> : null}
      </header>
      {rows.length === 0 ? <p className="muted">{text.none}</p> : (
        <div className="scroll" role="group" aria-labelledby="services" tabIndex={0}>
          <table className="table">
            <thead><tr><th scope="col">{text.service}</th><th scope="col">{text.instance}</th><th scope="col">{text.version}</th><th scope="col">{text.says}</th></tr></thead>
            <tbody>
              {rows.map((service) => (
                <tr key={service.id}>
                  <th scope="row">{service.name}</th>
                  <td className="mono">{service.id}</td>
                  <td>{service.version}</td>
                  <td>
                    <span className="row">
                      {Object.entries(service.metadata).map(([key, value]) => <span key={key} className="says-so"><span className="muted">{key}</span> {value}</span>)}
                    </span>
                  </td>
                </tr>
              ))}
              {evaluators.map((it) => <Follows key={`${it.service} ${it.name}`} evaluator={it} />)}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

/** What the management service knows of a subscriber: whether it follows, and why not. */
function Follows({ evaluator }: { evaluator: Evaluator }) {
  const text = useText().pipeline;
  return (
    <tr>
      <th scope="row">{evaluator.service}</th>
      <td className="mono">{evaluator.name}</td>
      <td>{evaluator.version}</td>
      <td>
        <span className="row">
          <span className="says-so"><span className="muted">{text.way.generation}</span> {evaluator.generation}</span>
          <span className="says-so">{text.services.rules(evaluator.rules)}</span>
          {evaluator.behindSince ? <Tag tone="warn">{text.services.behind} <Time value={evaluator.behindSince} /></Tag> : null}
          {evaluator.lastError ? <span className="notice bad small">{text.services.lastError}: {evaluator.lastError}</span> : null}
        </span>
      </td>
    </tr>
  );
}
