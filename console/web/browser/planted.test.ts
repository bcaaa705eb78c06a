// An event of which every text is an attack on whoever looks: it went the whole way, from the webhook to the pages.
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { ask, fits, shot, visit } from "./kit.ts";

const PLANTED = process.env.VEDETTE_PLANTED;

async function harmless(page: Page): Promise<void> {
  expect(await page.title()).not.toContain("owned");
  expect(await page.locator("img:not([src^='/'])").count()).toBe(0);
  expect(await page.evaluate(() => [...document.scripts].filter((it) => !it.src).length)).toBe(0);
  await fits(page);
}

describe.skipIf(!PLANTED)(`what was planted (${PLANTED ? "here" : "skipped: VEDETTE_PLANTED is not set"})`, () => {
  test("is read, and does nothing", async () => {
    const { page } = await visit("/?q=ns:planted last:24h&cols=time,actor,verb,object,code,ip,agent");
    const cell = page.getByRole("gridcell").getByText("<img src=x onerror").first();
    await cell.waitFor();
    expect(await cell.textContent()).toContain("⟨U+202E⟩");
    await harmless(page);
    await shot(page, "planted");
    const [event] = (await ask("events?q=ns:planted last:24h&limit=1")).items as { id: string; user: string }[];
    if (!event) throw new Error("it is not there");
    expect(event.user).toContain(PLANTED);
    for (const path of [`/events/${event.id}`, `/users/${encodeURIComponent(event.user)}`, `/objects?cluster=default&ns=planted&resource=configmaps&name=${encodeURIComponent(PLANTED ?? "")}`, "/alerts?time=all"]) {
      await page.goto(new URL(path, page.url()).href);
      await page.getByRole("heading", { level: 1 }).waitFor();
      // No rule of the sample alerts about such an event: what alerts show of strangers' texts is in alerts.test.ts.
      if (!path.startsWith("/alerts")) await page.getByText("<img src=x onerror").first().waitFor();
      await harmless(page);
    }

    await page.goto(new URL(`/events/${event.id}`, page.url()).href);
    await page.getByRole("button", { name: "Show", exact: true }).click();
    await page.locator("pre.raw").filter({ hasText: "<img src=x onerror" }).waitFor();
    expect(await page.locator("pre.raw").innerText()).not.toMatch(/\u202e|\u0007/);
    await harmless(page);

    await page.goto(new URL(`/users/${encodeURIComponent(event.user)}?tab=changes&order=time`, page.url()).href);
    const change = page.locator(".changed .summary").filter({ hasText: "<img src=x onerror" }).first();
    await change.click();
    await page.locator(".changed .inside").first().waitFor();
    await harmless(page);

    await page.goto(new URL("/", page.url()).href);
    const box = page.getByRole("combobox", { name: "Search" });
    await box.click();
    await box.pressSequentially("ns:planted name:");
    await page.getByRole("option").filter({ hasText: "<img src=x onerror" }).first().waitFor();
    await harmless(page);
  });
});
