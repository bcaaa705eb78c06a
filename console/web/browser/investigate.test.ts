// The pages of a user, an object, an address and a credential: what goes along from one to the next, and what an empty answer says.
import { expect, test } from "vitest";
import { range } from "../src/query/language.ts";
import { accessible, ask, fits, shot, visit } from "./kit.ts";

test("a page is narrowed to where one came from, until that is taken away", async () => {
  const now = Math.floor(Date.now() / 60_000) * 60_000;
  const time = range(now - 7 * 24 * 3_600_000, now);
  const { page } = await visit(`/users/dave?${new URLSearchParams({ ns: "payments", resource: "secrets", name: "db", time })}`);
  const events = async (q: string) => ((await ask(`statistics?${new URLSearchParams({ q })}`)) as { events: number }).events;
  const narrowed = await events(`actor:dave ns:payments resource:secrets name:db ${time}`);
  const all = await events(`actor:dave ${time}`);
  expect(narrowed).toBeLessThan(all);
  await page.getByRole("status").filter({ hasText: `${narrowed} event` }).waitFor();
  await page.getByRole("button", { name: "Do not narrow to secrets payments/db" }).click();
  await page.getByRole("status").filter({ hasText: `${all} events` }).waitFor();
  await page.waitForURL((url) => !url.href.includes("secrets"));
  expect(await page.getByText("Narrowed to").count()).toBe(0);
});

test("the time is chosen or typed, and stands in the address", async () => {
  const { page } = await visit("/users/alice", { expected: [/400/] });
  await page.getByRole("button", { name: "Choose a time" }).click();
  await page.getByRole("menuitemradio", { name: "All that is kept" }).click();
  const { events } = (await ask(`statistics?${new URLSearchParams({ q: "actor:alice" })}`)) as { events: number };
  await page.getByRole("status").filter({ hasText: `${events} events` }).waitFor();
  await page.waitForURL((url) => url.searchParams.get("time") === "all");
  const time = page.getByLabel("Time", { exact: true });
  await time.fill("last:never");
  await time.press("Enter");
  await page.getByRole("alert").getByText("is no duration").waitFor();
  await time.fill("last:7d");
  await time.press("Enter");
  await page.getByRole("tabpanel").getByText("checkout").first().waitFor();
});

test("an empty answer says what is not kept beside what did not happen", async () => {
  const { page } = await visit("/users/nobody-at-all");
  await page.getByText("No record of it is kept that you may see.").waitFor();
  await page.getByText("No matching events in this period").waitFor();
  await page.getByText("get, list, watch by nobody-at-all is not kept").waitFor();
  await accessible(page);
  await shot(page, "user-empty");
  await page.getByRole("button", { name: "Look at all that is kept" }).click();
  await page.getByText("This search begins before that").waitFor();
});

test("reads of secrets and refusals of a user", async () => {
  const account = "system:serviceaccount:ci:deployer";
  const { page } = await visit(`/users/${encodeURIComponent(account)}?tab=secrets`);
  const secret = page.getByRole("row").filter({ hasText: "stripe" }).getByRole("link", { name: "stripe" });
  await secret.waitFor();
  await accessible(page);
  await secret.click();
  await page.getByRole("heading", { name: "secrets payments/stripe" }).waitFor();
  await page.getByRole("button", { name: `Do not narrow to ${account}` }).waitFor();
  await page.getByRole("tabpanel").getByRole("link", { name: account }).waitFor();
  await page.goto(page.url().replace(/\/objects.*/, `/users/${encodeURIComponent(account)}?tab=refused`));
  await page.getByRole("row").filter({ hasText: "clusterrolebindings" }).waitFor();
});

test("the history of an object, either way round", async () => {
  const { page } = await visit("/objects?cluster=default&ns=checkout&resource=deployments&name=checkout&tab=changes&time=all");
  const times = async () => page.locator(".changed .summary time").evaluateAll((all) => all.map((it) => it.getAttribute("datetime") ?? ""));
  await page.locator(".changed").first().waitFor();
  const oldest = await times();
  expect(oldest.length).toBeGreaterThan(3);
  expect(oldest).toEqual([...oldest].sort());
  await page.getByRole("button", { name: "Newest first" }).click();
  await expect.poll(times).toEqual([...oldest].reverse());
  await page.locator(".changed .summary").first().click();
  await page.locator(".difference").first().waitFor();
  await accessible(page);
  await shot(page, "object-changes");
  await page.setViewportSize({ width: 390, height: 844 });
  await fits(page);
  await shot(page, "object-changes-390");
});

test("in Chinese, in the dark, and on a small screen", async () => {
  const account = encodeURIComponent("system:serviceaccount:ci:deployer");
  const { page } = await visit(`/users/${account}?tab=addresses&new=7`, { locale: "zh-CN" });
  await page.getByRole("row").filter({ hasText: "127.0.0.66" }).waitFor();
  await accessible(page);
  await shot(page, "user-zh", "dark");
  await page.setViewportSize({ width: 390, height: 844 });
  await fits(page);
  await shot(page, "user-390");
});

test("names of any kind", async () => {
  const hostile = `<img src=x onerror="window.hacked=1">\u202Egpj.exe %2F/?#&+${"x".repeat(3_000)}`;
  const expected = [/400|414|431|404/];
  for (const path of [`/users/${encodeURIComponent(hostile)}`, `/credentials/${encodeURIComponent(hostile)}`, `/objects?${new URLSearchParams({ ns: hostile, resource: hostile, name: hostile, actor: hostile, time: "last:1h" })}`]) {
    const { page } = await visit(path, { expected });
    await page.getByRole("heading", { level: 1 }).filter({ hasText: "<img src=x" }).filter({ hasText: "U+202E" }).waitFor();
    expect(await page.locator("main img").count()).toBe(0);
    expect(await page.evaluate(() => (globalThis as { hacked?: number }).hacked)).toBeUndefined();
    await fits(page);
    await accessible(page);
  }
});

test("a name is what it was before it was an address", async () => {
  const { page } = await visit(`/users/${encodeURIComponent("a%2Fb/c?d#e%")}?${new URLSearchParams({ actor: "", ns: "100%25", resource: "pods" })}`);
  await page.getByRole("heading", { level: 1, name: "User a%2Fb/c?d#e%" }).waitFor();
  await page.getByRole("button", { name: "Do not narrow to pods 100%25" }).waitFor();
});

test("the keyboard goes all the way", async () => {
  const { page } = await visit("/users/alice?time=last:9d");
  await page.getByRole("gridcell").first().waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.locator(".sentence").waitFor();
  await page.getByRole("link", { name: "Back to the user" }).waitFor();
  await page.keyboard.press("Escape");
  await page.waitForURL("**/users/alice?time=last:9d");
  await page.getByRole("gridcell").first().waitFor();
  await page.getByRole("link", { name: "Skip to the content" }).focus();
  await page.keyboard.press("Tab");
  await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toBe("Skip to the results");
  await page.keyboard.press("Enter");
  await expect.poll(() => page.getByRole("grid").evaluate((it) => it.matches(":focus"))).toBe(true);
  await page.keyboard.press("/");
  await page.waitForURL((url) => url.pathname === "/");
  const box = page.getByRole("combobox", { name: "Search" });
  await expect.poll(() => box.evaluate((it) => it.matches(":focus"))).toBe(true);
  expect(await box.inputValue()).toBe("");
  await accessible(page);
});
