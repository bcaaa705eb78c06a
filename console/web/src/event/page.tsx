// One event: in a sentence, as fields, what it changed, its bodies, the record, and what else there is around it.
import { useQuery } from "@tanstack/react-query";
import { ApiError, answer, api, type Whole } from "../api/client.ts";
import { useText } from "../i18n/i18n.ts";
import { useParam, usePathValue } from "../query/url.ts";
import { Empty, Failed, Loading } from "../ui/state.tsx";
import { type Back, BackLink, useBack, useKey } from "./back.tsx";
import { Difference, tellsChange } from "./change.tsx";
import "./event.css";
import { lastStage } from "./facts.ts";
import { Fields } from "./fields.tsx";
import { Missing } from "./missing.tsx";
import { Bodies, Raw } from "./raw.tsx";
import { Neighbours, Related, Stages } from "./related.tsx";
import { Sentence } from "./sentence.tsx";

export default function Page() {
  const id = usePathValue("/events/");
  const [q] = useParam("q");
  const text = useText().event;
  const back = useBack(q);
  useKey("Escape", back.go);
  const found = useQuery({ queryKey: ["event", id], queryFn: ({ signal }) => answer(api.GET("/api/v1/events/{id}", { params: { path: { id } }, signal })) });
  if (found.isPending) return <Loading />;
  if (found.isError) {
    const code = found.error instanceof ApiError ? found.error.code : undefined;
    if (code === 404) return <div className="event-page"><Missing id={id} back={back} /></div>;
    if (code === 400) return <Empty title={text.missing.badId} actions={<BackLink back={back} />}><p>{text.missing.badIdHelp}</p></Empty>;
    return <Failed error={found.error} onRetry={() => void found.refetch()} />;
  }
  return <Event key={id} whole={found.data} q={q} back={back} />;
}

function Event({ whole, q, back }: { whole: Whole; q: string; back: Back }) {
  const text = useText().event;
  const { event, stages, change } = whole;
  return (
    <div className="event-page">
      <div className="row head">
        <h1>{text.title}</h1>
        <BackLink back={back} small hint />
        <Neighbours event={event} q={q} />
      </div>
      <section className="card" aria-label={text.title}><Sentence event={event} last={lastStage(event, stages)} q={q} /></section>
      <div className="columns">
        <div>
          {tellsChange(change) ? (
            <section className="card" aria-labelledby="event-change">
              <header><h2 id="event-change">{text.sections.change}</h2></header>
              <Difference change={change} event={event} q={q} />
            </section>
          ) : null}
          <section className="card" aria-labelledby="event-fields">
            <header><h2 id="event-fields">{text.sections.fields}</h2></header>
            <Fields event={event} q={q} />
          </section>
        </div>
        <div>
          <Related event={event} />
          <Stages event={event} stages={stages} q={q} />
          <Bodies document={whole.document} />
        </div>
      </div>
      <Raw document={whole.document} id={event.id} />
    </div>
  );
}
