import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { accessible, ask, CONSOLE, fits, type Options, shot, visit } from "./kit.ts";

/** Somebody who may list events in some namespaces. */
async function tenant(path: string, name = "ann", options: Options = {}): Promise<Page> {
  const { page } = await visit("/nowhere", options);
  await page.route("**/api/v1/me", (route) => route.fulfill({ json: { name, everything: false, via: "kubernetes" } }));
  await page.goto(`${CONSOLE}${path}`);
  return page;
}

test("somebody who sees a part is told so plainly, until they put it away", async () => {
  const page = await tenant("/");
  const line = page.getByText("You see what happened in your namespaces and workspaces; counts are of these alone");
  await line.waitFor();
  await shot(page, "tenant");
  // What is not theirs to see does not appear.
  expect(await page.getByRole("link", { name: "Pipeline" }).count()).toBe(0);
  await page.getByRole("note").getByRole("button", { name: "Close" }).click();
  await line.waitFor({ state: "detached" });
  await page.reload();
  const tag = page.getByRole("button", { name: "ann · your namespaces" });
  await tag.waitFor();
  expect(await line.count()).toBe(0);
  expect(await tag.getAttribute("aria-expanded")).toBe("false");
  await tag.click();
  await line.waitFor();
});

test("the pipeline is for administrators, and says so", async () => {
  const page = await tenant("/nowhere");
  let asked = 0;
  page.on("request", (it) => { if (it.url().endsWith("/status")) asked += 1; });
  await page.goto(`${CONSOLE}/pipeline?tab=dead`);
  await page.getByRole("heading", { name: "The pipeline is for administrators" }).waitFor();
  await page.getByRole("note").waitFor();
  await accessible(page);
  await shot(page, "tenant-pipeline");
  expect(asked, "nobody asks for what they may not see").toBe(0);
});

test("who may not see the pipeline any more is told so, and it is not asked again", async () => {
  const { page } = await visit("/nowhere", { expected: [/403/] });
  let asked = 0;
  await page.route("**/api/v1/status", (route) => {
    asked += 1;
    return route.fulfill({ status: 403, json: { code: 403, reason: "Forbidden", message: "only for people who may see every event" } });
  });
  await page.route("**/api/v1/settings", (route) => route.fulfill({ json: { version: "0.1.0" } }));
  await page.goto(`${CONSOLE}/pipeline`);
  await page.getByRole("heading", { name: "The pipeline is for administrators" }).waitFor();
  const before = asked;
  await page.waitForTimeout(6_000);
  expect(asked).toBe(before);
});

test("a long name fits, in a narrow window and in Chinese", async () => {
  const page = await tenant("/pipeline", `system:serviceaccount:${"very-long-".repeat(40)}`, { locale: "zh-CN", viewport: { width: 390, height: 844 } });
  await page.getByText("计数也仅限于此").waitFor();
  await shot(page, "tenant-390");
  await fits(page);
  await accessible(page);
});

test("an administrator is told quietly", async () => {
  const { page } = await visit("/alerts");
  await page.getByText("vedette:administrator · all events").waitFor();
  await page.getByRole("link", { name: "Pipeline" }).waitFor();
  expect(await page.getByRole("note").count()).toBe(0);
});

const TENANT = process.env.VEDETTE_TENANT_TOKEN;

describe.skipIf(!TENANT)(`of a real cluster (${TENANT ? "here" : "skipped: VEDETTE_TENANT_TOKEN is not set"})`, () => {
  test("somebody sees what happened in their namespace, and nothing tells of others", async () => {
    const token = TENANT ?? "";
    const [theirs, all] = await Promise.all([ask("statistics?q=last:12h", token), ask("statistics?q=last:12h")]);
    expect(theirs.events).toBeGreaterThan(0);
    expect(theirs.events).toBeLessThan(Number(all.events));
    const { page } = await visit("/", { token, expected: [/403/, /404/] });
    await page.getByText("bob · your namespaces").waitFor();
    await page.getByText(`${String(theirs.events)} events`, { exact: true }).first().waitFor();
    const cells = page.getByRole("gridcell").filter({ hasText: "configmaps" });
    await cells.first().waitFor();
    for (const cell of await cells.allTextContents()) expect(cell).toContain("shop/of-shop-");
    const seen = async () => expect(await page.locator("body").innerText()).not.toMatch(/vault/);
    await seen();
    await shot(page, "tenant-of-a-cluster");

    await page.goto(`${CONSOLE}/?q=${encodeURIComponent("ns:v* last:12h")}`);
    await page.getByRole("heading", { name: /Nothing/ }).first().waitFor();
    await seen();

    const [hidden] = (await ask("events?q=ns:vault last:12h&limit=1")).items as { id: string }[];
    await page.goto(`${CONSOLE}/events/${hidden?.id ?? ""}`);
    await page.getByRole("heading", { level: 1 }).waitFor();
    await page.getByText(/not kept/i).first().waitFor();
    await seen();

    await page.goto(`${CONSOLE}/pipeline`);
    await page.getByText("The pipeline is for administrators").waitFor();
    await page.goto(`${CONSOLE}/alerts`);
    await page.getByRole("heading", { level: 1 }).waitFor();
    await seen();
  });
});
