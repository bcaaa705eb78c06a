// Rules as the management API tells them, for pages that are shown without one.
import type { Page, Route } from "playwright-core";
import type { Check, Diagnostic, Entry, Rule, Rules, Trial } from "../src/api/rules.ts";

export const SOURCE = `apiVersion: auditing.kubesphere.io/v1alpha1
kind: Rule
metadata:
  name: alerting-rule
  namespace: kubesphere-logging-system
  labels:
    type: alerting
    workspace: system-workspace
spec:
  rules:
  - name: pod
    type: macro
    desc: pod
    macro: ObjectRef.Resource="pods"
  - name: user
    type: alias
    desc: the alias of the user who sent the request
    alias: User.username
  - name: AttachOrExecPod
    type: rule
    desc: somebody attaches to a pod or runs a command in it
    condition: \${pod} and Verb = "create" and ObjectRef.Subresource in ("exec", "attach")
    output: \${user} \${ObjectRef.Subresource} Pod \${ObjectRef.Name}.
    priority: WARNING
    enable: true
`;

const ENTRIES: Entry[] = [
  { name: "pod", desc: "pod", kind: "macro", macro: 'ObjectRef.Resource="pods"' },
  { name: "action", desc: "all operator need to be audit", kind: "list", list: ["create", "delete", "update", "patch"] },
  { name: "user", desc: "the alias of the user who sent the request", kind: "alias", alias: "User.username" },
  { name: "ResourceChange", desc: "audit the change of resource", kind: "rule", condition: "Verb in ${action}", priority: "INFO", enabled: false },
  {
    name: "AttachOrExecPod", desc: "somebody attaches to a pod or runs a command in it", kind: "rule", priority: "WARNING", enabled: true,
    condition: '${pod} and Verb = "create" and ObjectRef.Subresource in ("exec", "attach")', exceptions: ['${user} = "ci"'],
    output: "${user} ${ObjectRef.Subresource} Pod ${ObjectRef.Name}.",
  },
];

export const ERROR: Diagnostic = {
  severity: "error", code: "VR0301", message: "there is no macro, list or alias `podd`", help: "`pod` is defined in this resource", document: "source",
  path: "spec.rules[2].condition", line: 22, column: 16, endLine: 22, endColumn: 23,
};

export function rule(name: string, over: Partial<Rule> = {}): Rule {
  return {
    name: `namespaces/kubesphere-logging-system/rules/${name}`, etag: "e1", labels: { type: "alerting", workspace: "system-workspace" }, annotations: {},
    created: "2026-11-20T08:00:00.000Z", state: "inForce", rulesInForce: 1, generation: 41, diagnostics: [], entries: ENTRIES, source: SOURCE, ...over,
  };
}

const NASTY = `x\u202egnp.${"long-".repeat(60)}<img src=x onerror=alert(1)>`;

export const RULES: Rules = {
  items: [
    rule("alerting-rule"),
    rule("archiving-rule", {
      labels: { type: "archiving" },
      entries: [{ name: "archiving", desc: "All audit event except get, list, watch event", kind: "rule", condition: "Verb not in ${ignore-action}", priority: "DEBUG", enabled: true }],
    }),
    rule("team-rule", { state: "lastGoodInForce", diagnostics: [ERROR], labels: { type: "alerting", team: "payments" } }),
    rule("broken-rule", { state: "refused", rulesInForce: 0, generation: 0, diagnostics: [{ ...ERROR, message: NASTY }], labels: {} }),
    rule("draft-rule", { state: "notSelected", rulesInForce: 0, generation: 0, labels: { stage: "draft" } }),
    rule("just-made", { state: "pending", rulesInForce: 0, generation: 0 }),
  ],
  evaluators: [
    { name: "archiver-0", service: "archiver", version: "0.7.0", generation: 41, rules: 3, lastError: "" },
    { name: "alerter-0", service: "alerter", version: "0.7.0", generation: 40, rules: 6, behindSince: "2026-11-26T04:30:00Z", lastError: "generation 41: rule `team-rule.X` needs more memory than the limit" },
  ],
  generation: 41,
};

export interface Answers {
  rules?: Rules;
  managed?: boolean;
  check?: (source: string) => Check;
  trial?: Trial;
  put?: (body: { source: string; etag?: string }, validateOnly: boolean) => { status: number; body: unknown };
  remove?: () => { status: number; body?: unknown };
  list?: { status: number; body: unknown };
}

/** What was asked of the API. */
export interface Asked {
  puts: { path: string; validateOnly: boolean; etag?: string; source: string }[];
  removed: string[];
}

export async function answerRules(page: Page, answers: Answers = {}): Promise<Asked> {
  const asked: Asked = { puts: [], removed: [] };
  const rules = answers.rules ?? RULES;
  const json = (route: Route, body: unknown, status = 200) => route.fulfill({ status, contentType: "application/json", body: JSON.stringify(body) });
  await page.route("**/api/v1/settings", (route) => json(route, { version: "0.7.0", rules: answers.managed ?? true }));
  await page.route("**/api/v1/rules**", (route) => (answers.list ? json(route, answers.list.body, answers.list.status) : json(route, rules)));
  await page.route("**/api/v1/rules/*/*", (route) => {
    const request = route.request();
    const url = new URL(request.url());
    const [, , , , namespace = "", name = ""] = url.pathname.split("/");
    const full = `namespaces/${decodeURIComponent(namespace)}/rules/${decodeURIComponent(name)}`;
    if (request.method() === "PUT") {
      const body = request.postDataJSON() as { source: string; etag?: string };
      const validateOnly = url.searchParams.get("validateOnly") === "true";
      asked.puts.push({ path: full, validateOnly, ...body });
      const told = answers.put?.(body, validateOnly) ?? { status: 200, body: rule(name, { source: body.source, etag: "e2", state: "pending" }) };
      return json(route, told.body, told.status);
    }
    if (request.method() === "DELETE") {
      asked.removed.push(`${full}?${url.searchParams}`);
      const told = answers.remove?.() ?? { status: 204 };
      return told.status === 204 ? route.fulfill({ status: 204 }) : json(route, told.body, told.status);
    }
    const found = rules.items.find((it) => it.name === full);
    return found ? json(route, found) : json(route, { code: 404, reason: "Not Found", message: `there is no rule \`${full}\`` }, 404);
  });
  await page.route("**/api/v1/rules/check", (route) => {
    const { source } = route.request().postDataJSON() as { source: string };
    return json(route, answers.check?.(source) ?? { accepted: true, diagnostics: [] });
  });
  await page.route("**/api/v1/rules/try", (route) => json(route, answers.trial ?? { accepted: true, diagnostics: [], events: 0, leftOut: 0, items: [] }));
  return asked;
}
