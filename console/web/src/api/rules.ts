// Rule management of `/api/v1`.
import { answer, api, type Schemas } from "./client.ts";

export type RuleState = Schemas["RuleState"];
export type Diagnostic = Schemas["Diagnostic"];
export type Entry = Schemas["Entry"];
export type Rule = Schemas["Rule"];
export type Evaluator = Schemas["Evaluator"];
export type Rules = Schemas["Rules"];
export type Check = Schemas["Check"];
export type Tried = Schemas["Tried"];
export type Trial = Schemas["Trial"];

export function listRules(signal: AbortSignal): Promise<Rules> {
  return answer(api.GET("/api/v1/rules", { signal }));
}

export function getRule(namespace: string, name: string, signal?: AbortSignal): Promise<Rule> {
  return answer(api.GET("/api/v1/rules/{namespace}/{name}", { params: { path: { namespace, name } }, ...(signal ? { signal } : {}) }));
}

export function putRule(namespace: string, name: string, body: Schemas["RuleToPut"], validateOnly: boolean): Promise<Rule> {
  const query = validateOnly ? { validateOnly } : {};
  return answer(api.PUT("/api/v1/rules/{namespace}/{name}", { params: { path: { namespace, name }, query }, body }));
}

export async function deleteRule(namespace: string, name: string, etag: string): Promise<void> {
  await answer(api.DELETE("/api/v1/rules/{namespace}/{name}", { params: { path: { namespace, name }, query: { etag } } }));
}

export function checkRules(source: string, signal: AbortSignal): Promise<Check> {
  return answer(api.POST("/api/v1/rules/check", { body: { source }, signal }));
}

export function tryRules(body: Schemas["TrialToRun"]): Promise<Trial> {
  return answer(api.POST("/api/v1/rules/try", { body }));
}
