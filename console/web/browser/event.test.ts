import { expect, test } from "vitest";
import { accessible, ask, fits, type Options, type Person, shot, visit } from "./kit.ts";

interface Found {
  id: string;
  time: string;
  stage: string;
  command?: string;
  durationMicros?: number;
}

async function first(q: string): Promise<Found> {
  const { items } = (await ask(`events?${new URLSearchParams({ q, limit: "1" })}`)) as { items: Found[] };
  const event = items[0];
  if (!event) throw new Error(`the sample has nothing of ${q}`);
  return event;
}

const update = () => first("actor:alice change:yes verb:update resource:deploy last:9d");

test("an event is a sentence, fields that narrow the search, bodies and the record", async () => {
  const event = await update();
  const q = "actor:alice last:9d";
  const person = await visit(`/events/${event.id}?${new URLSearchParams({ q })}`);
  const { page } = person;
  const sentence = page.locator(".sentence");
  await sentence.waitFor();
  expect(await sentence.innerText()).toMatch(/^alice updated deployments checkout\/checkout from 127\.0\.0\.2 with the credential X509SHA256=\w{8}…, on .+, which took [\d.]+ ms\. The answer was 200\.$/);
  const user = new URL(await sentence.getByRole("link", { name: "alice" }).evaluate((link) => (link as HTMLAnchorElement).href));
  expect([user.pathname, ...["ns", "resource", "name", "time"].map((name) => user.searchParams.get(name))]).toEqual(["/users/alice", "checkout", "deployments", "checkout", "last:9d"]);
  await page.getByText(/^\d+ events?$/).or(page.getByText(/· \d+ events?/)).first().waitFor();
  await page.getByRole("tree").first().waitFor();
  await accessible(page);
  await shot(page, "event");
  await shot(page, "event-dark", "dark");
  await page.setViewportSize({ width: 1100, height: 900 });
  await fits(page);
  await shot(page, "event-1100");
  await page.setViewportSize({ width: 390, height: 844 });
  await fits(page);
  await shot(page, "event-390");
  await page.setViewportSize({ width: 1440, height: 900 });

  await page.getByRole("button", { name: "Show", exact: true }).click();
  expect(JSON.parse(await page.locator("pre.raw").innerText())).toEqual((await ask(`events/${event.id}`)).document);
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download" }).click();
  expect((await download).suggestedFilename()).toBe(`${event.id}.json`);

  await page.getByRole("link", { name: "Search: Verb is not update" }).click();
  await page.waitForURL((url) => url.pathname === "/");
  expect(new URL(page.url()).searchParams.get("q")).toBe("actor:alice last:9d -verb:update");
});

test("Esc goes back to the list, and the search's other events are beside it", async () => {
  const event = await update();
  const q = "actor:alice change:yes last:9d";
  const { page } = await visit(`/events/${event.id}?${new URLSearchParams({ q })}`);
  await page.getByRole("link", { name: "Earlier event" }).click();
  const before = (await ask(`events?${new URLSearchParams({ q: "actor:alice change:yes", end: event.time, limit: "5" })}`)) as { items: Found[] };
  const expected = before.items.find((it) => it.id !== event.id);
  await page.waitForURL((url) => url.pathname === `/events/${expected?.id}`);
  await page.getByRole("link", { name: "Later event" }).click();
  await page.waitForURL((url) => url.pathname === `/events/${event.id}`);
  await page.locator(".sentence").waitFor();
  await page.keyboard.press("Escape");
  await page.waitForURL((url) => url.pathname === "/");
  expect(new URL(page.url()).searchParams.get("q")).toBe(q);
});

test("Esc goes back to the search as it was, and leaves no step behind", async () => {
  const asked = `/?${new URLSearchParams({ q: "actor:alice change:yes last:9d", sort: "asc", by: "codeClass", cols: "time,actor,object" })}`;
  const { page } = await visit(asked);
  await page.getByRole("gridcell").first().waitFor();
  const length = () => page.evaluate(() => history.length);
  const before = await length();
  for (const leave of [() => page.keyboard.press("Escape"), () => page.getByRole("link", { name: "Back to the list" }).click()]) {
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await page.waitForURL((url) => url.pathname.startsWith("/events/"));
    await page.locator(".sentence").waitFor();
    // To neighbours and back again: the list is some more steps away.
    const here = new URL(page.url()).pathname;
    await page.getByRole("link", { name: /Earlier|Later/ }).first().click();
    await page.waitForURL((url) => url.pathname.startsWith("/events/") && url.pathname !== here);
    await page.locator(".sentence").waitFor();
    await page.reload();
    await page.locator(".sentence").waitFor();
    await leave();
    await page.waitForURL((url) => url.pathname === "/");
    expect(new URL(page.url()).search).toBe(new URL(asked, page.url()).search);
    await page.getByRole("gridcell").first().waitFor();
  }
  // The second time took the steps of the first.
  expect(await length()).toBeLessThanOrEqual(before + 2);
});

test("an event is left for the page that it was opened from", async () => {
  const event = await update();
  const alert = {
    id: "1", eventId: event.id, time: event.time, alertedTime: event.time, cluster: "default", rule: "a.b", ruleId: "a/b", priority: "INFO", message: "it happened", user: "alice", verb: "update",
    resource: "deployments", subresource: "", name: "x", namespace: "y", ip: "127.0.0.1", auditID: "1", outcome: "sent", receivers: [],
  };
  const { page } = await visit("/nowhere");
  await page.route("**/api/v1/alerts?*", (route) => route.fulfill({ json: { items: [alert], total: 1, kept: { complete: true } } }));
  await page.route("**/api/v1/alerts/groups*", (route) => route.fulfill({ json: { items: [{ rule: "a.b", priority: "INFO", count: 1, firstSeen: event.time, lastSeen: event.time, users: 1, latest: alert }] } }));
  await page.goto(new URL("/alerts?time=all&open=INFO+a.b", page.url()).href);
  await page.getByRole("link", { name: "Open the event" }).click();
  await page.getByRole("link", { name: "Back to the alerts" }).waitFor();
  await page.keyboard.press("Escape");
  await page.waitForURL("**/alerts?time=all&open=INFO+a.b");
  await page.goForward();
  await page.getByRole("link", { name: "Back to the alerts" }).click();
  await page.waitForURL("**/alerts?time=all&open=INFO+a.b");

  // An address that somebody was sent has no page before it: one that comes later is not that.
  await page.goto(new URL(`/events/${event.id}`, page.url()).href);
  await page.getByRole("link", { name: "Search events" }).waitFor();
  await page.getByRole("link", { name: "Rules", exact: true }).click();
  await page.waitForURL("**/rules");
  await page.goBack();
  await page.getByRole("link", { name: "Search events" }).click();
  await page.waitForURL((url) => url.pathname === "/");
});

test("j and k go to the neighbours", async () => {
  const event = await update();
  const { page } = await visit(`/events/${event.id}?${new URLSearchParams({ q: "actor:alice change:yes last:9d" })}`);
  await page.getByRole("link", { name: "Earlier event" }).waitFor();
  await page.keyboard.press("j");
  await page.waitForURL((url) => url.pathname !== `/events/${event.id}`);
  await page.getByRole("link", { name: "Later event" }).waitFor();
  await page.keyboard.press("k");
  await page.waitForURL((url) => url.pathname === `/events/${event.id}`);
});

test("the difference says what was there before, and whether that is sure", async () => {
  const event = await first("actor:alice verb:update resource:svc change:yes last:9d");
  const { page } = await visit(`/events/${event.id}`);
  const row = page.getByRole("row").filter({ hasText: "targetPort" });
  await row.waitFor();
  expect(await row.getByRole("cell").allInnerTexts().then((cells) => cells.map((it) => it.replace(/\s/g, "")))).toEqual(["spec.ports[0].targetPort", "−8080", "+8081"]);
  await page.getByText("Compared with how it was at").waitFor();
  await accessible(page);
  await shot(page, "event-diff");
});

test("what was not recorded is said in words", async () => {
  const event = await first("actor:alice verb:patch resource:ingresses change:yes last:9d");
  const { page } = await visit(`/events/${event.id}`);
  await page.getByText("No body was recorded: the audit policy's level for this request is Metadata.").waitFor();
  await page.getByText("No body is recorded.").waitFor();
});

test("who acts as another, and who is refused, is said", async () => {
  const through = await first("actor:alice user:system:serviceaccount:kubesphere-system:kubesphere last:9d");
  const { page } = await visit(`/events/${through.id}`);
  await page.locator(".sentence").filter({ hasText: "system:serviceaccount:kubesphere-system:kubesphere, acting as alice, patched" }).waitFor();
  const { page: chinese } = await visit(`/events/${through.id}`, { locale: "zh-CN" });
  await chinese.locator(".sentence").filter({ hasText: /的身份从 \d/ }).waitFor();
  // It is what alice did that is meant, not what the account did.
  await page.getByRole("link", { name: "alice, ± 15 min" }).waitFor();
  const refused = await first("actor:dave resource:secrets name:db code:403 stage:ResponseComplete last:9d");
  const { page: other } = await visit(`/events/${refused.id}`, { locale: "zh-CN" });
  const sentence = other.locator(".sentence");
  await sentence.waitFor();
  expect(await sentence.innerText()).toMatch(/，dave 从 127\.0\.0\.5 使用凭证 .+ 试图读取 secrets payments\/db，耗时 .+。请求被拒绝（403）：没有权限。/);
  await accessible(other);
  await shot(other, "event-zh");
});

test("a body is a tree for the keyboard", async () => {
  const event = await update();
  const { page } = await visit(`/events/${event.id}`);
  const tree = page.getByRole("tree", { name: "Request body" });
  await tree.focus();
  const active = async () => tree.evaluate((it) => document.getElementById(it.getAttribute("aria-activedescendant") ?? "")?.innerText.replace(/\s+/g, " ").trim());
  // Rows are drawn once it is known how many there is room for.
  await expect.poll(active).toMatch(/Request body: \d+ members/);
  await page.keyboard.press("ArrowDown");
  await expect.poll(active).toBe('kind: "Deployment"');
  await page.keyboard.press("End");
  await page.keyboard.press("Home");
  await page.keyboard.press("ArrowLeft");
  await expect.poll(() => tree.getByRole("treeitem").count()).toBe(1);
  await page.keyboard.press("ArrowRight");
  await expect.poll(() => tree.getByRole("treeitem").count()).toBeGreaterThan(3);
  await page.getByRole("region", { name: "Request body" }).getByRole("button", { name: "Copy path" }).waitFor();
});

const NOBODY = "00112233445566778899aabbccddeeff";
const ALERT = {
  id: "a", eventId: NOBODY, time: new Date().toISOString(), alertedTime: new Date().toISOString(), cluster: "default", rule: "alerting-rule.AttachOrExecPod", priority: "WARNING", message: "exec into a pod <b>x</b>",
  user: "dave", verb: "create", resource: "pods", subresource: "exec", name: "ledger-0", namespace: "payments", workspace: "", ip: "127.0.0.5", auditID: "1-2", outcome: "sent", receivers: [],
};

test("an event that is not kept: what is known of it", async () => {
  const { page } = await missing({ status: 200, json: { items: [], kept: { complete: true } } });
  await page.getByText("older than 9 days").waitFor();
  await page.getByText("No alert of it is kept either.").waitFor();
  await page.getByText("The oldest record that you may see is of").waitFor();
  await accessible(page);
  const { page: alerted } = await missing({ status: 200, json: { items: [ALERT], kept: { complete: true } } });
  await alerted.getByText("no rule archives such events").waitFor();
  await alerted.getByText("exec into a pod <b>x</b>").waitFor();
  await accessible(alerted);
  await shot(alerted, "event-404");
  const { page: old } = await missing({ status: 200, json: { items: [{ ...ALERT, time: "2020-01-01T00:00:00Z" }], kept: { complete: true } } });
  await old.getByText("its record has been dropped since").waitFor();
  const { page: unknown } = await missing({ status: 503, json: { code: 503, reason: "Unavailable", message: "not now" } });
  await unknown.getByText("alerts could not be asked for").waitFor();
});

async function missing(alerts: { status: number; json: unknown }): Promise<Person> {
  const person = await visit("/", { expected: [/404/, /503/] });
  await person.page.route(/\/api\/v1\/alerts\?/, (route) => route.fulfill(alerts));
  await person.page.goto(new URL(`/events/${NOBODY}`, person.page.url()).href);
  return person;
}

test("an address that is no id, and one that may not be seen", async () => {
  const options: Options = { expected: [/400/, /403/] };
  const { page } = await visit("/events/nonsense", options);
  await page.getByText("This is no event's id").waitFor();
  await page.route(/\/api\/v1\/events\//, (route) => route.fulfill({ status: 403, json: { code: 403, reason: "Forbidden", message: "no" } }));
  await page.goto(new URL(`/events/${NOBODY}`, page.url()).href);
  await page.getByText("You may not see this").waitFor();
});

// What an attacker can write into a field: markup, scripts, marks of direction, controls, and much of everything.
const HOSTILE = [
  `<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>`,
  `\u202Egpj.exe\u202C\u0000\u001b[31m\u200b`,
  `javascript:window.hacked=1//`,
  `שלום עולם`,
  "A".repeat(10_000),
  `"><svg onload=window.hacked=1>{who} {object}`,
].join(" ");

test("nothing of an event is anything but text", async () => {
  const { event, document: record } = (await ask(`events/${(await update()).id}`)) as { event: Record<string, unknown>; document: Record<string, unknown> };
  const poisoned = Object.fromEntries(
    Object.entries(event).map(([key, value]) => {
      if (["id", "time", "stageTime", "receivedTime"].includes(key)) return [key, value];
      if (typeof value === "string") return [key, HOSTILE];
      if (key === "annotations") return [key, { [HOSTILE]: HOSTILE }];
      return Array.isArray(value) ? [key, [HOSTILE, HOSTILE]] : [key, value];
    }),
  );
  Object.assign(poisoned, { user: `${HOSTILE}2`, command: HOSTILE, message: HOSTILE, reason: HOSTILE, workspace: HOSTILE, subresource: HOSTILE, code: 403 });
  const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`${index} ${HOSTILE.slice(0, 60)}`, HOSTILE.slice(0, 80)]));
  const whole = {
    event: poisoned,
    document: { ...record, RequestObject: { [HOSTILE]: HOSTILE, __proto__: 1, many }, ResponseObject: HOSTILE },
    stages: [{ ...poisoned, id: NOBODY, actor: "another" }],
    change: { kind: "compared", exact: true, reason: HOSTILE, before: { ...poisoned, id: NOBODY }, places: [{ path: HOSTILE, before: HOSTILE, after: { [HOSTILE]: HOSTILE } }] },
  };
  // Queries of such values are refused for their length, as they may be.
  const person = await visit("/", { expected: [/400|414|431|Failed to load resource/] });
  const { page } = person;
  await page.route(/\/api\/v1\/events\//, (route) => route.fulfill({ json: whole }));
  await page.goto(new URL(`/events/${NOBODY}`, page.url()).href);
  await page.locator(".sentence").waitFor();
  await page.getByRole("button", { name: "Show", exact: true }).click();
  await page.evaluate(() => document.querySelectorAll<HTMLElement>(".fields [aria-expanded=false], .places [aria-expanded=false]").forEach((button) => button.click()));
  const tree = page.getByRole("tree", { name: "Request body" });
  await page.getByRole("button", { name: "Expand all" }).first().click();
  await tree.focus();
  await page.keyboard.press("End");
  expect(await tree.getByRole("treeitem").count()).toBeLessThan(200);
  await page.keyboard.press("Home");
  expect(await page.evaluate(() => (globalThis as { hacked?: number }).hacked)).toBeUndefined();
  expect(await page.locator("main img, main svg, main script, main iframe").count()).toBe(0);
  expect(await page.locator('a[href^="javascript:"]').count()).toBe(0);
  expect(await page.locator(".sentence").innerText()).toContain("<img src=x onerror=");
  const unseen = await page.locator("main").innerText().then((text) => /.{0,40}[\u202A-\u202E\u2066-\u2069\u0000\u001b]/.exec(text)?.[0]);
  expect(unseen && encodeURI(unseen)).toBeUndefined();
  await page.locator(".unseen").filter({ hasText: "U+202E" }).first().waitFor();
  await fits(page);
  await accessible(page);
  await shot(page, "event-hostile");
  await page.setViewportSize({ width: 390, height: 844 });
  await fits(page);
  await shot(page, "event-hostile-390");
});
