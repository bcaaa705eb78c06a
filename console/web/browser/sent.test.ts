// What happens while somebody looks: events that are sent to the real webhook.
import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { ask, send, visit, WEBHOOK } from "./kit.ts";

/** What is stored by the rules that are shipped. */
function deleted(name: string, more: object = {}): object {
  const now = new Date().toISOString().replace("Z", "000Z");
  return {
    level: "Metadata", stage: "ResponseComplete", auditID: randomUUID(), verb: "delete", requestURI: `/api/v1/namespaces/sent/configmaps/${name}`,
    user: { username: "frank", groups: ["system:authenticated"] }, sourceIPs: ["127.0.0.77"], userAgent: "kubectl/v1.33.4",
    objectRef: { resource: "configmaps", namespace: "sent", name, apiVersion: "v1" }, responseStatus: { metadata: {}, code: 200 },
    requestReceivedTimestamp: now, stageTimestamp: now, ...more,
  };
}

describe.skipIf(!WEBHOOK)(`while somebody looks (${WEBHOOK ? "here" : "skipped: VEDETTE_WEBHOOK is not set"})`, () => {
  test("an event is seen as it comes, and waits while that is paused", async () => {
    const [first, second] = [`live-${randomUUID()}`, `live-${randomUUID()}`];
    const { page } = await visit("/?live=1&q=ns:sent");
    await page.getByText("Live: new events appear on top.").waitFor();
    await send([deleted(first)]);
    const list = page.getByRole("grid", { name: "Live events" });
    await list.getByRole("gridcell", { name: `configmaps sent/${first}`, exact: true }).waitFor();
    await page.getByRole("button", { name: "Pause" }).click();
    await send([deleted(second)]);
    await page.getByRole("button", { name: /^Resume: 1 event waiting/ }).click();
    await list.getByRole("gridcell", { name: `configmaps sent/${second}`, exact: true }).waitFor();
  });

  test("a letter that nobody could read is looked at, and discarded", async () => {
    const secret = `dead-${randomUUID()}`;
    await send([deleted(secret, { verb: 7 })]);
    const letters = async () => (await ask("dead-letters?service=ingest")).items as { sequence: number }[];
    await expect.poll(async () => (await letters()).length).toBe(1);
    const { page } = await visit("/pipeline?tab=dead&service=ingest");
    await page.getByRole("button", { name: /^Look at letter \d+/ }).first().click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText(secret).first().waitFor();
    expect(await dialog.getByRole("button", { name: "Requeue" }).count()).toBe(0);
    await dialog.getByRole("button", { name: "Discard" }).click();
    await page.getByRole("dialog", { name: "Discard 1 letter?" }).getByRole("button", { name: "Discard" }).click();
    await page.getByText("1 letter discarded.").waitFor();
    expect(await letters()).toEqual([]);
    // It is counted all the same.
    await page.goto(page.url().replace(/\?.*/, ""));
    await page.getByText("The books balance").waitFor();
  });
});
