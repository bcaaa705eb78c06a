// Four of the five incidents of `docs/tour.md`: each is answered in so few steps, and the answer is what the API says.
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { accessible, answerTo, ask, type Person, shot, visit } from "./kit.ts";

interface Row {
  values: string[];
  count: number;
  new?: boolean;
  newValues?: boolean[];
}

interface Found {
  id: string;
  time: string;
  auditID: string;
  command?: string;
  durationMicros?: number;
}

const groups = async (page: Page, params: Record<string, string>) => ((await answerTo(page, "groups", params)) as unknown as { rows: Row[] }).rows;
const events = async (params: Record<string, string>) => ((await ask(`events?${new URLSearchParams({ limit: "1000", ...params })}`)) as unknown as { items: Found[] }).items;

/** The rows of the table that is shown: the values of the groups, and how many events each has. */
async function shown({ page }: Person, values: number): Promise<Row[]> {
  const rows = page.getByRole("tabpanel").locator("tbody tr");
  await rows.first().waitFor();
  const cells = await rows.evaluateAll((all) => all.map((row) => [...row.querySelectorAll("td")].map((cell) => (cell as HTMLElement).innerText)));
  return cells.map((row) => ({ values: row.slice(0, values), count: Number(row[values]?.replaceAll(/\D/g, "")) }));
}

const sorted = (rows: Row[]) => rows.map(({ values, count }) => `${values.map((it) => it || "none").join(" | ")} ${count}`).sort();

test("who read this secret last week?", async () => {
  const person = await visit("/objects?ns=payments&resource=secrets&name=db");
  const { page } = person;
  await page.getByRole("heading", { name: "secrets payments/db" }).waitFor();
  const readers = groups(page, { q: "reads:payments/secrets/db last:7d", by: "actor,ip" });
  await person.click(page.getByRole("tab", { name: "Reads" }));
  const expected = await readers;
  expect(sorted(await shown(person, 2))).toEqual(sorted(expected));
  // Those who listed all of the namespace are among them, and are told apart.
  const listed = (await ask(`statistics?${new URLSearchParams({ q: "reads:payments/secrets/db last:7d verb:list,watch" })}`)) as { events: number };
  expect(listed.events).toBeGreaterThan(0);
  await page.getByText(`${listed.events} events by list or watch`).waitFor();
  await page.getByText("refused attempts").waitFor();
  await page.getByText("What is kept").click();
  await page.getByText("`get secrets payments/db` is kept").or(page.getByText("get secrets payments/db is kept")).waitFor();
  expect(person.steps).toBeLessThanOrEqual(2);
  await accessible(page);
  await shot(page, "object");
});

test("is a stolen service-account token in use from a new address?", async () => {
  const account = "system:serviceaccount:ci:deployer";
  const person = await visit(`/users/${encodeURIComponent(account)}`);
  const { page } = person;
  await person.click(page.getByRole("tab", { name: "Addresses" }));
  await page.getByRole("tabpanel").locator("tbody tr").first().waitFor();
  const addresses = groups(page, { q: `user:${account} last:24h`, by: "ip,credential", newSince: "7d" });
  await person.click(page.getByRole("button", { name: "New since 7 d" }));
  await page.getByText("New: not there from").waitFor();
  const rows = await addresses;
  const stolen = rows.find((row) => row.newValues?.[0]);
  if (!stolen) throw new Error("the sample has no new address");
  const [ip = "", credential = ""] = stolen.values;
  expect(sorted(await shown(person, 2))).toEqual(sorted(rows));
  const row = page.getByRole("row").filter({ hasText: ip }).filter({ hasText: credential });
  expect(await row.locator("td").last().innerText()).toBe("Address");
  await shot(page, "user");
  await accessible(page);
  const users = groups(page, { q: `ip:${ip} actor:${account} last:24h`, by: "actor,credential" });
  await person.click(row.getByRole("link", { name: ip }));
  await page.getByRole("heading", { name: ip }).waitFor();
  // Narrowed to the account that one came from, for all to see.
  await page.getByRole("button", { name: `Do not narrow to ${account}` }).waitFor();
  expect(sorted(await shown(person, 2))).toEqual(sorted(await users));
  await shot(page, "address");
  await accessible(page);
  const deeds = answerTo(page, "statistics", { q: `cred:"${credential}" actor:${account} last:24h` });
  await person.click(page.getByRole("link", { name: credential }));
  await page.getByRole("heading", { name: credential }).waitFor();
  const did = await deeds;
  await page.getByRole("status").filter({ hasText: `${did.events} events` }).filter({ hasText: `${did.requests} requests` }).waitFor();
  for (const what of ["debug-7f2", "stripe", "clusterrolebindings"]) await page.getByRole("tabpanel").getByText(what).first().waitFor();
  expect(person.steps).toBeLessThanOrEqual(4);
  await accessible(page);
  await shot(page, "credential");
});

/** The day of the outage of 14:05, which the sample has in the day before it came. */
async function outage(): Promise<string> {
  const [flags] = await events({ q: "actor:alice verb:delete resource:cm name:feature-flags last:30d", limit: "1" });
  if (!flags) throw new Error("the sample has no outage");
  return flags.time.slice(0, 10);
}

test("what did she change before the outage?", async () => {
  const day = await outage();
  const time = `${day}T12:05..${day}T14:05`;
  const person = await visit(`/users/alice?${new URLSearchParams({ time })}`);
  const { page } = person;
  await person.click(page.getByRole("tab", { name: "Changes" }));
  await rightChanges(person, await events({ q: `actor:alice change:yes ${time}`, sort: "asc" }));
  expect(person.steps).toBeLessThanOrEqual(2);
  await accessible(page);
  await shot(page, "user-changes");
  await page.getByRole("region", { name: "secrets payments/stripe" }).getByRole("button").first().click();
  await page.getByText("No body was recorded: the audit policy's level for this request is Metadata.").waitFor();
});

test("what did she change before a time that is typed?", async () => {
  const day = await outage();
  const person = await visit("/users/alice?tab=changes&time=last:7d");
  const { page } = person;
  // In the zone of whoever types it, as the rows are.
  const before = page.getByLabel("Before (Europe/Berlin)");
  const hour = new Date(`${day}T14:05:00Z`).toLocaleTimeString("en-GB", { timeZone: "Europe/Berlin", hour: "2-digit", minute: "2-digit" });
  await before.fill(`${day}T${hour}`);
  await before.press("Enter");
  await page.waitForURL((url) => url.searchParams.get("before") === `${day}T14:05:00Z`);
  expect(await before.inputValue()).toBe(`${day}T${hour}`);
  await page.getByRole("region").filter({ hasText: "feature-flags" }).first().waitFor();
  await rightChanges(person, await events({ q: `actor:alice change:yes since:7d until:${day}T14:05`, sort: "asc" }));
  // Typing was a step, too.
  expect(person.steps + 1).toBeLessThanOrEqual(2);
});

async function rightChanges(person: Person, expected: Found[]): Promise<void> {
  const { page } = person;
  const service = page.getByRole("region", { name: "services checkout/checkout" });
  await service.waitFor();
  expect(expected.length).toBeGreaterThan(10);
  expect((await page.locator(".changed .summary time").evaluateAll((all) => all.map((it) => it.getAttribute("datetime")))).sort()).toEqual(expected.map((it) => it.time).sort());
  // By object, and the oldest of each first.
  const times = await service.locator(".summary time").evaluateAll((all) => all.map((it) => it.getAttribute("datetime")));
  expect(times).toEqual([...times].sort());
  await person.click(service.getByRole("button").last());
  const row = service.getByRole("row").filter({ hasText: "targetPort" });
  await row.waitFor();
  const { change } = (await ask(`events/${expected.findLast((it) => it.time === times.at(-1))?.id}`)) as { change: { places: { path: string; before: unknown; after: unknown }[] } };
  expect(change.places.map((it) => [it.path, it.before, it.after])).toContainEqual(["spec.ports[0].targetPort", 8080, 8081]);
  expect((await row.getByRole("cell").allInnerTexts()).map((it) => it.replaceAll(/\s/g, ""))).toEqual(["spec.ports[0].targetPort", "−8080", "+8081"]);
}

test("who executed what in a payment pod?", async () => {
  const [event] = await events({ q: "actor:dave sub:exec ns:payments rule:alerting-rule.* stage:ResponseComplete last:30d", limit: "1" });
  if (!event) throw new Error("the sample has no such session");
  // The alert's link.
  const person = await visit(`/events/${event.id}`);
  const { page } = person;
  const sentence = page.locator(".sentence");
  await sentence.waitFor();
  expect(await sentence.innerText()).toMatch(/^dave executed sh -c cat \/etc\/passwd in pods payments\/ledger-0 from 127\.0\.0\.5 .*, on .+, in a session of 5\.47 s\. The connection was opened \(101\)\.$/);
  const around = `actor:dave around:${event.time}/15m`;
  const { events: count } = (await ask(`statistics?${new URLSearchParams({ q: around })}`)) as { events: number };
  expect(count).toBeGreaterThan(10);
  await page.getByRole("listitem").filter({ hasText: `This user, ± 15 min · ${count} events` }).waitFor();
  await shot(page, "event-exec");
  await person.click(page.getByRole("link", { name: "This user, ± 15 min" }));
  await page.waitForURL((url) => url.pathname === "/" && url.searchParams.get("q") === around);
  expect(person.steps).toBeLessThanOrEqual(2);
  const commands = new Set((await events({ q: around })).map((it) => it.command).filter(Boolean));
  expect(commands).toContain("sh -c tar cz /var/lib/ledger | base64");
});

test("a stage that knows no answer shows that of the request", async () => {
  const [begun] = await events({ q: "actor:dave sub:exec ns:payments stage:RequestReceived last:30d", limit: "1" });
  const { page } = await visit(`/events/${begun?.id}`);
  await page.locator(".sentence").filter({ hasText: "in a session of" }).waitFor();
});
