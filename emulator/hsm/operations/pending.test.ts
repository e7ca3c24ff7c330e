import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { KmipClient, RequestItem } from "#protocol/kmip/index.ts";
import { issueClient } from "../identity/pki.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import { AES, PAST } from "../testing/hierarchy.ts";
import { refused } from "../testing/refusal.ts";

let test: TestHsm;
let client: KmipClient;
beforeAll(async () => {
  test = await testHsm();
  client = test.as(await issueClient(test.pki.dir, "alice"));
}, 30_000);
afterAll(() => test.close());

const header = { asynchronousIndicator: "Mandatory" } as const;
const create = (group: string): RequestItem => ({
  operation: "Create",
  payload: {
    objectType: "SymmetricKey",
    attributes: { ...AES, cryptographicUsageMask: ["Encrypt"], objectGroup: [group] },
  },
});
const begin = async (...items: RequestItem[]) =>
  (await client.batch(items, { header })).map((answer) => {
    expect(answer.resultStatus).toBe("OperationPending");
    return { asynchronousCorrelationValue: answer.asynchronousCorrelationValue! };
  });
const made = async (group: string) =>
  (await client.request("Locate", { attributes: { objectGroup: [group] } })).uniqueIdentifier?.length ?? 0;
const cancel = async (value: { asynchronousCorrelationValue: Uint8Array }) =>
  (await client.request("Cancel", value)).cancellationResult;

describe("asynchronous operations", () => {
  it("are not done when they are cancelled", async () => {
    const [value] = await begin(create("cancelled"));
    expect(await made("cancelled")).toBe(0);
    expect(await cancel(value!)).toBe("Canceled");
    expect(await cancel(value!)).toBe("Unavailable");
    await refused(client.request("Poll", value!)).toBe("InvalidAsynchronousCorrelationValue");
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(await made("cancelled")).toBe(0);
  });

  it("are done when they are asked for, once", async () => {
    const [value] = await begin(create("asked"));
    expect(await client.request("Poll", value!)).toMatchObject({ uniqueIdentifier: expect.any(String) });
    expect(await made("asked")).toBe(1);
    await refused(client.request("Poll", value!)).toBe("InvalidAsynchronousCorrelationValue");
  });

  it("are done when they are to be processed, and answered to Poll", async () => {
    const [value] = await begin(create("processed"));
    expect(await client.request("Process", value!)).toEqual(value);
    expect(await made("processed")).toBe(1);
    expect(await cancel(value!)).toBe("Completed");
    expect(await client.request("Poll", value!)).toMatchObject({ uniqueIdentifier: expect.any(String) });
    await refused(client.request("Process", value!)).toBe("InvalidAsynchronousCorrelationValue");
  });

  it("are done after a while, and then not cancelled", async () => {
    const [value] = await begin(create("unasked"));
    await expect.poll(() => made("unasked"), { timeout: 5000 }).toBe(1);
    expect(await cancel(value!)).toBe("Completed");
    expect(await client.request("Poll", value!)).toMatchObject({ uniqueIdentifier: expect.any(String) });
  });

  it("are done in their place where there are several", async () => {
    const [first, second] = await begin(create("several"), { operation: "Get", payload: {} });
    expect(await made("several")).toBe(1);
    expect(await cancel(first!)).toBe("Completed");
    const { uniqueIdentifier } = (await client.request("Poll", first!)) as { uniqueIdentifier?: string };
    expect(await client.request("Poll", second!)).toMatchObject({ uniqueIdentifier });
  });

  it("that fail say so to Poll", async () => {
    const [value] = await begin({ operation: "Get", payload: { uniqueIdentifier: "none" } });
    await refused(client.request("Poll", value!)).toBe("ObjectNotFound");
  });

  it("wait on for a client whose version can carry their answer", async () => {
    const credential = await issueClient(test.pki.dir, "alice");
    const [before, after] = [
      test.as(credential, { major: 1, minor: 2 }),
      test.as(credential, { major: 1, minor: 4 }),
    ];
    const { uniqueIdentifier } = await client.request("Create", {
      objectType: "SymmetricKey",
      attributes: { ...AES, cryptographicUsageMask: ["Encrypt"], activationDate: PAST },
    });
    const encrypt: RequestItem = {
      operation: "Encrypt",
      payload: {
        uniqueIdentifier,
        cryptographicParameters: { blockCipherMode: "GCM", tagLength: 16 },
        data: new Uint8Array(5),
      },
    };
    const [pending] = await after.batch([encrypt], { header });
    const value = { asynchronousCorrelationValue: pending!.asynchronousCorrelationValue! };
    await refused(before.request("Poll", value)).toBe("FeatureNotSupported");
    await expect(after.request("Poll", value)).resolves.toMatchObject({
      authenticatedEncryptionTag: expect.any(Uint8Array),
    });
    await refused(after.request("Poll", value)).toBe("ItemNotFound");
  });

  it("are listed for the client that asked, with their stage", async () => {
    const bob = test.as(await issueClient(test.pki.dir, "bob"));
    const [first, second] = await begin(create("listed"), create("listed"));
    const [third] = await begin(create("listed"));
    const list = (asker: KmipClient, named?: typeof first) =>
      asker.request(
        "QueryAsynchronousRequests",
        named ? { asynchronousCorrelationValues: listOf(named) } : {},
      );
    const listOf = ({ asynchronousCorrelationValue }: NonNullable<typeof first>) => ({
      asynchronousCorrelationValue: [asynchronousCorrelationValue],
    });
    const stages = (await list(client)).asynchronousRequest!.slice(-3);
    expect(stages).toMatchObject([
      { ...first, operation: "Create", processingStage: "Completed" },
      { ...second, operation: "Create", processingStage: "Completed" },
      { ...third, operation: "Create", processingStage: "Submitted" },
    ]);
    const sent = Number(stages[0]!.submissionDate) / 1000;
    expect(Math.abs(sent - Date.now())).toBeLessThan(10_000);
    expect((await list(client, third)).asynchronousRequest).toHaveLength(1);
    expect((await list(bob)).asynchronousRequest ?? []).toEqual([]);
    expect((await list(bob, third)).asynchronousRequest ?? []).toEqual([]);
  });
});
