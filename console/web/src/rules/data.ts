import { useQuery } from "@tanstack/react-query";
import { answer, ApiError, api } from "../api/client.ts";
import { getRule, listRules, type Rule } from "../api/rules.ts";
import { is } from "../query/language.ts";
import { useSettings } from "../session/settings.ts";

export const RULES = ["rules"];
export const ruleKey = (namespace: string, name: string) => ["rule", namespace, name];

export function useRules() {
  return useQuery({ queryKey: RULES, queryFn: ({ signal }) => listRules(signal) });
}

export function useRule(namespace: string, name: string) {
  return useQuery({ queryKey: ruleKey(namespace, name), queryFn: ({ signal }) => getRule(namespace, name, signal) });
}

/** Whether rules are managed here; unknown while that is asked. */
export function useManaged(): boolean | undefined {
  return useSettings().data?.rules;
}

/** The events that a rule matched lately. */
export const hitsQuery = (rule: string) => `${is("rule", rule)} last:7d`;

export function useHits(rule: string, enabled: boolean) {
  const q = hitsQuery(rule);
  return useQuery({
    queryKey: ["rule-hits", q],
    queryFn: ({ signal }) => answer(api.GET("/api/v1/histogram", { params: { query: { q, interval: "3h" } }, signal })),
    enabled,
  });
}

/** Namespace and name of a resource. */
export function partsOf(rule: Pick<Rule, "name">): { namespace: string; name: string } {
  const [, namespace = "", , name = rule.name] = rule.name.split("/");
  return { namespace, name };
}

export function ruleHref(namespace: string, name: string, more: Record<string, string> = {}): string {
  const query = String(new URLSearchParams(more));
  return `/rules/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}${query === "" ? "" : `?${query}`}`;
}

export function isCode(error: unknown, code: number): error is ApiError {
  return error instanceof ApiError && error.code === code;
}
