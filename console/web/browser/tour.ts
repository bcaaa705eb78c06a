// The two-minute tour of docs/console.md, walked on a console with the sample, with a picture of each stop.
//
// VEDETTE_SCREENSHOTS says where they go.
import { test } from "vitest";
import type { Histogram } from "../src/api/client.ts";
import { range } from "../src/query/language.ts";
import { ask, type Options, settled, shot, visit } from "./kit.ts";

const SIZE: Options = { viewport: { width: 1280, height: 800 }, timezoneId: "UTC" };

interface Found {
  id: string;
  time: string;
}

async function one(q: string): Promise<Found> {
  const [event] = (await ask(`events?${new URLSearchParams({ q, limit: "1" })}`)).items as Found[];
  if (!event) throw new Error(`the sample has no ${q}`);
  return event;
}

test("the trend and what is behind it", async () => {
  const { page } = await visit("/", SIZE);
  const chart = page.getByRole("group", { name: "Events over time" });
  await page.locator(".histogram-legend li").first().waitFor();
  await page.getByRole("gridcell").first().waitFor();
  await settled(chart.locator(".u-over"));
  await shot(page, "search");
  await shot(page, "search-dark", "dark");
});

test("a burst of refusals", async () => {
  const { buckets } = (await ask(`histogram?${new URLSearchParams({ q: "code:403 last:12h", interval: "10m" })}`)) as unknown as Histogram;
  const spike = Date.parse(buckets.reduce((most, it) => (it.count > most.count ? it : most)).time);
  const { page } = await visit(`/?${new URLSearchParams({ q: `code:403 actor:mallory ${range(spike, spike + 600_000)}`, by: "verb" })}`, SIZE);
  await page.getByRole("button", { name: "Did any succeed?" }).click();
  await page.waitForURL(/code%3A%3C400/);
  await page.getByRole("gridcell").first().waitFor();
  await settled(page.locator(".u-over"));
  await shot(page, "burst");
});

test("one event", async () => {
  const event = await one("actor:dave sub:exec ns:payments rule:alerting-rule.* stage:ResponseComplete last:30d");
  const { page } = await visit(`/events/${event.id}`, SIZE);
  await page.locator(".sentence").waitFor();
  await page.getByText("This user, ± 15 min").waitFor();
  await shot(page, "event");
});

test("what a change changed", async () => {
  const day = (await one("actor:alice verb:delete resource:cm name:feature-flags last:30d")).time.slice(0, 10);
  const { page } = await visit(`/users/alice?${new URLSearchParams({ tab: "changes", time: `${day}T12:05..${day}T14:05` })}`, SIZE);
  const service = page.getByRole("region", { name: "services checkout/checkout" });
  await service.getByRole("button").last().click();
  await service.getByRole("row").filter({ hasText: "targetPort" }).waitFor();
  await service.scrollIntoViewIfNeeded();
  await shot(page, "change");
});

test("an account at a new address", async () => {
  const { page } = await visit(`/users/${encodeURIComponent("system:serviceaccount:ci:deployer")}?tab=addresses`, SIZE);
  await page.getByRole("button", { name: "New since 7 d" }).click();
  await page.getByText("New: not there from").waitFor();
  await shot(page, "account");
});

test("a rule that is being written", async () => {
  const { page } = await visit("/rules/kubesphere-logging-system/alerting-rule?edit=1", SIZE);
  const editor = page.getByRole("textbox", { name: "Rule source" });
  await editor.waitFor();
  await page.getByText("The compiler has nothing to say").waitFor();
  await editor.click();
  await page.keyboard.press("Control+f");
  await page.getByRole("textbox", { name: "Find" }).pressSequentially("condition: ${");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Escape");
  await page.keyboard.press("End");
  await page.keyboard.insertText(" and ${podd}");
  await page.getByText("It would be refused.").waitFor();
  await page.locator(".cm-lintRange-error").first().hover();
  await page.locator(".cm-tooltip-lint").waitFor();
  await shot(page, "rule");
});

test("the pipeline", async () => {
  const { page } = await visit("/pipeline", SIZE);
  await page.getByText("The books balance").waitFor();
  await shot(page, "pipeline");
});
