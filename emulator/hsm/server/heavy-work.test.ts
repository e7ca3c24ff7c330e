import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { named } from "#protocol/hierarchy/index.ts";
import type { Attributes, KmipClient, RequestItem } from "#protocol/kmip/index.ts";
import { issueClient } from "../identity/pki.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import { AES, PAST } from "../testing/hierarchy.ts";
import { reason } from "../testing/refusal.ts";
import { Budget, HeavyWork } from "./heavy-work.ts";

/** No client chooses how long everybody waits. Told by the order of answers, not by times. */

let test: TestHsm;
let heavy: KmipClient;
let other: KmipClient;
let key: string;
beforeAll(async () => {
  test = await testHsm();
  [heavy, other] = (await Promise.all(
    ["heavy", "other"].map(async (name) => test.as(await issueClient(test.pki.dir, name))),
  )) as [KmipClient, KmipClient];
  const cryptographicUsageMask = ["DeriveKey" as const, "WrapKey" as const, "Encrypt" as const];
  const made = await heavy.request("Create", {
    objectType: "SymmetricKey",
    attributes: { ...AES, cryptographicUsageMask, activationDate: PAST },
  });
  key = made.uniqueIdentifier;
  await other.request("Ping", {});
}, 30_000);
afterAll(() => test.close());

const pbkdf2 = (iterationCount: number): RequestItem => ({
  operation: "DeriveKey",
  payload: {
    objectType: "SecretData",
    uniqueIdentifier: [key],
    derivationMethod: "PBKDF2",
    derivationParameters: { salt: new Uint8Array(8), iterationCount },
    attributes: { cryptographicLength: 160 },
  },
});
const pair = (cryptographicLength: number): RequestItem => ({
  operation: "CreateKeyPair",
  payload: {
    commonAttributes: {
      cryptographicAlgorithm: "RSA",
      cryptographicLength,
      cryptographicUsageMask: ["Sign"],
    },
  },
});
const split = (bytes: number, parts: number): RequestItem => ({
  operation: "CreateSplitKey",
  payload: {
    objectType: "SplitKey",
    splitKeyParts: parts,
    splitKeyThreshold: parts,
    splitKeyMethod: "PolynomialSharingGF2_8",
    attributes: { cryptographicLength: bytes * 8 },
  },
});
const many = (count: number, one: RequestItem) => Array.from({ length: count }, () => one);
const create: RequestItem = {
  operation: "Create",
  payload: { objectType: "SymmetricKey", attributes: { ...AES, cryptographicUsageMask: ["Encrypt"] } },
};
const locate: RequestItem = {
  operation: "Locate",
  payload: { maximumItems: 1, attributes: { fresh: true } },
};

describe("a heavy message", () => {
  it.each<[string, () => RequestItem[] | Promise<RequestItem[]>, "Continue" | "Undo"]>([
    ["one derivation by very many rounds", () => [pbkdf2(3_000_000)], "Continue"],
    ["derivations by many rounds", () => many(16, pbkdf2(300_000)), "Continue"],
    ["derivations that are to be undone", () => many(8, pbkdf2(300_000)), "Undo"],
    ["pairs of long keys", () => many(3, pair(3072)), "Continue"],
    ["pairs of long keys that are to be undone", () => many(3, pair(3072)), "Undo"],
    ["a split into many parts", () => [split(1024, 180)], "Continue"],
    ["many items", () => many(500, create), "Undo"],
    ["searches through many objects", () => many(5, locate), "Undo"],
  ])(
    "of %s does not keep another client waiting",
    async (_what, items, batchErrorContinuationOption) => {
      let done = false;
      const batch = await items();
      const options = { batchErrorContinuationOption };
      // Several: a quick machine has done one before the other client's first question comes.
      const messages = Array.from({ length: batch.length > 100 ? 8 : 2 }, () => heavy.batch(batch, options));
      const sent = Promise.all(messages).finally(() => {
        done = true;
      });
      // Without turns none comes before all are done.
      let meanwhile = 0;
      while (!done && meanwhile < 1) {
        await other.request("Query", { queryFunction: ["QueryOperations"] });
        if (!done) meanwhile++;
      }
      const answers = (await sent).flat();
      expect(meanwhile).toBe(1);
      expect(answers.map(({ resultStatus }) => resultStatus)).toEqual(answers.map(() => "Success"));
    },
    60_000,
  );

  it("is refused where it costs too much, and what is left is done", async () => {
    const ping: RequestItem = { operation: "Ping", payload: {} };
    const answers = await heavy.batch([split(4096, 255), ping], { batchErrorContinuationOption: "Continue" });
    expect(answers.map(({ resultReason }) => resultReason)).toEqual(["InvalidField", undefined]);
    const dear = await heavy.batch(many(4, split(1024, 240)), { batchErrorContinuationOption: "Continue" });
    expect(dear.map(({ resultReason }) => resultReason)).toEqual([
      undefined,
      undefined,
      "ServerLimitExceeded",
      "ServerLimitExceeded",
    ]);
    expect(await reason(heavy.request("Ping", {}))).toBe("Success");
  }, 60_000);
});

describe("derivations from one key at a time", () => {
  it("do not get in each other's way", async () => {
    const clients = await Promise.all(
      [1, 2, 3].map(async () => test.as(await issueClient(test.pki.dir, "heavy"))),
    );
    const made = await Promise.all(clients.map((client) => client.batch([pbkdf2(20_000)])));
    expect(made.map(([answer]) => answer!.resultStatus)).toEqual(["Success", "Success", "Success"]);
  });
});

describe("batches that are to be undone", () => {
  it("take no name that another takes meanwhile", async () => {
    const clients = await Promise.all(
      [1, 2].map(async () => test.as(await issueClient(test.pki.dir, "heavy"))),
    );
    const attributes = { ...AES, cryptographicUsageMask: ["Encrypt" as const], name: named("one") };
    const one: RequestItem = { operation: "Create", payload: { objectType: "SymmetricKey", attributes } };
    const ends = await Promise.all(
      clients.map(async (client) => {
        const answers = await client.batch([one, pair(2048)], { batchErrorContinuationOption: "Undo" });
        return answers.every(({ resultStatus }) => resultStatus === "Success");
      }),
    );
    expect(ends.sort()).toEqual([false, true]);
    const located = await heavy.request("Locate", { attributes: { name: named("one") } });
    expect(located.uniqueIdentifier).toHaveLength(1);
  });
});

it("an object has few values of one attribute, however it comes by them", async () => {
  const names = (prefix: string, count: number) =>
    Array.from({ length: count }, (_, index) => named(`${prefix}${index}`)).flat();
  const groups = Array.from({ length: 1001 }, (_, index) => `g${index}`);
  const vendorAttributes = groups.map((attributeName) => ({
    vendorIdentification: "x",
    attributeName,
    attributeValue: "",
  }));
  const create = (attributes: Attributes) =>
    other.request("Create", { objectType: "SymmetricKey", attributes: { ...AES, ...attributes } });
  for (const attributes of [{ name: names("n", 1001) }, { objectGroup: groups }, { vendorAttributes }])
    expect(await reason(create(attributes))).toBe("InvalidField");
  const { uniqueIdentifier } = await create({ name: names("n", 1000) });
  const more = { uniqueIdentifier, attributes: { name: names("m", 1) } };
  expect(await reason(other.request("ReKey", more))).toBe("InvalidField");
  const newAttribute = { name: names("m", 1) };
  expect(await reason(other.request("AddAttribute", { uniqueIdentifier, newAttribute }))).toBe(
    "InvalidField",
  );
  const value = names("n", 1)[0]!;
  await other.request("DeleteAttribute", { uniqueIdentifier, currentAttribute: { name: [value] } });
  expect(await reason(other.request("AddAttribute", { uniqueIdentifier, newAttribute }))).toBe("Success");
});

it("an object is compared with few constraints, however many values it has", async () => {
  const constraints = (count: number) => ({
    constraints: {
      constraint: Array.from({ length: count }, () => ({ attributes: { objectGroup: ["a"] } })),
    },
  });
  expect(await reason(other.request("SetConstraints", constraints(65)))).toBe("InvalidField");
  expect(await reason(other.request("SetConstraints", constraints(64)))).toBe("Success");
  await other.request("SetConstraints", constraints(0));
});

describe("work off the event loop", () => {
  it("is done in turns between identities", async () => {
    const work = new HeavyWork();
    const begun: string[] = [];
    const job = (name: string) => async () => {
      begun.push(name);
      await new Promise((resolve) => setImmediate(resolve));
    };
    const jobs = ["a1", "a2", "a3", "a4", "b1", "c1"].map((name) => work.run(name[0]!, 1, job(name)));
    await Promise.all(jobs);
    expect(begun).toEqual(["a1", "a2", "a3", "b1", "c1", "a4"]);
  });

  it("is bounded for a message and for an identity, and others have theirs", async () => {
    const budget = new Budget();
    budget.spend(9_000_000);
    expect(() => budget.spend(2_000_000)).toThrow(expect.objectContaining({ code: "ServerLimitExceeded" }));
    budget.spend(1_000_000);
    const work = new HeavyWork();
    let end = () => {};
    const until = new Promise<void>((resolve) => {
      end = resolve;
    });
    const first = work.run("a", 15_000_000, () => until);
    await expect(work.run("a", 6_000_000, () => until)).rejects.toMatchObject({
      code: "ServerLimitExceeded",
    });
    const others = work.run("b", 6_000_000, async () => "done");
    expect(await others).toBe("done");
    end();
    await first;
    expect(await work.run("a", 6_000_000, async () => "again")).toBe("again");
    await expect(work.run("a", 1, () => Promise.reject(new Error("failed")))).rejects.toThrow("failed");
    expect(await work.run("a", 19_999_999, async () => "left")).toBe("left");
  });
});
