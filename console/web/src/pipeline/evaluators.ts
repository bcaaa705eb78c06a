import { useQuery } from "@tanstack/react-query";
import { listRules } from "../api/rules.ts";
import type { Evaluator } from "./types.ts";
import { useSettings } from "../session/settings.ts";

/** What the management service knows of who follows the rules; nothing where there is none. */
export function useEvaluators(paused: boolean): Evaluator[] {
  const managed = useSettings().data?.rules === true;
  const rules = useQuery({
    queryKey: ["rules", "evaluators"],
    queryFn: async ({ signal }) => (await listRules(signal)).evaluators,
    enabled: managed,
    refetchInterval: paused ? false : 30_000,
    retry: false,
  });
  return rules.data ?? [];
}
