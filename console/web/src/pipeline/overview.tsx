// The pipeline at a glance: the verdict, the way of an event, and what is behind them.
import { useMemo } from "react";
import { Blind } from "./blind.tsx";
import { Clusters } from "./clusters.tsx";
import { useEvaluators } from "./evaluators.ts";
import { DeadReasons, Drops } from "./losses.tsx";
import { Services, Streams } from "./machinery.tsx";
import type { Look } from "./status.ts";
import { Verdict } from "./verdict.tsx";
import { Way } from "./way.tsx";

export function Overview({ look, paused }: { look: Look; paused: boolean }) {
  const evaluators = useEvaluators(paused);
  const { status } = look;
  // An instance that announced itself is not listed a second time.
  const others = useMemo(() => evaluators.filter((it) => it.lastError !== undefined || it.behindSince !== undefined || !status.services.some((service) => service.name === it.service)), [evaluators, status]);
  return (
    <div className="overview">
      <Verdict books={status.books} />
      <Way look={look} />
      <div className="pair">
        <Drops status={status} />
        <DeadReasons status={status} />
      </div>
      <Clusters books={status.books} />
      <Blind status={status} />
      <Streams status={status} />
      <Services services={status.services} evaluators={others} />
    </div>
  );
}
