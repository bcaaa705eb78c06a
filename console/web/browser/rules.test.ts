import { expect, test } from "vitest";
import type { Page } from "playwright-core";
import { accessible, answerTo, ask, fits, type Options, type Person, settled, shot, TOKEN, visit } from "./kit.ts";
import { type Answers, answerRules, type Asked, ERROR, rule, RULES } from "./rules.fixtures.ts";

const EDIT = "/rules/kubesphere-logging-system/alerting-rule?edit=1";

/** Opens a page whose rules are these. */
async function open(path: string, answers: Answers = {}, options: Options = {}): Promise<Person & { asked: Asked }> {
  const person = await visit("/pipeline", options);
  const asked = await answerRules(person.page, answers);
  await person.page.goto(new URL(path, person.page.url()).href);
  return Object.assign(person, { asked });
}

const editor = (page: Page) => page.getByRole("textbox", { name: "Rule source" });

/** Puts another text in another's place, as one does by hand, and waits until the page knows of it: by then the text is kept as a draft. */
async function write(page: Page, find: string, put: string): Promise<void> {
  const box = editor(page);
  await box.click();
  const text = await box.evaluate((it) => (it as HTMLElement).innerText);
  expect(text).toContain(find);
  await page.keyboard.press("Control+f");
  await page.getByRole("textbox", { name: "Find" }).pressSequentially(find);
  await page.keyboard.press("Enter");
  await page.keyboard.press("Escape");
  await page.keyboard.insertText(put);
  const bare = (it: string) => it.replaceAll(/\s/g, "");
  await expect.poll(async () => (await drafts(page)).map(bare).includes(bare(await box.innerText()))).toBe(true);
}

/** The texts that are kept because they are not applied. */
const drafts = (page: Page) => page.evaluate(() =>
  Object.entries(sessionStorage).filter(([key]) => key.startsWith("vedette.draft")).map(([, kept]) => (JSON.parse(kept) as { source: string }).source));

test("every rule is listed with its state, and found by text and state", async () => {
  const { page } = await open("/rules");
  await page.getByRole("heading", { name: "Rules", exact: true }).waitFor();
  for (const state of ["in force", "last good version in force", "refused", "not selected", "pending"]) {
    expect(await page.locator(".card .tag").getByText(state, { exact: true }).count(), state).toBeGreaterThan(0);
  }
  await page.getByText("needs more memory").waitFor();
  await accessible(page);
  await shot(page, "rules");
  await shot(page, "rules-dark", "dark");
  await page.getByRole("combobox", { name: "State" }).selectOption("refused");
  await page.getByText("1 of 6 resources").waitFor();
  await page.waitForURL(/state=refused/);
  await page.getByText("⟨U+202E⟩").waitFor();
  expect(await page.locator(".rules img").count()).toBe(0);
  await page.getByRole("searchbox", { name: "Text" }).fill("nonsense");
  await page.getByText("No rule matches").waitFor();
  await accessible(page);
  await page.getByRole("button", { name: "Clear filters" }).click();
  await page.getByText("6 resources").waitFor();
});

test("where rules are not managed, it says which setting is missing", async () => {
  const message = "rules are not managed here: the console's setting `management` names no operator";
  const unmanaged = await open("/rules", { managed: false, list: { status: 404, body: { code: 404, reason: "Not Found", message } } }, { expected: [/404/] });
  await unmanaged.page.getByText(message).waitFor();
  await accessible(unmanaged.page);
  await shot(unmanaged.page, "rules-unmanaged");
  await unmanaged.page.goto(new URL("/rules/new", unmanaged.page.url()).href);
  await unmanaged.page.getByText("Rules are not managed here").waitFor();
});

test("rules that are not for the viewer, or not there, are said to be so", async () => {
  const forbidden = await open("/rules", { list: { status: 403, body: { code: 403, reason: "Forbidden", message: "rules.auditing.kubesphere.io is forbidden: alice cannot list" } } }, { expected: [/403/] });
  await forbidden.page.getByText("alice cannot list").waitFor();
  await accessible(forbidden.page);
  const empty = await open("/rules", { rules: { items: [], evaluators: [], generation: 0 } });
  await empty.page.getByText("There are no rules").waitFor();
  await accessible(empty.page);
  const missing = await open("/rules/a/b", {}, { expected: [/404/] });
  await missing.page.getByText("There is no rule b").waitFor();
});

test("a rule is shown with its entries, its hits and its text", async () => {
  const { page } = await open("/rules/kubesphere-logging-system/alerting-rule");
  await page.getByRole("heading", { name: "AttachOrExecPod" }).waitFor();
  await accessible(page);
  await shot(page, "rule");
  const answer = answerTo(page, "histogram", { q: 'rule:"alerting-rule.AttachOrExecPod" last:7d' });
  await page.getByRole("button", { name: "Hits over time alerting-rule.AttachOrExecPod" }).click();
  const hits = await answer;
  await page.getByText(`${new Intl.NumberFormat("en-GB").format(Number(hits.total))} events in the last 7 days`).waitFor();
  const link = page.getByRole("link", { name: "Search them alerting-rule.AttachOrExecPod" });
  expect(new URL((await link.getAttribute("href")) ?? "", page.url()).searchParams.get("q")).toBe('rule:"alerting-rule.AttachOrExecPod" last:7d');
  await accessible(page);
  await page.getByRole("tab", { name: "Source" }).click();
  await page.waitForURL(/tab=source/);
  await page.getByText("kind: Rule").waitFor();
  await accessible(page);
});

test("what the compiler says is underlined and listed, and each finding leads to its place", async () => {
  const check = (source: string) => (source.includes("podd") ? { accepted: false, diagnostics: [ERROR] } : { accepted: true, diagnostics: [] });
  const { page } = await open(EDIT, { check });
  await editor(page).waitFor();
  await page.getByText("The compiler has nothing to say").waitFor();
  await accessible(page);
  await write(page, "${pod}", "${podd}");
  await page.getByText("It would be refused.").waitFor();
  const underlined = page.locator(".cm-lintRange-error");
  await expect.poll(() => underlined.allInnerTexts()).toEqual(["${podd}"]);
  await settled(underlined);
  await underlined.hover();
  await page.locator(".cm-tooltip-lint").getByText("is defined in this resource").waitFor();
  await accessible(page);
  await shot(page, "rule-edit");
  await shot(page, "rule-edit-dark", "dark");
  await page.getByRole("button", { name: "Go to line 22, column 16" }).click();
  await expect.poll(() => editor(page).evaluate((it) => it.matches(":focus"))).toBe(true);
  await page.keyboard.insertText("!");
  await expect.poll(() => editor(page).innerText()).toContain("condition: !${podd}");
});

test("Esc, then Tab leaves the editor; Tab alone indents", async () => {
  const { page } = await open(EDIT);
  await editor(page).click();
  await page.keyboard.press("Control+Home");
  await page.keyboard.press("Tab");
  await expect.poll(() => editor(page).innerText()).toMatch(/^ {2}apiVersion/);
  await page.keyboard.press("Escape");
  await page.keyboard.press("Tab");
  await expect.poll(() => editor(page).evaluate((it) => it.matches(":focus"))).toBe(false);
});

test("a rule is applied after its changes were confirmed", async () => {
  const put = (body: { source: string }) => ({
    status: 200,
    body: rule("alerting-rule", { source: body.source, etag: "e2", state: "pending", entries: rule("x").entries.map((it) => (it.name === "AttachOrExecPod" ? { ...it, priority: "INFO" } : it)) }),
  });
  const { page, asked } = await open(EDIT, { put });
  await editor(page).waitFor();
  expect(await page.getByRole("button", { name: "Apply…" }).isDisabled()).toBe(true);
  await write(page, "WARNING", "INFO");
  await page.getByText("Unsaved changes").waitFor();
  await page.getByRole("button", { name: "Apply…" }).click();
  const dialog = page.getByRole("dialog", { name: "Apply alerting-rule?" });
  await dialog.getByText("Changed: AttachOrExecPod").waitFor();
  await dialog.getByText("The text, line by line").click();
  await accessible(page);
  await shot(page, "rule-apply");
  expect(asked.puts.map((it) => [it.validateOnly, it.etag])).toEqual([[true, "e1"]]);
  await dialog.getByRole("button", { name: "Apply", exact: true }).click();
  await page.getByText("Applied.").waitFor();
  expect(asked.puts.map((it) => [it.validateOnly, it.etag])).toEqual([[true, "e1"], [false, "e1"]]);
  expect(asked.puts[1]?.source).toContain("priority: INFO");
  await page.waitForURL((url) => !url.searchParams.has("edit"));
});

test("whoever may not change rules, or comes second, is told so and keeps the text", async () => {
  const message = 'rules.auditing.kubesphere.io "alerting-rule" is forbidden: User "alice" cannot update resource "rules"';
  const refused = await open(EDIT, { put: () => ({ status: 403, body: { code: 403, reason: "Forbidden", message } }) }, { expected: [/403/] });
  await write(refused.page, "WARNING", "INFO");
  await refused.page.getByRole("button", { name: "Apply…" }).click();
  await refused.page.getByRole("alert").getByText(message).waitFor();
  await accessible(refused.page);
  await refused.page.close({ runBeforeUnload: false });

  const theirs = rule("alerting-rule", { etag: "e9", source: rule("x").source.replace("desc: pod", "desc: theirs") });
  const rules = { ...RULES, items: [...RULES.items] };
  const put = (body: { etag?: string; source: string }) => {
    if (body.etag === "e9") return { status: 200, body: { ...theirs, source: body.source, etag: "e10" } };
    rules.items[0] = theirs;
    return { status: 409, body: { code: 409, reason: "Conflict", message: "the rule was changed" } };
  };
  const second = await open(EDIT, { put, rules }, { expected: [/409/] });
  await write(second.page, "WARNING", "INFO");
  await second.page.getByRole("button", { name: "Apply…" }).click();
  await second.page.getByText("Somebody changed this rule").waitFor();
  await second.page.getByText("desc: theirs").waitFor();
  await accessible(second.page);
  await shot(second.page, "rule-conflict");
  await second.page.getByRole("button", { name: "Keep my text" }).click();
  await second.page.getByRole("button", { name: "Apply…" }).click();
  await second.page.getByRole("dialog").getByRole("button", { name: "Apply", exact: true }).click();
  await second.page.getByText("Applied.").waitFor();
  expect(second.asked.puts.map((it) => it.etag)).toEqual(["e1", "e9", "e9"]);
});

test("a rule that has errors is refused with what the compiler says", async () => {
  const put = () => ({ status: 400, body: { code: 400, reason: "Bad Request", message: "the rule has errors", diagnostics: [ERROR] } });
  const { page } = await open(EDIT, { put }, { expected: [/400/] });
  await write(page, "WARNING", "INFO");
  await page.getByRole("button", { name: "Apply…" }).click();
  await page.getByRole("alert").getByText("there is no macro, list or alias").waitFor();
  await accessible(page);
});

test("nobody leaves with unsaved changes unasked", async () => {
  const { page } = await open(EDIT);
  await write(page, "WARNING", "INFO");
  await page.getByRole("link", { name: "Alerts" }).click();
  const dialog = page.getByRole("dialog", { name: "Leave without applying?" });
  await dialog.waitFor();
  await accessible(page);
  await dialog.getByRole("button", { name: "Keep editing" }).click();
  expect(page.url()).toContain("edit=1");
  expect(await editor(page).innerText()).toContain("priority: INFO");
  await page.getByRole("link", { name: "Pipeline" }).click();
  await dialog.getByRole("button", { name: "Leave" }).click();
  await page.waitForURL("**/pipeline");
});

test("a token that ends does not take what was written along", async () => {
  const { page } = await open(EDIT, {}, { expected: [/401/] });
  // At the last letters, and not before they are written.
  let over = false;
  await page.route("**/api/v1/rules/check", (route) => {
    over ||= (route.request().postData() ?? "").includes("INFORMATION");
    return over ? route.fulfill({ status: 401, json: { code: 401, reason: "Unauthorized", message: "unknown token" } }) : route.fallback();
  });
  await write(page, "WARNING", "INFO");
  await page.keyboard.insertText("RMATION");
  await page.getByText("Sign in again").waitFor();
  await page.unroute("**/api/v1/rules/check");
  await answerRules(page);
  await page.getByLabel("Token").fill(TOKEN);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("Your earlier changes were kept").waitFor();
  await expect.poll(() => editor(page).innerText()).toContain("priority: INFORMATION");
  await page.getByText("Unsaved changes").waitFor();
  await accessible(page);
  await shot(page, "rule-draft");
  await page.getByRole("button", { name: "Discard changes" }).click();
  await page.getByText("No changes").waitFor();
  await expect.poll(() => editor(page).innerText()).toContain("priority: WARNING");
  await expect.poll(() => drafts(page)).toEqual([]);
});

test("a draft of a version that somebody replaced is told so when it is applied", async () => {
  const rules = { ...RULES, items: [...RULES.items] };
  const { page } = await open(EDIT, { rules, put: () => ({ status: 409, body: { code: 409, reason: "Conflict", message: "the rule was changed" } }) }, { expected: [/409/] });
  await write(page, "WARNING", "INFO");
  await page.getByText("Unsaved changes").waitFor();
  rules.items[0] = rule("alerting-rule", { etag: "e9", source: rule("x").source.replace("desc: pod", "desc: theirs") });
  page.on("dialog", (it) => void it.accept());
  await page.reload();
  await page.getByText("Your earlier changes were kept").waitFor();
  await page.getByRole("button", { name: "Apply…" }).click();
  await page.getByText("Somebody changed this rule").waitFor();
  await page.getByText("desc: theirs").waitFor();
});

test("events that were too large to be tried are told", async () => {
  const { items } = (await ask(`events?${new URLSearchParams({ q: "verb:create last:7d", limit: "3" })}`)) as { items: never[] };
  const tried = items.map((event) => ({ event, archived: true, rules: [], blind: [], alerts: [] }));
  let trial = { accepted: true, diagnostics: [], events: tried.length, leftOut: 17, items: tried };
  const { page } = await open(EDIT, { trial });
  await page.route("**/api/v1/rules/try", (route) => route.fulfill({ json: trial }));
  const tryIt = page.getByRole("button", { name: /^(Try|试运行)$/ });
  const told = (events: string) => page.locator(".trial").getByRole("status").getByText(`Not tried: ${events}, since all together are too large.`);
  await editor(page).waitFor();
  await tryIt.click();
  await told("17 more events").waitFor();
  await page.getByText("0 of 3 events would alert").waitFor();
  await accessible(page);
  await page.locator(".trial").evaluate((it) => it.scrollIntoView());
  await shot(page, "rule-try-left-out");
  // Where not even the newest fits, it is not said that there is none.
  trial = { ...trial, events: 0, leftOut: 1, items: [] };
  await tryIt.click();
  await told("1 more event").waitFor();
  expect(await page.getByText("No event that you may see").count()).toBe(0);
  trial = { ...trial, events: 3, leftOut: 0, items: tried };
  await tryIt.click();
  await page.getByText("0 of 3 events would alert").waitFor();
  expect(await page.getByText("Not tried").count()).toBe(0);
  trial = { ...trial, leftOut: 17 };
  await page.getByRole("button", { name: /^Language/ }).click();
  await page.getByRole("menuitemradio", { name: "中文" }).click();
  await tryIt.click();
  await page.getByText("另有 17 个事件未参与试运行").waitFor();
  await page.locator(".trial").evaluate((it) => it.scrollIntoView());
  await shot(page, "rule-try-left-out-zh", "dark");
});

test("rules are tried on recent events", async () => {
  const { items } = (await ask(`events?${new URLSearchParams({ q: "rule:alerting-rule.AttachOrExecPod last:7d", limit: "6" })}`)) as { items: never[] };
  const trial = {
    accepted: true, diagnostics: [], events: items.length, leftOut: 0,
    items: items.map((event, at) => ({
      event, archived: at % 2 === 0, rules: at < 2 ? ["alerting-rule.AttachOrExecPod"] : [], blind: at === 3 ? ["alerting-rule.CreateHostnetworkPod"] : [],
      alerts: at < 2 ? [{ rule: "alerting-rule.AttachOrExecPod", message: "admin exec Pod worker-h4sd3." }] : [],
      explanation: "AttachOrExecPod: holds\n  ${pod}: true\n    ObjectRef.Resource = pods",
    })),
  };
  const { page } = await open(EDIT, { trial });
  await editor(page).waitFor();
  await page.getByLabel("Events to try").fill("sub:exec last:7d");
  await page.getByRole("combobox", { name: "Explain" }).selectOption("AttachOrExecPod");
  await page.getByRole("button", { name: "Try", exact: true }).click();
  await page.getByText("2 of 6 events would alert").waitFor();
  await page.waitForURL((url) => url.searchParams.get("tryq") === "sub:exec last:7d");
  await page.getByText("Why AttachOrExecPod").first().click();
  await page.getByText("ObjectRef.Resource = pods").first().waitFor();
  await accessible(page);
  await page.locator(".trial").evaluate((it) => it.scrollIntoView());
  await shot(page, "rule-try");
  await page.getByRole("button", { name: "Undecided · 1" }).click();
  await page.getByText("not decided for want of a body").waitFor();
  await expect.poll(() => page.locator(".tried li").count()).toBe(1);
  await write(page, "WARNING", "INFO");
  await page.getByText("The text was changed since").waitFor();
  await accessible(page);
});

test("a new rule starts from a template, and does not take another's name", async () => {
  const { page, asked } = await open("/rules");
  await page.getByRole("link", { name: "New rule" }).click();
  await editor(page).waitFor();
  await accessible(page);
  await write(page, "my-rule", "alerting-rule");
  await page.getByRole("button", { name: "Apply…" }).click();
  await page.getByText("There is a rule of this name already.").waitFor();
  expect(asked.puts).toEqual([]);
  await write(page, "alerting-rule", "fresh-rule");
  await page.getByRole("button", { name: "Apply…" }).click();
  const dialog = page.getByRole("dialog", { name: "Apply fresh-rule?" });
  await dialog.getByText("A new resource").waitFor();
  await dialog.getByRole("button", { name: "Apply", exact: true }).click();
  await page.getByText("Applied.").waitFor();
  expect(asked.puts.map((it) => [it.path, it.etag])).toEqual(Array(2).fill(["namespaces/kubesphere-logging-system/rules/fresh-rule", undefined]));
});

test("a rule is deleted by its name", async () => {
  const { page, asked } = await open("/rules/kubesphere-logging-system/alerting-rule");
  await page.getByRole("button", { name: "Delete…" }).click();
  const dialog = page.getByRole("dialog", { name: "Delete alerting-rule?" });
  expect(await dialog.getByRole("button", { name: "Delete" }).isDisabled()).toBe(true);
  await accessible(page);
  await dialog.getByLabel("Type alerting-rule to confirm").fill("alerting-rule");
  await dialog.getByRole("button", { name: "Delete" }).click();
  await page.waitForURL("**/rules");
  expect(asked.removed).toEqual(["namespaces/kubesphere-logging-system/rules/alerting-rule?etag=e1"]);
});

test("rules fit a narrow window, in Chinese, too", async () => {
  for (const [path, name] of [["/rules", "规则"], ["/rules/kubesphere-logging-system/alerting-rule", "alerting-rule"], [EDIT, "编辑 alerting-rule"]] as const) {
    const { page } = await open(path, {}, { viewport: { width: 390, height: 844 }, locale: "zh-CN" });
    await page.getByRole("heading", { name, exact: true, level: 1 }).waitFor();
    if (path === EDIT) await page.locator(".source-editor .cm-line").first().waitFor();
    await fits(page);
    await shot(page, path === EDIT ? "rule-edit-narrow" : path === "/rules" ? "rules-narrow" : "rule-narrow");
  }
});

test("a rule is written, tried, applied and deleted where rules are managed", async (context) => {
  const managed = await ask("rules").then(() => true, () => false);
  if (!managed) return context.skip();
  const { page } = await visit("/rules/new");
  await editor(page).waitFor();
  await page.getByText("It would come into force.").waitFor();
  await write(page, "my-rule", "browser-trial");
  await write(page, "${change} and", "${chnge} and");
  await page.getByText("It would be refused.").waitFor();
  await expect.poll(() => page.locator(".cm-lintRange-error").allInnerTexts()).toEqual(["${chnge}"]);
  await page.getByRole("button", { name: /^Go to line \d+, column/ }).waitFor();
  await shot(page, "rule-edit");
  await write(page, "${chnge}", "${change}");
  await page.getByText("It would come into force.").waitFor();
  await page.getByLabel("Events to try").fill("resource:secrets last:7d");
  await page.getByRole("combobox", { name: "Explain" }).selectOption("SecretChanged");
  await page.getByRole("button", { name: "Try", exact: true }).click();
  await page.getByText(/events would alert/).waitFor();
  await page.getByText("Why SecretChanged").first().click();
  await page.locator(".tried pre").first().waitFor();
  await accessible(page);
  await page.locator(".trial").evaluate((it) => it.scrollIntoView());
  await shot(page, "rule-try");
  await page.getByRole("button", { name: "Apply…" }).click();
  await page.getByRole("dialog", { name: "Apply browser-trial?" }).getByRole("button", { name: "Apply", exact: true }).click();
  await page.getByText("Applied.").waitFor();
  await page.getByRole("heading", { name: "SecretChanged" }).waitFor();
  await page.getByRole("button", { name: "Delete…" }).click();
  await page.getByLabel("Type browser-trial to confirm").fill("browser-trial");
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await page.getByRole("link", { name: "alerting-rule" }).waitFor();
  await page.getByRole("link", { name: "browser-trial" }).waitFor({ state: "detached" });
});

// A console sends a content security policy with its pages, under which any violation of it is an error that the kit sees; a development
// server sends none, and there this alone tells.
test("the editor needs no style element", async () => {
  const { page } = await open(EDIT, { check: () => ({ accepted: false, diagnostics: [ERROR] }) });
  await page.locator(".cm-lintRange-error").waitFor();
  const styles = await page.locator(".source-editor").evaluate((it) => ({
    elements: it.shadowRoot?.querySelectorAll("style").length,
    sheets: it.shadowRoot?.adoptedStyleSheets.length,
    font: getComputedStyle(it.shadowRoot?.querySelector(".cm-content") as Element).fontFamily,
  }));
  expect(styles).toMatchObject({ elements: 0, sheets: 1 });
  expect(styles.font).toContain("monospace");
});
