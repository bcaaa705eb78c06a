import type { Page, Route } from "playwright-core";
import { expect, test } from "vitest";
import type { Alert, AlertGroup, Outcome } from "../src/api/alerts.ts";
import { accessible, ask, fits, type Options, type Person, settled, shot, visit } from "./kit.ts";

const MINUTE = 60_000;

interface Log {
  alerts?: Alert[];
  complete?: boolean;
  refused?: { status: number; message: string };
}

function alerts(count: number, rule: string, priority: string, over: (at: number) => Partial<Alert> = () => ({})): Alert[] {
  return Array.from({ length: count }, (_, at) => {
    const time = new Date(Date.now() - (at + 1) * 7 * MINUTE).toISOString();
    return {
      id: `${at}:${rule}`, eventId: String(at).padStart(32, "0"), time, alertedTime: time, cluster: "default", rule, ruleId: rule.replace(".", "/"), priority,
      message: `admin exec Pod worker-${at} in Namespace platform.`, user: at % 3 === 0 ? "admin" : "alice", verb: "create", resource: "pods",
      subresource: "exec", name: `worker-${at}`, namespace: "platform", ip: "127.0.0.1", auditID: `a${at}`, outcome: "sent" as Outcome, receivers: ["ops"], ...over(at),
    };
  });
}

const NASTY = `x\u202egnp.exe <img src=x onerror=alert(1)> ${"A".repeat(9_000)}`;

const LOG: Alert[] = [
  ...alerts(120, "alerting-rule.AttachOrExecPod", "WARNING"),
  ...alerts(14, "alerting-rule.CreateNodeportService", "WARNING", (at) => ({ outcome: "unrouted", receivers: [], resource: "services", subresource: "", message: `alice create NodePort Service web-${at} in Namespace shop.` })),
  ...alerts(5, "team-rule.Everything", "INFO", () => ({ outcome: "rejected", receivers: [], message: NASTY, user: NASTY.slice(0, 300) })),
];

/** The alert log, as the console would tell it. */
async function answerAlerts(page: Page, { alerts: all = LOG, complete = true, refused }: Log = {}): Promise<URL[]> {
  const asked: URL[] = [];
  const json = (route: Route, body: unknown, status = 200) => route.fulfill({ status, contentType: "application/json", body: JSON.stringify(body) });
  await page.route("**/api/v1/alerts**", async (route) => {
    await (refused ? json(route, { code: refused.status, reason: "Refused", message: refused.message }, refused.status) : tell(route));
  });
  await page.route("**/api/v1/alerts/*", tell);
  async function tell(route: Route): Promise<void> {
    const url = new URL(route.request().url());
    asked.push(url);
    const wanted = (name: string) => (url.searchParams.get(name) ?? "").split(",").filter(Boolean);
    const [rules, priorities, text] = [wanted("rule"), wanted("priority"), url.searchParams.get("q") ?? ""];
    const [start, end] = [url.searchParams.get("start") ?? "", url.searchParams.get("end") ?? "9"];
    const found = all
      .filter((it) => (rules.length === 0 || rules.includes(it.rule)) && (priorities.length === 0 || priorities.includes(it.priority)))
      .filter((it) => it.message.includes(text) && it.time >= start && it.time <= end)
      .sort((a, b) => (a.time < b.time ? 1 : -1));
    if (url.pathname.endsWith("/groups")) return json(route, { items: groups(found) });
    if (url.pathname.endsWith("/histogram")) return json(route, histogram(found));
    const from = Number(url.searchParams.get("cursor") ?? 0);
    const to = from + Number(url.searchParams.get("limit"));
    const since = all.at(-1)?.time;
    return json(route, { items: found.slice(from, to), ...(to < found.length ? { next: String(to) } : {}), ...(from === 0 ? { total: found.length } : {}), kept: { ...(since ? { since } : {}), complete } });
  }
  return asked;
}

function groupBy<K>(found: Alert[], key: (alert: Alert) => K): Map<K, Alert[]> {
  const by = new Map<K, Alert[]>();
  for (const it of found) by.set(key(it), [...(by.get(key(it)) ?? []), it]);
  return by;
}

function groups(found: Alert[]): AlertGroup[] {
  const by = groupBy(found, (it) => `${it.rule} ${it.priority}`);
  return [...by.values()].flatMap((some) => {
    const [latest, first] = [some[0], some.at(-1)];
    if (!latest || !first) return [];
    return [{ rule: latest.rule, priority: latest.priority, count: some.length, firstSeen: first.time, lastSeen: latest.time, users: new Set(some.map((it) => it.user)).size, latest }];
  });
}

function histogram(found: Alert[]): object {
  const series = ["WARNING", "INFO"];
  const slot = (time: string) => Math.floor(new Date(time).getTime() / (30 * MINUTE));
  const by = groupBy(found, (it) => slot(it.time));
  const slots = [...by.keys()].sort();
  const buckets = Array.from({ length: slots.length === 0 ? 0 : (slots.at(-1) ?? 0) - (slots[0] ?? 0) + 1 }, (_, at) => {
    const some = by.get((slots[0] ?? 0) + at) ?? [];
    return { time: new Date(((slots[0] ?? 0) + at) * 30 * MINUTE).toISOString(), count: some.length, counts: series.map((it) => some.filter((one) => one.priority === it).length) };
  });
  return { buckets, series, total: found.length };
}

async function open(path: string, log: Log = {}, options: Options = {}): Promise<Person & { asked: URL[] }> {
  const person = await visit("/pipeline", options);
  const asked = await answerAlerts(person.page, log);
  await person.page.goto(new URL(path, person.page.url()).href);
  return Object.assign(person, { asked });
}

test("alerts are grouped by rule, and each leads to its event and its user", async () => {
  const { page } = await open("/alerts");
  await page.getByRole("heading", { name: "139 alerts" }).waitFor();
  await page.getByText("No receiver is configured for some alerts").waitFor();
  await accessible(page);
  await shot(page, "alerts");
  await shot(page, "alerts-dark", "dark");
  await page.getByRole("button", { name: "alerting-rule.AttachOrExecPod" }).click();
  const list = page.getByRole("list", { name: "Alerts of alerting-rule.AttachOrExecPod (WARNING)" });
  await list.getByText("worker-0 in Namespace").waitFor();
  expect(await list.getByRole("link", { name: "Open the event" }).first().getAttribute("href")).toBe(`/events/${"0".repeat(32)}`);
  expect(await list.getByRole("link", { name: "admin" }).first().getAttribute("href")).toBe("/users/admin");
  await page.waitForURL(/open=/);
  await accessible(page);
  await shot(page, "alerts-open");
});

test("all alerts of a group come as one scrolls", async () => {
  const { page, asked } = await open("/alerts?open=WARNING+alerting-rule.AttachOrExecPod");
  const items = page.locator(".alert-list li");
  await items.first().waitFor();
  const down = async () => {
    await page.mouse.wheel(0, 4_000);
    return items.count();
  };
  await expect.poll(down, { timeout: 15_000 }).toBe(120);
  await page.getByText("These are all.").waitFor();
  // All pages are of one range.
  const pages = asked.filter((it) => it.searchParams.get("limit") === "50");
  expect(new Set(pages.map((it) => it.searchParams.get("start"))).size).toBe(1);
});

test("what an attacker wrote is text, and does not break the page", async () => {
  const { page } = await open("/alerts?rule=team-rule.Everything&open=INFO+team-rule.Everything", {}, { viewport: { width: 390, height: 844 } });
  await page.getByText("⟨U+202E⟩").first().waitFor();
  expect(await page.locator(".alerts img").count()).toBe(0);
  await page.locator(".alert-list li").first().waitFor();
  await fits(page);
  await page.getByText("rejected").first().waitFor();
  await accessible(page);
  await shot(page, "alerts-narrow");
});

test("filters are in the address", async () => {
  const { page, asked } = await open("/alerts");
  await page.getByRole("combobox", { name: "Priority" }).selectOption("INFO");
  await page.getByRole("heading", { name: "5 alerts" }).waitFor();
  await page.getByRole("searchbox", { name: "Text" }).fill("nothing of the kind");
  await page.getByText("Nothing was alerted: last 24 hours").waitFor();
  const url = new URL(page.url());
  expect([url.searchParams.get("priority"), url.searchParams.get("q")]).toEqual(["INFO", "nothing of the kind"]);
  expect(asked.at(-1)?.searchParams.get("priority")).toBe("INFO");
  await accessible(page);
  await shot(page, "alerts-nothing");
  await page.getByRole("button", { name: "Clear filters" }).first().click();
  await page.getByRole("heading", { name: "139 alerts" }).waitFor();
  await page.getByRole("combobox", { name: "Time" }).selectOption("1h");
  await page.getByText("last hour").last().waitFor();
  await page.waitForURL(/time=1h/);
});

test("where there are no alerts, or not all, or none for the viewer, it says so", async () => {
  const none = await open("/alerts", { alerts: [] });
  await none.page.getByText("Nothing was alerted yet").waitFor();
  await accessible(none.page);
  const part = await open("/alerts", { complete: false });
  await part.page.getByText("This is not the whole alert log.").waitFor();
  await accessible(part.page);
  const forbidden = await open("/alerts", { refused: { status: 403, message: "alerts are not for you" } }, { expected: [/403/] });
  await forbidden.page.getByText("You may not see alerts").waitFor();
  await accessible(forbidden.page);
  const broken = await open("/alerts", { refused: { status: 503, message: "the bus is away" } }, { expected: [/503/] });
  await broken.page.getByText("the bus is away").waitFor();
});

test("alerts in Chinese", async () => {
  const { page } = await open("/alerts?open=WARNING+alerting-rule.CreateNodeportService", {}, { locale: "zh-CN" });
  await page.getByText("未路由").first().waitFor();
  await accessible(page);
  await shot(page, "alerts-zh");
});

test("the sample's alerts lead to events that are there", async () => {
  const log = await ask("alerts?limit=1").catch(() => undefined);
  const [alert] = ((log?.items ?? []) as Alert[]);
  // A console without an alert log has nothing to show.
  if (!alert) return;
  const { page } = await visit("/alerts?time=all");
  await page.getByRole("button", { name: alert.rule }).first().click();
  await page.getByRole("link", { name: `Open the event ${alert.eventId}` }).first().waitFor();
  await accessible(page);
});

test("the chart spans the chosen time, not only that of the alerts", async () => {
  // The first of them is of 14 hours ago.
  const person = await open("/alerts");
  const { page } = person;
  const chart = page.getByRole("group", { name: /alerts over time/ });
  await page.getByRole("button", { name: "team-rule.Everything" }).waitFor();
  await settled(chart.locator(".u-over"));
  await person.drag(chart, 0.1, 0.9);
  await page.waitForURL(/time=/);
  const [from = 0, to = 0] = (new URL(page.url()).searchParams.get("time") ?? "").split("..").map(Number);
  expect(Date.now() - from).toBeGreaterThan(20 * 60 * MINUTE);
  expect(Date.now() - to).toBeGreaterThan(60 * MINUTE);
});

test("how long ago something was goes on", async () => {
  const { page } = await visit("/pipeline");
  await page.clock.install();
  await answerAlerts(page);
  await page.goto(new URL("/alerts", page.url()).href);
  const ago = page.locator("td.when time").last();
  const minutes = async () => Number(/(\d+) minutes ago/.exec(await ago.innerText())?.[1]);
  await ago.waitFor();
  const before = await minutes();
  await page.clock.fastForward(5 * MINUTE);
  await expect.poll(minutes).toBeGreaterThan(before);
});

test("the alerts of one request's stages are one", async () => {
  const [first, , another] = alerts(3, "alerting-rule.AttachOrExecPod", "WARNING");
  if (!first || !another) throw new Error("there are none");
  const stages = [1, 2, 3].map((stage) => ({ ...first, id: `s${stage}`, eventId: String(stage).padStart(32, "0"), auditID: "one" }));
  const { page } = await open("/alerts?open=WARNING+alerting-rule.AttachOrExecPod", { alerts: [...stages, another] });
  await page.locator(".alert-list li").first().waitFor();
  expect(await page.locator(".alert-list li").count()).toBe(2);
  await page.locator(".alert-list li").first().getByText("×3").waitFor();
  await page.getByText("4 of 4").waitFor();
  await accessible(page);
});
