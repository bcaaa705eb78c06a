import { expect, test } from "vitest";
import type { AuditEvent, Histogram, Schemas } from "../src/api/client.ts";
import { is, range } from "../src/query/language.ts";
import { ask, settled, shot, visit } from "./kit.ts";

// Incident 5: where does this burst of 403s come from, and did any get through?
test("a burst of refusals is traced, within four steps", async () => {
  const person = await visit("/?q=code:403&by=codeClass");
  const { page } = person;
  const { buckets } = (await ask(`histogram?${new URLSearchParams({ q: "code:403 last:12h", interval: "10m" })}`)) as unknown as Histogram;
  const spike = buckets.reduce((most, it) => (it.count > most.count ? it : most));
  const chart = page.getByRole("group", { name: "Events over time" });
  await page.locator(".histogram-legend li").first().waitFor();
  await settled(chart.locator(".u-over"));
  const [box, plot] = [await chart.boundingBox(), await chart.locator(".u-over").boundingBox()];
  if (!box || !plot) throw new Error("there is no histogram");
  const at = 1 - (Date.now() - Date.parse(spike.time)) / (12 * 3_600_000);
  const fraction = (time: number) => Math.min((plot.x - box.x + plot.width * time) / box.width, 0.995);

  await person.drag(chart, fraction(at - 0.004), fraction(at + 0.02));
  await page.waitForURL(/since/);
  const spiked = new URL(page.url()).searchParams.get("q") ?? "";
  const { facets } = (await ask(`facets?${new URLSearchParams({ q: spiked, by: "actor", top: "1" })}`)) as unknown as Schemas["Facets"];
  const actor = facets[0]?.values[0];
  if (!actor) throw new Error("nobody was refused in the spike");
  const panel = page.getByRole("complementary", { name: "Most frequent values" });
  await person.click(panel.getByRole("button", { name: `Only ${actor.value} ${actor.count.toLocaleString("en-GB")}` }));
  await page.waitForURL(/actor/);
  const byActor = new URL(page.url()).searchParams.get("q") ?? "";
  const resources = (await ask(`facets?${new URLSearchParams({ q: byActor, by: "resource", top: "1" })}`)) as unknown as Schemas["Facets"];
  const resource = resources.facets[0]?.values[0];
  if (!resource) throw new Error("nothing was refused to the actor");
  await person.click(panel.getByRole("button", { name: `Only ${resource.value} ${resource.count.toLocaleString("en-GB")}` }));
  await page.waitForURL(/resource/);
  await shot(page, "incident-5-resource");
  await person.click(page.getByRole("button", { name: "Did any succeed?" }));
  await page.waitForURL(/code%3A%3C400/);

  // What must be found, from what the API says of the spike alone, not from what the page asks.
  const asked = async (path: string, q: string, more: Record<string, string> = {}) => ask(`${path}?${new URLSearchParams({ q, ...more })}`);
  const spiking = range(Date.parse(spike.time), Date.parse(spike.time) + 600_000);
  const top = async (q: string, by: string) => ((await asked("facets", q, { by, top: "1" })) as unknown as Schemas["Facets"]).facets[0]?.values[0]?.value ?? "";
  const who = await top(`code:403 ${spiking}`, "actor");
  const what = await top(`code:403 ${is("actor", who)} ${spiking}`, "resource");
  expect([who, what]).toEqual(["mallory", "secrets"]);
  const expected = `code:<400 ${is("actor", who)} ${is("resource", what)} ${spiking}`;
  // In the sample, one got through.
  const { items } = (await asked("events", expected)) as unknown as { items: AuditEvent[] };
  expect(items.length).toBe(1);
  await page.getByRole("status", { name: "Found" }).getByText("1 event", { exact: true }).waitFor();
  const rows = page.getByRole("grid", { name: "Requests" }).locator("[role=row][aria-rowindex]:not([aria-rowindex='1'])");
  await expect.poll(() => rows.count()).toBe(1);
  const [through] = items;
  expect(await rows.first().locator("time").getAttribute("datetime")).toBe(through?.time);
  const row = (await rows.first().textContent()) ?? "";
  for (const part of [who, through?.verb, what, through?.name, String(through?.code)]) expect(row).toContain(part ?? "");
  await shot(page, "incident-5");
  expect(person.steps).toBeLessThanOrEqual(4);
});
