import { expect, test } from "vitest";
import { accessible, fits, settled, shot, TOKEN, visit } from "./kit.ts";

test("somebody signs in with a token, and out again", async () => {
  const { page } = await visit("/", { token: "", expected: [/401/] });
  await page.getByLabel("Token").waitFor();
  await accessible(page);
  await shot(page, "sign-in");
  await page.getByLabel("Token").fill("nonsense");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("does not know this token").waitFor();
  await page.getByLabel("Token").fill(TOKEN);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("all events").waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Token").waitFor();
});

test("a link with a token signs in, and the token leaves the address", async () => {
  const { page } = await visit("/?q=user:alice");
  await page.getByText("all events").waitFor();
  expect(page.url()).not.toContain("login");
  expect(page.url()).toContain("q=user:alice");
});

test("a link opened in another tab is signed in, too", async () => {
  const { page } = await visit("/");
  await page.getByText("all events").waitFor();
  const other = await page.context().newPage();
  await other.goto(page.url());
  await other.getByText("all events").waitFor();
});

test("a link opened beside a tab that is busy is signed in when that has time to answer", async () => {
  const { page } = await visit("/");
  await page.getByText("all events").waitFor();
  await page.evaluate(() => {
    const post = BroadcastChannel.prototype.postMessage;
    const free = new Promise<void>((resolve) => Object.assign(globalThis, { answer: resolve }));
    BroadcastChannel.prototype.postMessage = function (message: unknown) {
      void free.then(() => post.call(this, message));
    };
  });
  const other = await page.context().newPage();
  await other.goto(page.url());
  await other.getByLabel("Token").waitFor();
  await page.evaluate(() => (globalThis as unknown as { answer: () => void }).answer());
  await other.getByText("all events").waitFor();
});

test("the language and the colours are the viewer's", async () => {
  const { page } = await visit("/", { locale: "zh-CN" });
  await page.getByRole("link", { name: "告警" }).waitFor();
  await page.getByRole("button", { name: /^语言/ }).click();
  await page.getByRole("menuitemradio", { name: "English" }).click();
  await page.getByRole("link", { name: "Alerts" }).waitFor();
  await page.getByRole("button", { name: "Colours" }).click();
  await page.getByRole("menuitemradio", { name: "Dark" }).click();
  await page.locator("html[data-theme=dark]").waitFor();
});

test("a token that is not known any more signs out, and the address stays", async () => {
  const { page } = await visit("/nowhere?a=b", { expected: [/401/] });
  await page.getByText("all events").waitFor();
  await page.route("**/api/v1/me", (route) => route.fulfill({ status: 401, json: { code: 401, reason: "Unauthorized", message: "unknown token" } }));
  await page.reload();
  await page.getByText("Sign in again, and you are back where you were.").waitFor();
  await accessible(page);
  await page.unroute("**/api/v1/me");
  await page.getByLabel("Token").fill(TOKEN);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("all events").waitFor();
  expect(page.url()).toContain("/nowhere?a=b");
});

test("a link with a token that is no good leaves the session as it is", async () => {
  const { page } = await visit("/", { expected: [/401/] });
  await page.getByText("all events").waitFor();
  await page.goto(new URL("/alerts#login=nonsense", page.url()).href);
  await page.getByRole("alert").getByText("You are still signed in as vedette:administrator").waitFor();
  expect(page.url()).not.toContain("login");
  await accessible(page);
  await shot(page, "link-refused");
  await page.getByRole("alert").getByRole("button", { name: "Close" }).click();
  await page.getByRole("heading", { level: 1, name: "Alerts" }).waitFor();
  await page.getByText("all events").waitFor();
});

test("a link with another's token asks first, and what is kept on the device stays", async () => {
  const { page } = await visit("/nowhere", { token: "" });
  await page.context().route("**/api/v1/me", (route) => {
    if (route.request().headers().authorization !== "Bearer eve's") return route.continue();
    return route.fulfill({ json: { name: "eve", everything: false, via: "kubernetes" } });
  });
  await page.evaluate((token) => localStorage.setItem("vedette.token", token), TOKEN);
  const link = new URL("/nowhere?a=b#login=eve's", page.url()).href;
  await page.goto(link);
  const dialog = page.getByRole("dialog", { name: "Continue as eve?" });
  await dialog.getByText("You are signed in as vedette:administrator").waitFor();
  await accessible(page);
  await shot(page, "link-asked");
  await dialog.getByRole("button", { name: "Stay as I am" }).click();
  await page.getByText("vedette:administrator · all events").waitFor();
  await page.goto(new URL("/nowhere", page.url()).href);
  await page.goto(link);
  await dialog.getByRole("button", { name: "Continue as eve" }).click();
  await page.getByRole("button", { name: "eve · your namespaces" }).waitFor();
  expect(await page.evaluate(() => localStorage.getItem("vedette.token"))).toBe(TOKEN);
  await page.reload();
  await page.getByRole("button", { name: "eve · your namespaces" }).waitFor();
});

test("in a narrow window the bar is one row, and the rest of it a menu", async () => {
  const { page } = await visit("/alerts", { viewport: { width: 390, height: 844 } });
  const menu = page.getByRole("button", { name: "Account and settings" });
  await menu.waitFor();
  await page.getByRole("heading", { level: 1 }).waitFor();
  await settled(page.getByRole("banner"));
  const box = await page.getByRole("banner").boundingBox();
  expect(box?.height).toBeLessThan(60);
  await fits(page);
  await accessible(page);
  await menu.click();
  await page.getByText("vedette:administrator · all events").waitFor();
  await shot(page, "bar-390");
  await page.getByRole("menuitemradio", { name: "中文" }).click();
  await page.getByRole("link", { name: "告警" }).waitFor();
  await shot(page, "bar-390-zh");
  await page.getByRole("button", { name: "账号与设置" }).click();
  await page.getByRole("menuitem", { name: "退出登录" }).click();
  await page.getByLabel("令牌").waitFor();
});
