import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Attributes, createKmipClient, item, type KmipClient, payloadOf } from "#protocol/kmip/index.ts";
import { issueClient } from "../identity/pki.ts";
import { type TestHsm, testHsm, WAYS } from "../testing/deployment.ts";
import { AES } from "../testing/hierarchy.ts";
import { refused } from "../testing/refusal.ts";

let test: TestHsm;
let one: KmipClient;
/** The same client on another connection. */
let other: KmipClient;
/** And one that takes long answers. */
let patient: KmipClient;
beforeAll(async () => {
  test = await testHsm({ limit: 1024 * 1024 });
  const pair = await issueClient(test.pki.dir, "alice");
  [one, other] = [test.as(pair), test.as(pair)];
  patient = createKmipClient({
    exchange: test.exchange(pair, WAYS[0]),
    limits: { maximumLength: 1 << 26 },
  });
}, 30_000);
afterAll(() => test.close());

const attributes: Attributes = { ...AES, cryptographicUsageMask: ["Encrypt"] };
const create = item("Create", { objectType: "SymmetricKey", attributes });
const mandatory = { header: { asynchronousIndicator: "Mandatory" } } as const;

async function certificate() {
  const { publicKeyUniqueIdentifier: key } = await one.request("CreateKeyPair", {
    commonAttributes: { cryptographicAlgorithm: "RSA", cryptographicLength: 2048 },
    privateKeyAttributes: { cryptographicUsageMask: ["Sign"] },
    publicKeyAttributes: { cryptographicUsageMask: ["Verify"] },
  });
  const { uniqueIdentifier } = await one.request("Certify", { uniqueIdentifier: key });
  return { key, uniqueIdentifier };
}

describe("a batch", () => {
  it("has answers of a bounded length, whatever it asks for", async () => {
    const { uniqueIdentifier } = await one.request("Register", {
      objectType: "OpaqueObject",
      attributes: {},
      object: { opaqueObject: { opaqueDataType: 0x80000001, opaqueDataValue: new Uint8Array(1_000_000) } },
    });
    const batch = Array.from({ length: 14 }, () => item("Get", { uniqueIdentifier }));
    const answers = await patient.batch(batch, { batchErrorContinuationOption: "Continue" });
    const told = answers.filter(({ resultStatus }) => resultStatus === "Success");
    expect(told.length).toBeGreaterThan(4);
    expect(told.length).toBeLessThan(12);
    expect(answers.at(-1)).toMatchObject({ resultReason: "ResponseTooLarge" });
  });

  it("does nothing after its answers have become too long", async () => {
    const { uniqueIdentifier } = await one.request("Register", {
      objectType: "OpaqueObject",
      attributes: {},
      object: { opaqueObject: { opaqueDataType: 0x80000001, opaqueDataValue: new Uint8Array(1_000_000) } },
    });
    const reads = Array.from({ length: 10 }, () => item("Get", { uniqueIdentifier }));
    const answers = await patient.batch([...reads, item("Destroy", { uniqueIdentifier })], {
      batchErrorContinuationOption: "Continue",
    });
    expect(answers.at(-1)).toMatchObject({ resultReason: "ResponseTooLarge" });
    expect(await one.request("Get", { uniqueIdentifier })).toMatchObject({ uniqueIdentifier });
  });

  it("that is to be undone brings nothing back that another connection destroyed meanwhile", async () => {
    for (let round = 0; round < 12; round++) {
      const { key } = await certificate();
      const { uniqueIdentifier } = payloadOf((await one.batch([create]))[0]);
      const batch = one.batch(
        [
          item("AddAttribute", { uniqueIdentifier, newAttribute: { contactInformation: "me" } }),
          item("Certify", { uniqueIdentifier: key }),
        ],
        { batchErrorContinuationOption: "Undo" },
      );
      await sleep(round % 4);
      await other.request("Destroy", { uniqueIdentifier });
      const answers = await batch;
      await refused(other.request("Get", { uniqueIdentifier })).toBe("ObjectDestroyed");
      // All of it or nothing.
      const kinds = new Set(answers.map(({ resultStatus }) => resultStatus === "Success"));
      expect(kinds.size).toBe(1);
    }
  }, 60_000);

  it("loses no revocation to an operation that takes its time", async () => {
    const { uniqueIdentifier: first } = await certificate();
    let uniqueIdentifier = first;
    for (let round = 0; round < 12; round++) {
      const renewed = one.request("ReCertify", { uniqueIdentifier });
      await sleep(round % 4);
      await other.request("Revoke", {
        uniqueIdentifier,
        revocationReason: { revocationReasonCode: "KeyCompromise" },
      });
      const { attributes: now } = await other.request("GetAttributes", {
        uniqueIdentifier,
        attributeReference: ["state"],
      });
      expect(now.state).toBe("Compromised");
      uniqueIdentifier = (await renewed.catch(() => certificate())).uniqueIdentifier;
    }
  }, 60_000);

  it("that is to be undone does not poll: what is told once cannot be told back", async () => {
    const [waiting] = await one.batch([create], mandatory);
    const { asynchronousCorrelationValue } = waiting!;
    const value = { asynchronousCorrelationValue: asynchronousCorrelationValue! };
    for (const asked of [item("Poll", value), item("Process", value), item("Cancel", value)]) {
      const answers = await one.batch([item("Ping", {}), asked], { batchErrorContinuationOption: "Undo" });
      expect(answers[1]).toMatchObject({ resultReason: "FeatureNotSupported" });
    }
    expect(await one.request("Poll", value)).toMatchObject({ objectType: "SymmetricKey" });
  });

  it("tells at once what is done where no more answers can wait, which is so for each client by itself", async () => {
    for (let waiting = 0; waiting < 64; waiting++)
      expect((await one.batch([create], mandatory))[0]).toMatchObject({ resultStatus: "OperationPending" });
    expect((await one.batch([create], mandatory))[0]).toMatchObject({ resultReason: "ServerLimitExceeded" });
    const done = await one.batch([create, create], mandatory);
    expect(done).toMatchObject([{ resultStatus: "Success" }, { resultStatus: "Success" }]);
    const bob = test.as(await issueClient(test.pki.dir, "bob"));
    expect((await bob.batch([create], mandatory))[0]).toMatchObject({ resultStatus: "OperationPending" });
  });
});

it("what is done later is written without being asked for", async () => {
  const quiet = await testHsm();
  try {
    const client = quiet.as(await issueClient(quiet.pki.dir, "alice"));
    await client.batch([create], mandatory);
    const database = new DatabaseSync(join(quiet.dir, "hsm.sqlite"), { readOnly: true });
    await expect
      .poll(() => database.prepare("SELECT count(*) AS n FROM objects").get()!.n, { timeout: 5000 })
      .toBe(1);
    database.close();
  } finally {
    await quiet.close();
  }
});
