// A part of the pages that is not there any more, as after an update of the console.
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { answerRules } from "./rules.fixtures.ts";
import { accessible, shot, visit } from "./kit.ts";

const MISSING = [/Failed to load resource/, /ERR_FAILED/, /dynamically imported module/, /An error occurred in/, /preload/i];

/** Whether the page is another document than it was when it was marked. */
const mark = (page: Page) => page.evaluate(() => { (globalThis as { marked?: boolean }).marked = true; });
const anew = (page: Page) => page.evaluate(() => (globalThis as { marked?: boolean }).marked !== true);

/** The script of a page, in a console that is built, or in one that is developed. */
const script = (name: string) => new RegExp(`/src/${name}/page\\.tsx|/assets/page-[^/]*\\.js|/assets/${name}[^/]*\\.js`);

test("a page that is not there any more is loaded anew, once", async () => {
  const { page } = await visit("/alerts", { expected: MISSING });
  await page.getByRole("heading", { level: 1, name: "Alerts" }).waitFor();
  let documents = 0;
  page.on("request", (it) => { if (it.isNavigationRequest()) documents += 1; });
  // Gone for as long as the old document asks: a preload and the import may each ask for it.
  await page.route(script("pipeline"), (route) => (documents === 0 ? route.abort() : route.continue()));
  await mark(page);
  await page.getByRole("link", { name: "Pipeline" }).click();
  await page.getByRole("heading", { level: 1, name: "Pipeline" }).waitFor();
  expect(await anew(page)).toBe(true);
  expect(documents).toBe(1);
  expect(page.url()).toContain("/pipeline");
});

test("where that is no use, it says what to do", async () => {
  const { page } = await visit("/alerts", { expected: MISSING });
  await page.getByRole("heading", { level: 1, name: "Alerts" }).waitFor();
  await page.route(script("pipeline"), (route) => route.abort());
  await page.getByRole("link", { name: "Pipeline" }).click();
  await page.getByRole("alert").getByText("The console was updated: load it anew").waitFor();
  await accessible(page);
  await shot(page, "updated");
  await page.unroute(script("pipeline"));
  await page.getByRole("button", { name: "Load it anew" }).click();
  await page.getByRole("heading", { level: 1, name: "Pipeline" }).waitFor();
});

test("nothing is loaded anew by itself while something is unsaved", async () => {
  const { page } = await visit("/nowhere", { expected: MISSING });
  await answerRules(page);
  await page.goto(new URL("/rules/kubesphere-logging-system/alerting-rule?edit=1", page.url()).href);
  const box = page.getByRole("textbox", { name: "Rule source" });
  await box.click();
  await page.keyboard.insertText("# mine");
  await page.getByText("Unsaved changes").waitFor();
  await mark(page);
  await page.evaluate(() => dispatchEvent(new Event("vite:preloadError", { cancelable: true })));
  await page.keyboard.insertText(" and more");
  await expect.poll(() => box.innerText()).toContain("# mine and more");
  expect(await anew(page)).toBe(false);
});
