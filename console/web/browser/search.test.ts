import { readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import type { AuditEvent, Schemas } from "../src/api/client.ts";
import { range } from "../src/query/language.ts";
import { accessible, ask, CONSOLE, fits, opened, settled, shot, visit } from "./kit.ts";

// Whole ranges, so that what the page and what the API are asked is the same however long a test takes.
const HOUR_MS = 3_600_000;
const NOW = Math.floor(Date.now() / 60_000) * 60_000;
const HALF_DAY = range(NOW - 12 * HOUR_MS, NOW);

const of = (path: string, q: string, more: Record<string, string> = {}) => ask(`${path}?${new URLSearchParams({ q, ...more })}`);
const statistics = async (q: string) => (await of("statistics", q)) as Schemas["Statistics"];
const first = async (q: string) => ((await of("events", q, { limit: "1" })) as { items: AuditEvent[] }).items[0] as AuditEvent;
const href = (q: string, more: Record<string, string> = {}) => `/?${new URLSearchParams({ q, ...more })}`;
const events = (count: number) => `${count.toLocaleString("en-GB")} event${count === 1 ? "" : "s"}`;
const found = (page: Page) => page.getByRole("status", { name: "Found" });
const queryOf = (page: Page) => new URL(page.url()).searchParams.get("q") ?? "";
const searchBox = (page: Page) => page.getByRole("combobox", { name: "Search" });
const grid = (page: Page) => page.getByRole("grid", { name: "Requests" });
const rows = (page: Page) => grid(page).locator("[role=row][aria-rowindex]:not([aria-rowindex='1'])");
const active = (page: Page) => grid(page).locator("[role=row][aria-selected=true]");
/** Until the page has asked with another query. */
const queried = (page: Page, wanted: (q: string) => boolean) => page.waitForURL((url) => wanted(url.searchParams.get("q") ?? ""));

/** Until the active row is this one. */
const at = (page: Page, row: string) => expect.poll(() => active(page).getAttribute("aria-rowindex")).toBe(row);

async function says(page: Page, q: string): Promise<void> {
  await found(page).getByText(events((await statistics(q)).events), { exact: true }).waitFor();
}

test("an empty address shows the last twelve hours, and today's total", async () => {
  const { page } = await visit("/");
  await rows(page).first().waitFor();
  await page.getByRole("button", { name: "Time range: Last 12 hours" }).waitFor();
  await found(page).getByText(/event/).first().waitFor();
  const midnight = new Date(await page.evaluate(() => new Date().setHours(0, 0, 0, 0))).toISOString();
  const today = (await ask(`statistics?${new URLSearchParams({ start: midnight })}`)) as Schemas["Statistics"];
  await page.getByText(`· ${events(today.events)} today`).waitFor();
  expect(queryOf(page)).toBe("");
  await settled(page.locator(".u-over"));
  await shot(page, "search");
  await shot(page, "search-dark", "dark");
  await accessible(page);
});

test("in Chinese, and on narrow screens", async () => {
  const { page } = await visit("/", { locale: "zh-CN" });
  await page.getByRole("grid", { name: "请求" }).waitFor();
  await page.getByRole("group", { name: "事件趋势" }).waitFor();
  await settled(page.locator(".u-over"));
  await shot(page, "search-zh");
  for (const width of [1100, 390]) {
    await page.setViewportSize({ width, height: 844 });
    await settled(page.locator(".u-over"));
    await fits(page);
    await shot(page, `search-${width}`);
  }
});

test("at 390 pixels one sees what was done to what, how it was answered, by whom, and when", async () => {
  const { page } = await visit(href(`resource:secrets verb:get name:* ${HALF_DAY}`), { viewport: { width: 390, height: 844 } });
  const event = await first(`resource:secrets verb:get name:* ${HALF_DAY}`);
  const row = rows(page).first();
  await row.waitFor();
  await settled(row);
  for (const part of [event.verb, event.name ?? "", String(event.code), event.actor]) {
    const box = await row.getByText(part).last().boundingBox();
    expect(box?.x, part).toBeGreaterThanOrEqual(0);
    expect((box?.x ?? 0) + Math.min(box?.width ?? 0, 60), part).toBeLessThanOrEqual(390);
  }
  const time = await row.locator("time").boundingBox();
  expect((time?.x ?? 0) + (time?.width ?? 0)).toBeLessThanOrEqual(390);
  // The cross is not over what is typed.
  const [padding, cross] = [await searchBox(page).evaluate((it) => it.getBoundingClientRect().right - Number.parseFloat(getComputedStyle(it).paddingRight)), await page.getByRole("button", { name: "Clear the query" }).boundingBox()];
  expect(padding).toBeLessThanOrEqual(cross?.x ?? 0);
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await at(page, "3");
  await accessible(page);
  await grid(page).evaluate((it) => it.scrollIntoView({ block: "start" }));
  await shot(page, "search-390-rows");
});

test("an axis of a year says days and years, and ends where the range does", async () => {
  const { page } = await visit(href("last:365d"));
  await page.locator(".u-over").waitFor();
  const chart = page.getByRole("group", { name: "Events over time" });
  await settled(chart.locator(".u-over"));
  const { width = 0, height = 0 } = (await chart.locator(".u-over").boundingBox()) ?? {};
  await chart.locator(".u-over").hover({ position: { x: width - 3, y: height / 2 } });
  const tip = (await page.locator(".histogram-tip strong").textContent()) ?? "";
  expect(tip.replaceAll(/[\u2009\u202F]/g, " ")).toMatch(/^\d+ ?(\w+ )?(\d{4} )?– ?\d+ \w+ \d{4}$/);
  expect([NOW, NOW + 10 * 24 * HOUR_MS].map((it) => new Date(it).getFullYear())).toContain(Number(tip.slice(-4)));
  await shot(page, "search-year");
});

test("live events have no time to choose, and an export goes on beside them", async () => {
  const { page } = await visit(href(`is:denied ${HALF_DAY}`));
  await rows(page).first().waitFor();
  let go: () => void = () => undefined;
  const held = new Promise<void>((resolve) => { go = resolve; });
  await page.route("**/api/v1/export?*", async (route) => {
    await held;
    await route.fulfill({ contentType: "text/csv", body: 'time,agent\r\n1,"a\r\nb"\r\n2,c\r\n' });
  });
  await page.getByRole("button", { name: "Export" }).click();
  await page.getByRole("menuitem", { name: /CSV/ }).click();
  await page.getByText(/^Exporting: /).waitFor();
  await page.getByRole("button", { name: "Live" }).click();
  await page.getByRole("region", { name: "Live events" }).waitFor();
  expect(await page.getByRole("button", { name: /^(Time range|Zoom out)/ }).count()).toBe(0);
  const [download] = await Promise.all([page.waitForEvent("download"), go()]);
  expect(download.suggestedFilename()).toMatch(/\.csv$/);
  await page.getByText("2 events exported").waitFor();
});

test("what is typed is found, and is in the address", async () => {
  const person = await visit("/");
  const q = `code:403 ${HALF_DAY}`;
  await person.ask(q);
  await says(person.page, q);
  expect(queryOf(person.page)).toBe(q);
  const { requests } = await statistics(q);
  await expect.poll(async () => Number(await grid(person.page).getAttribute("aria-rowcount"))).toBe(requests + 1);
  const newest = await first(q);
  await rows(person.page).first().getByText(newest.actor).first().waitFor();
  await person.page.goBack();
  await queried(person.page, (it) => it === "");
});

test("a mistake is underlined where it is, and told", async () => {
  const person = await visit("/", { expected: [/400/] });
  const { page } = person;
  await person.ask("user:alice vrb:get");
  await page.getByRole("alert").getByText("did you mean `verb`?").waitFor();
  await expect.poll(() => page.locator(".query-marks mark").textContent()).toBe("vrb");
  expect(await searchBox(page).getAttribute("aria-invalid")).toBe("true");
  await accessible(page);
  await shot(page, "search-error");
  await person.ask("(user:ü or vrb:get)");
  await expect.poll(() => page.locator(".query-marks mark").textContent()).toBe("vrb");
  await person.ask("héloïse or vrb:get");
  await expect.poll(() => page.locator(".query-marks mark").textContent()).toBe("vrb");
});

test("keys and values are suggested, by keyboard alone", async () => {
  const { page } = await visit(href(`code:403 ${HALF_DAY}`));
  await rows(page).first().waitFor();
  await page.keyboard.press("/");
  await page.keyboard.press("End");
  await page.keyboard.type(" ver");
  await page.getByRole("option", { name: /^verb:/ }).waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  const facets = (await of("facets", `code:403 ${HALF_DAY}`, { by: "verb", top: "1" })) as Schemas["Facets"];
  const most = facets.facets[0]?.values[0];
  if (!most) throw new Error("nothing was refused");
  await page.getByRole("option", { name: new RegExp(`^${most.value}\\s*${most.count.toLocaleString("en-GB")}`) }).waitFor();
  await shot(page, "search-completion");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Enter");
  await queried(page, (q) => q === `code:403 ${HALF_DAY} verb:${most.value}`);
  await says(page, queryOf(page));
  await accessible(page);
});

test("terms are chips: inverted, changed, and taken away", async () => {
  const { page } = await visit(href(`verb:get resource:secrets ${HALF_DAY}`));
  await says(page, `verb:get resource:secrets ${HALF_DAY}`);
  await page.getByRole("button", { name: "is (invert verb:get)" }).click();
  await says(page, `-verb:get resource:secrets ${HALF_DAY}`);
  await page.getByRole("button", { name: "Remove -verb:get" }).click();
  await says(page, `resource:secrets ${HALF_DAY}`);
  await page.getByRole("button", { name: "Change resource:secrets" }).click();
  await opened(page.getByRole("dialog"));
  const box = page.getByRole("combobox", { name: "Value" });
  await box.fill("conf");
  await page.getByRole("option", { name: /^configmaps/ }).click();
  await page.getByRole("button", { name: "Apply" }).click();
  await queried(page, (q) => q === `resource:configmaps ${HALF_DAY}`);
  await says(page, queryOf(page));
});

test("somebody who does not know the language finds every parameter in a form", async () => {
  const { page } = await visit(href(HALF_DAY));
  await rows(page).first().waitFor();
  const { value = "" } = ((await of("facets", HALF_DAY, { by: "user", top: "1" })) as Schemas["Facets"]).facets[0]?.values[0] ?? {};
  await page.getByRole("button", { name: "Add filter" }).click();
  const form = page.getByRole("dialog", { name: "Add a filter" });
  await opened(form);
  const parameters = await form.getByRole("combobox", { name: "Parameter" }).locator("option").allTextContents();
  expect(parameters).toEqual(["Cluster", "Project (namespace)", "Workspace", "Resource type", "Resource name", "Verb", "Status code", "Operation account", "Source IP", "Time range…"]);
  await form.getByRole("combobox", { name: "Parameter" }).selectOption("Operation account");
  await form.getByRole("combobox", { name: "Value" }).press("ArrowDown");
  await form.getByRole("listbox").getByRole("option").first().waitFor();
  await accessible(page);
  await shot(page, "search-filter");
  await form.getByRole("listbox").getByRole("option").first().click();
  await form.getByRole("button", { name: "Add" }).click();
  await queried(page, (q) => q === `${HALF_DAY} user:${value}` || q === `${HALF_DAY} user:"${value}"`);
  await says(page, queryOf(page));
  await page.getByRole("button", { name: "Add filter" }).click();
  await opened(form);
  await form.getByRole("combobox", { name: "Parameter" }).selectOption("Resource type");
  await form.getByRole("radio", { name: "contains" }).check();
  await form.getByRole("combobox", { name: "Value" }).fill("secr");
  await form.getByRole("combobox", { name: "Value" }).press("Enter");
  await queried(page, (q) => q.endsWith(" resource~secr"));
  await says(page, queryOf(page));
});

test("a range of time is chosen, written, brushed, clicked, and left again", async () => {
  const person = await visit(href("is:denied"), { timezoneId: "Asia/Shanghai" });
  const { page } = person;
  await rows(page).first().waitFor();
  await page.getByRole("button", { name: "Time range: Last 12 hours" }).click();
  await page.getByRole("button", { name: "Last 24 hours" }).click();
  await queried(page, (q) => q === "is:denied last:24h");
  await page.getByRole("button", { name: "Time range: Last 24 hours" }).click();
  await opened(page.getByRole("dialog"));
  // The viewer is where there is no summer time: local times are written, moments are asked.
  const local = (time: number) => new Date(time + 8 * HOUR_MS).toISOString().slice(0, 19);
  await page.getByLabel("From", { exact: true }).fill(local(NOW - 10 * HOUR_MS));
  await page.getByLabel("Until", { exact: true }).fill(local(NOW));
  await page.getByRole("button", { name: "Apply" }).click();
  const chosen = `is:denied ${range(NOW - 10 * HOUR_MS, NOW)}`;
  await queried(page, (q) => q === chosen);
  await says(page, chosen);
  const chart = page.getByRole("group", { name: "Events over time" });
  await person.drag(chart, 0.4, 0.6);
  await queried(page, (q) => q !== chosen);
  const [, since = "", until = ""] = /since:(\S+) until:(\S+)/.exec(queryOf(page)) ?? [];
  const hours = (Date.parse(until) - Date.parse(since)) / HOUR_MS;
  expect(hours).toBeGreaterThan(1.5);
  expect(hours).toBeLessThan(2.5);
  expect(Date.parse(since)).toBeGreaterThan(NOW - 6.5 * HOUR_MS);
  await says(page, queryOf(page));
  await page.getByRole("button", { name: "Zoom out" }).click();
  await queried(page, (q) => !q.includes(since));
  const [, wider = ""] = /since:(\S+)/.exec(queryOf(page)) ?? [];
  expect(Date.parse(wider)).toBeLessThan(Date.parse(since));
});

test("numbers that come while somebody brushes do not take the chart out of their hands", async () => {
  const { page } = await visit(href("is:denied last:12h"));
  await page.clock.install();
  await page.reload();
  const plot = page.locator(".u-over");
  await settled(plot);
  const { x = 0, y = 0, width = 0 } = (await plot.boundingBox()) ?? {};
  await page.mouse.move(x + width * 0.4, y + 60);
  await page.mouse.down();
  await page.mouse.move(x + width * 0.5, y + 60, { steps: 4 });
  const answered = page.waitForResponse(/\/api\/v1\/histogram\?/);
  await page.clock.fastForward(70_000);
  await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  await (await answered).finished();
  await settled(plot);
  await page.mouse.move(x + width * 0.6, y + 60, { steps: 4 });
  await page.mouse.up();
  await queried(page, (q) => /^is:denied since:\S+ until:\S+$/.test(q));
  // All of it, not only what was brushed before they came.
  const [, since = "", until = ""] = /since:(\S+) until:(\S+)/.exec(queryOf(page)) ?? [];
  expect((Date.parse(until) - Date.parse(since)) / HOUR_MS).toBeCloseTo(0.2 * 12, 1);
});

test("a bar is gone to by a click, and by keyboard", async () => {
  const { page } = await visit(href(`is:denied ${range(NOW - 8 * HOUR_MS, NOW)}`));
  const chart = page.getByRole("group", { name: "Events over time" });
  await rows(page).first().waitFor();
  await settled(chart.locator(".u-over"));
  await chart.locator(".u-over").hover({ position: { x: 400, y: 60 } });
  await shot(page, "search-tip");
  const before = queryOf(page);
  await chart.locator(".u-over").click({ position: { x: 400, y: 60 } });
  await queried(page, (q) => q !== before);
  const [, since = "", until = ""] = /since:(\S+) until:(\S+)/.exec(queryOf(page)) ?? [];
  expect(Date.parse(until) - Date.parse(since)).toBe(10 * 60_000 - 1);
  await says(page, queryOf(page));
  await page.goBack();
  await says(page, before);
  await page.getByText("Show as a table").focus();
  await page.keyboard.press("Enter");
  const zoom = page.getByRole("button", { name: /^Zoom to/ }).first();
  const cell = await page.locator(".histogram-table tbody tr").first().locator("td").first().textContent();
  await accessible(page);
  await zoom.press("Enter");
  await queried(page, (q) => q !== before);
  expect((await statistics(queryOf(page))).events).toBe(Number((cell ?? "").replaceAll(",", "")));
});

test("the histogram is stacked by verb, code or priority, and its legend narrows", async () => {
  const { page } = await visit(href(HALF_DAY), { expected: [/400/] });
  const card = page.getByRole("region", { name: "Events over time" });
  await card.getByRole("button", { name: /^Only create / }).waitFor();
  await page.getByRole("button", { name: "Status code", exact: true }).click();
  await page.waitForURL(/by=codeClass/);
  await card.getByRole("button", { name: /^Only 4xx / }).click();
  await queried(page, (q) => q === `${HALF_DAY} code:4xx`);
  await says(page, queryOf(page));
  await page.getByRole("button", { name: "Alert priority" }).click();
  await page.waitForURL(/by=priority/);
  await card.locator(".histogram-legend li").first().waitFor();
  await shot(page, "search-priority");
});

test("frequent values narrow and leave out", async () => {
  const { page } = await visit(href(`is:denied ${HALF_DAY}`));
  const panel = page.getByRole("complementary", { name: "Most frequent values" });
  const { facets } = (await of("facets", `is:denied ${HALF_DAY}`, { by: "actor,resource", top: "1" })) as Schemas["Facets"];
  const [actor, resource] = facets.map((it) => it.values[0]?.value ?? "");
  await panel.getByRole("button", { name: `Only ${actor} ` }).click();
  await queried(page, (q) => q.includes(`actor:${actor}`));
  await says(page, queryOf(page));
  await panel.getByRole("button", { name: `Without ${resource}`, exact: true }).click();
  await queried(page, (q) => q.includes(`-resource:${resource}`));
  await says(page, queryOf(page));
});

test("rows are walked through by keyboard, opened, and found again", async () => {
  const { page } = await visit(href(HALF_DAY));
  await rows(page).first().waitFor();
  for (const _ of [1, 2, 3]) await page.keyboard.press("j");
  await at(page, "4");
  await page.keyboard.press("k");
  await at(page, "3");
  for (const _ of [1, 2, 3, 4, 5]) await page.keyboard.press("PageDown");
  await expect.poll(() => grid(page).evaluate((it) => it.scrollTop)).toBeGreaterThan(500);
  await settled(active(page));
  const row = await active(page).getAttribute("aria-rowindex");
  expect(await grid(page).getAttribute("aria-activedescendant")).toBe(await active(page).getAttribute("id"));
  const scrolled = await grid(page).evaluate((it) => it.scrollTop);
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/events\/[0-9a-f]{32}/);
  await page.goBack();
  await active(page).waitFor();
  await at(page, row ?? "");
  await expect.poll(async () => Math.abs((await grid(page).evaluate((it) => it.scrollTop)) - scrolled)).toBeLessThan(40);
  await page.keyboard.press("/");
  await expect.poll(() => searchBox(page).evaluate((it) => it === document.activeElement)).toBe(true);
  await page.keyboard.press("Escape");
  await expect.poll(() => grid(page).evaluate((it) => it === document.activeElement)).toBe(true);
  await page.keyboard.press("?");
  await opened(page.getByRole("dialog", { name: "Keyboard and language" }));
  await accessible(page);
  await shot(page, "search-help");
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
});

test("thousands of rows are paged as one goes down, and only some are in the document", async () => {
  const { page } = await visit(href(HALF_DAY));
  await rows(page).first().waitFor();
  const { requests } = await statistics(HALF_DAY);
  expect(requests).toBeGreaterThan(1_000);
  const last = async () => Number(await rows(page).last().getAttribute("aria-rowindex"));
  const down = async () => {
    await grid(page).evaluate((it) => it.scrollTo(0, it.scrollHeight));
    return last();
  };
  await expect.poll(down, { timeout: 15_000 }).toBeGreaterThan(600);
  expect(await rows(page).count()).toBeLessThan(90);
});

test("the stages of a request are one row, which unfolds", async () => {
  // An exec has all three: received, started, and ended when the shell is left.
  const staged = await first(`sub:exec stage:ResponseStarted ${HALF_DAY}`);
  const q = `audit:"${staged.auditID}" ${range(Date.parse(staged.time) - HOUR_MS, Date.parse(staged.time) + HOUR_MS)}`;
  const { items } = (await of("events", q)) as { items: AuditEvent[] };
  expect(items.map((it) => it.stage).sort()).toEqual(["RequestReceived", "ResponseComplete", "ResponseStarted"]);
  const { page } = await visit(href(q));
  await rows(page).first().waitFor();
  await expect.poll(() => rows(page).count()).toBe(1);
  await page.getByRole("button", { name: /: show the 2 other stages/ }).click();
  await expect.poll(() => rows(page).count()).toBe(3);
});

test("columns and order are chosen, in the address, and kept", async () => {
  const { page } = await visit(href(`is:denied ${HALF_DAY}`));
  await rows(page).first().waitFor();
  await page.getByRole("button", { name: "Columns" }).click();
  await page.getByRole("menuitemcheckbox", { name: "Reason" }).click();
  await page.keyboard.press("Escape");
  await grid(page).getByRole("columnheader", { name: "Reason" }).waitFor();
  await page.waitForURL((url) => url.searchParams.get("cols") === "time,actor,verb,object,code,reason,ip");
  await page.getByRole("button", { name: "Newest first" }).click();
  await page.getByRole("menuitemradio", { name: "Oldest first" }).click();
  const oldest = ((await of("events", `is:denied ${HALF_DAY}`, { limit: "1", sort: "asc" })) as { items: AuditEvent[] }).items[0];
  await expect.poll(() => rows(page).first().locator("time").getAttribute("datetime")).toBe(oldest?.time);
  await page.goto(page.url().replace(/&cols=[^&]*/, ""));
  await grid(page).getByRole("columnheader", { name: "Reason" }).waitFor();
  // What is passed on shows others the same.
  await page.waitForURL((url) => url.searchParams.get("cols") === "time,actor,verb,object,code,reason,ip");
  await page.getByRole("button", { name: "Columns" }).click();
  await page.getByRole("menuitemcheckbox", { name: "Reason" }).click();
  await page.waitForURL((url) => url.searchParams.get("cols") === "usual");
  await page.goto(page.url().replace("cols=usual", "cols=time,object"));
  await expect.poll(() => grid(page).getByRole("columnheader").allTextContents()).toEqual(["Time", "Object"]);
});

test("while the console is away the page says so once, and is whole when it is back", async () => {
  const { page } = await visit(href(HALF_DAY), { expected: [/503/] });
  await rows(page).first().waitFor();
  let away = true;
  await page.route(/\/api\/v1\/(events|statistics|facets|histogram)\?/, (route) =>
    away ? route.fulfill({ status: 503, json: { code: 503, reason: "Unavailable", message: "the archive does not answer" } }) : route.continue());
  await page.reload();
  await page.getByText("Trying again every 5 seconds.").waitFor();
  await expect.poll(() => page.getByRole("alert").count()).toBe(1);
  expect(await page.locator(".found").textContent()).not.toMatch(/^\s*·/);
  await accessible(page);
  await shot(page, "search-away");
  away = false;
  await rows(page).first().waitFor();
  await says(page, HALF_DAY);
  await page.getByRole("complementary", { name: "Most frequent values" }).getByRole("button").first().waitFor();
  await page.locator(".u-over").waitFor();
  await expect.poll(() => page.getByRole("alert").count()).toBe(0);
});

test("numbers of the question before are dimmed, and can't be clicked", async () => {
  const person = await visit(href(HALF_DAY));
  const { page } = person;
  const panel = page.getByRole("complementary", { name: "Most frequent values" });
  await panel.getByRole("button").first().waitFor();
  await page.locator(".histogram-legend button").first().waitFor();
  let go: () => void = () => undefined;
  const held = new Promise<void>((resolve) => { go = resolve; });
  await page.route(/\/api\/v1\/(facets|histogram)\?/, async (route) => {
    await held;
    await route.continue();
  });
  await person.ask(`is:denied ${HALF_DAY}`);
  for (const part of [panel, page.locator(".trend-chart")]) {
    await expect.poll(() => part.getAttribute("aria-busy")).toBe("true");
    await expect.poll(() => part.evaluate((it) => [getComputedStyle(it).pointerEvents, Number(getComputedStyle(it).opacity) < 0.6])).toEqual(["none", true]);
  }
  const before = queryOf(page);
  await panel.getByRole("button").first().press("Enter");
  expect(queryOf(page)).toBe(before);
  go();
  await expect.poll(() => panel.getAttribute("aria-busy")).toBe("false");
});

test("what is about now says as of when, and is asked anew", async () => {
  const { page } = await visit("/");
  await page.clock.install();
  await page.reload();
  await rows(page).first().waitFor();
  await page.getByText(/as of \d\d:\d\d/).waitFor();
  let asked = 0;
  page.on("request", (request) => { if (/\/api\/v1\/(events|statistics\?q|facets|histogram)/.test(request.url())) asked += 1; });
  await page.getByRole("button", { name: "Refresh" }).click();
  await expect.poll(() => asked).toBe(4);
  const seen = () => page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  // The clock goes on meanwhile: what is not old yet is far from it.
  await page.clock.fastForward(10_000);
  await seen();
  expect(asked).toBe(4);
  await grid(page).evaluate((it) => it.scrollTo(0, 900));
  const answered = page.waitForResponse(/\/api\/v1\/events\?/);
  await page.clock.fastForward(55_000);
  await seen();
  await expect.poll(() => asked).toBe(8);
  await (await answered).finished();
  // Whoever was somewhere in the list still is.
  expect(await grid(page).evaluate((it) => it.scrollTop)).toBe(900);
  await page.goto(`${CONSOLE}${href(HALF_DAY)}`);
  await says(page, HALF_DAY);
  expect(await page.getByRole("button", { name: "Refresh" }).count()).toBe(0);
});

test("midnight passes in a page that is left open", async () => {
  // Somewhere without summer time, eight hours ahead of UTC.
  const { page } = await visit("/", { timezoneId: "Asia/Shanghai" });
  const day = 24 * HOUR_MS;
  const midnight = Math.ceil((Date.now() + 8 * HOUR_MS) / day) * day - 8 * HOUR_MS;
  // Far from it, as the clock goes on however long the page takes.
  const before = 10 * 60_000;
  await page.clock.install({ time: midnight - before });
  const starts: string[] = [];
  page.on("request", (request) => { const start = new URL(request.url()).searchParams.get("start"); if (start) starts.push(start); });
  await page.reload();
  await expect.poll(() => starts.at(-1)).toBe(new Date(midnight - day).toISOString());
  await page.getByText(/today/).waitFor();
  await page.clock.fastForward(before + 61_000);
  await expect.poll(() => starts.at(-1)).toBe(new Date(midnight).toISOString());
});

test("a range without hits is drawn as the range that was meant", async () => {
  const { page } = await visit(href("ns:no-such-project 12:05..14:05"));
  // As consoles of now tell it.
  await page.route(/\/api\/v1\/histogram\?/, (route) => route.fulfill({ json: { total: 0, buckets: [], start: "2026-11-25T12:05:00.000000Z", end: "2026-11-25T14:05:00.999999Z" } }));
  await page.reload();
  await page.getByRole("button", { name: "Time range: 25 Nov 2026, 13:05:00 – 25 Nov 2026, 15:05:01" }).waitFor();
  await page.getByText("Times without a zone are UTC: 12:05..14:05 is 25 Nov 2026, 13:05:00 – 25 Nov 2026, 15:05:01 in your time zone.").waitFor();
  await page.locator(".u-over").waitFor();
  await page.getByText("No events in this time.").waitFor();
  await accessible(page);
  await shot(page, "search-no-hits");
  await page.unroute(/\/api\/v1\/histogram\?/);
  // Where there are some, bars are as long as suits the range.
  const steps: (string | null)[] = [];
  await page.route(/\/api\/v1\/histogram\?/, (route) => {
    steps.push(new URL(route.request().url()).searchParams.get("interval"));
    return route.fulfill({ json: { total: 1, buckets: [{ time: "2026-11-25T13:00:00.000000Z", count: 1 }], start: "2026-11-25T12:05:00.000000Z", end: "2026-11-25T14:05:00.999999Z" } });
  });
  await page.reload();
  await expect.poll(() => steps).toEqual([null, "2m"]);
  await page.unroute(/\/api\/v1\/histogram\?/);
  await page.route(/\/api\/v1\/histogram\?/, (route) => route.fulfill({ json: { total: 0, buckets: [] } }));
  await page.reload();
  await page.getByText("No events in this time.").waitFor();
  expect(await page.locator(".u-over").count()).toBe(0);
});

test("nothing found says what is kept, and offers what to ask instead", async () => {
  const { page } = await visit(href("verb:get resource:secrets ns:no-such-project last:1h"));
  await page.getByRole("heading", { name: "Nothing was found" }).waitFor();
  await page.getByText("get secrets in no-such-project is kept").waitFor();
  await accessible(page);
  await shot(page, "search-empty");
  await page.getByRole("button", { name: "Without ns:no-such-project" }).click();
  await queried(page, (q) => q === "verb:get resource:secrets last:1h");
  await page.goBack();
  await page.getByRole("button", { name: "Search the last 7 days" }).click();
  await queried(page, (q) => q.endsWith("last:7d"));
});

test("what is found is exported, as shown or whole", async () => {
  const q = `is:denied resource:secrets ${HALF_DAY}`;
  const { page } = await visit(href(q));
  await says(page, q);
  const total = (await statistics(q)).events;
  const lines = async (format: RegExp) => {
    await page.getByRole("button", { name: "Export" }).click();
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("menuitem", { name: format }).click()]);
    await page.getByText(`${events(total)} exported`).waitFor();
    await page.getByRole("button", { name: "Dismiss" }).click();
    const path = join(tmpdir(), `${process.pid}-${download.suggestedFilename()}`);
    await download.saveAs(path);
    const content = await readFile(path, "utf8");
    await rm(path);
    return content.trimEnd().split(/\r?\n/);
  };
  const documents = await lines(/NDJSON/);
  expect(documents.length).toBe(total);
  expect(JSON.parse(documents[0] ?? "")).toHaveProperty("AuditID");
  const table = await lines(/CSV/);
  expect(table[0]).toBe("time,actor,verb,resource,subresource,namespace,name,code,ip");
  expect(table.length).toBe(total + 1);
});

test("a search is saved, renamed, replaced, and deleted", async () => {
  const q = `is:denied ${HALF_DAY}`;
  const name = `refusals ${Date.now()}`;
  const { page } = await visit(href(q));
  await rows(page).first().waitFor();
  const open = () => page.getByRole("button", { name: "Saved searches" }).click();
  const kept = async () => ((await ask("searches")) as Schemas["SavedSearches"]).items.filter((it) => it.name.startsWith(name));
  await open();
  await page.getByRole("button", { name: "Save this search…" }).click();
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await expect.poll(async () => (await kept()).map((it) => it.q)).toEqual([q]);
  await open();
  await page.getByRole("button", { name: `Rename ${name}` }).click();
  await page.getByLabel("Name", { exact: true }).fill(`${name} <img onerror=alert(1)>`);
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await expect.poll(async () => (await kept())[0]?.name).toBe(`${name} <img onerror=alert(1)>`);
  await page.getByRole("button", { name: "Remove is:denied" }).click();
  await open();
  await shot(page, "search-saved");
  await accessible(page);
  await page.getByRole("button", { name: new RegExp(`^Replace what ${name}`) }).click();
  await expect.poll(async () => (await kept())[0]?.q).toBe(HALF_DAY);
  await page.getByRole("button", { name: new RegExp(`^Delete ${name}`) }).click();
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await expect.poll(async () => (await kept()).length).toBe(0);
});

/** How many events wait while live ones are paused. */
const waiting = async (page: Page) => /\d+/.exec(await page.getByRole("button", { name: /^Resume: / }).innerText())?.[0] ?? "";

test("live events come on top, wait while paused, and what was missed is told", async () => {
  const event = await first(HALF_DAY);
  const lines = (many: number, from: number) => Array.from({ length: many }, (_, at) => `event: event\ndata: ${JSON.stringify({ ...event, id: String(from + at).padStart(32, "0"), auditID: `live-${from + at}`, name: `live-${from + at}` })}\n\n`).join("");
  const { page } = await visit(href(`is:denied ${HALF_DAY}`));
  await rows(page).first().waitFor();
  await page.getByRole("button", { name: "Live" }).click();
  // The console answers with its first event, or with the first sign of life.
  await page.getByText("Live: new events appear on top.").waitFor({ timeout: 30_000 });
  await page.waitForURL((url) => url.searchParams.get("live") === "1");
  await accessible(page);
  let asked = 0;
  await page.route("**/api/v1/tail?*", (route) => {
    asked += 1;
    // Each of them ends, is said to, and is made anew after a second: what is said of the end is there again with the next. The development
    // server renders twice, and the first answer may be given up.
    const body = `${lines(3, 3 * asked)}event: missed\ndata: {"count":5}\n\nevent: end\ndata: {"reason":"the console stops"}\n\n`;
    return route.fulfill({ contentType: "text/event-stream", body });
  });
  await page.reload();
  const list = page.getByRole("grid", { name: "Live events" });
  await list.getByRole("gridcell", { name: new RegExp(`^${event.resource} ${event.namespace}/live-[36]$`) }).first().waitFor();
  expect(await list.locator("[role=row][aria-rowindex='2']").textContent()).toContain("live-");
  await page.getByText(/^\d*[05] could not be shown in time/).waitFor();
  await page.getByText("The console ended the connection: the console stops. Trying again in").waitFor();
  const gap = page.getByText(/^Nothing was received from /).first();
  await gap.waitFor();
  expect(await gap.getByRole("link", { name: "search for it" }).getAttribute("href")).toMatch(/^\/\?q=is%3Adenied\+since%3A\S+\+until%3A\S+$/);
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByRole("button", { name: /^Resume: \d+ events waiting/ }).waitFor();
  const shown = await list.locator("[role=row]").count();
  await page.getByRole("button", { name: `Resume: ${await waiting(page)} events waiting` }).waitFor({ state: "detached" });
  expect(await list.locator("[role=row]").count()).toBe(shown);
  await shot(page, "tail");
  await accessible(page);
  await page.getByRole("button", { name: /^Resume: / }).click();
  await expect.poll(() => list.locator("[role=row]").count()).toBeGreaterThan(shown);
});

test("what attackers write is shown, and nothing else", async () => {
  const event = await first(HALF_DAY);
  const evil = { ...event, id: "f".repeat(32), actor: `<img src=x onerror="document.title='owned'">\u202Etxt.exe`, verb: "get", name: "n".repeat(10_000), resource: "secrets" };
  const { page } = await visit("/", { token: "" , expected: [/401/] });
  await page.route("**/api/v1/events?*", (route) => route.fulfill({ json: { items: [evil], total: 1 } }));
  await page.getByLabel("Token").fill(process.env.VEDETTE_TOKEN ?? "");
  await page.getByRole("button", { name: "Sign in" }).click();
  await rows(page).first().getByText("⟨U+202E⟩").waitFor();
  expect(await page.title()).not.toContain("owned");
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(1440);
  await shot(page, "search-evil");
});
