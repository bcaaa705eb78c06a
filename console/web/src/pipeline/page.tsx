// The pipeline: whether everything that came in is accounted for, and what could not be processed. For administrators alone.
import { useState } from "react";
import { Link } from "wouter";
import { ApiError } from "../api/client.ts";
import { useText } from "../i18n/i18n.ts";
import { useParams } from "../query/url.ts";
import { useMe } from "../session/me.ts";
import { Empty, Failed, Loading } from "../ui/state.tsx";
import { Tabs } from "../ui/tabs.tsx";
import { Time } from "../ui/time.tsx";
import { DeadLetters } from "./dead.tsx";
import { Overview } from "./overview.tsx";
import "./pipeline.css";
import { type Look, useStatus } from "./status.ts";

export default function Page() {
  const text = useText().pipeline;
  const [paused, setPaused] = useState(false);
  const me = useMe();
  const { data: look, error: failure, refetch } = useStatus(paused, me.data?.everything === true);
  const error = failure ?? me.error;
  const [params, change] = useParams();
  const tab = params.get("tab") === "dead" ? "dead" : "overview";

  if (me.data?.everything === false || (error instanceof ApiError && error.code === 403)) {
    return (
      <>
        <h1>{text.title}</h1>
        <Empty title={text.forbidden.title} actions={<Link href="/" className="button">{text.forbidden.home}</Link>}><p>{text.forbidden.help}</p></Empty>
      </>
    );
  }
  const letters = look?.status.deadLetters?.messages ?? 0;
  return (
    <div className="pipeline">
      <header className="row">
        <h1 className="grow">{text.title}</h1>
        <Polling look={look} failed={error !== null} paused={paused} onPause={setPaused} />
      </header>
      <Tabs label={text.tabs.label} value={tab}
        // The filters and the letter that is open belong to the tab that is left.
        onChange={(next) => change({ tab: next === "overview" ? "" : next, service: "", reason: "", cluster: "", letter: "" })}
        tabs={[
          {
            id: "overview",
            label: text.tabs.overview,
            content: () => look ? <Overview look={look} paused={paused} /> : error ? <Failed error={error} onRetry={() => void (me.data ? refetch() : me.refetch())} /> : <Loading />,
          },
          { id: "dead", label: letters > 0 ? text.tabs.deadCount(letters) : text.tabs.dead, content: () => me.data ? <DeadLetters status={look?.status} /> : <Loading /> },
        ]} />
    </div>
  );
}

function Polling({ look, failed, paused, onPause }: { look: Look | undefined; failed: boolean; paused: boolean; onPause: (paused: boolean) => void }) {
  const text = useText().pipeline.poll;
  if (!look) return null;
  return (
    <div className="row polling small">
      {failed ? <span className="tag warn" role="status">{text.stale}</span> : null}
      <span className="muted">{text.asOf} <Time value={look.status.time} /> · {paused ? text.paused : text.every}</span>
      <button type="button" className="button small" onClick={() => onPause(!paused)}>{paused ? text.resume : text.pause}</button>
    </div>
  );
}
