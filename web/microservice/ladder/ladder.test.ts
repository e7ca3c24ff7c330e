import { beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { seconds } from "#protocol/clock.ts";
import { CofferError } from "#protocol/error.ts";
import { START } from "../authority.fixture.ts";
import { type Changes, Hierarchy } from "./hierarchy.fixture.ts";
import type { AccountDataKey, Step } from "./index.ts";
import { type TestInstance, testInstance, testLadder } from "./instance.fixture.ts";

const MINUTE = 60_000;

let own: TestInstance;
beforeAll(async () => {
  own = await testInstance();
});

let now: number;
let steps: Step[];
let hierarchy: Hierarchy;
let unwrapped: CryptoKey[];
let timers: { task: () => void; at: number }[];
beforeEach(async () => {
  now = START;
  steps = [];
  unwrapped = [];
  timers = [];
  hierarchy = await new Hierarchy(own.authority, own.certificate, () => now).account("a-1");
});

function pass(milliseconds: number): void {
  now += milliseconds;
  for (const timer of timers.filter(({ at }) => at <= now)) {
    timers.splice(timers.indexOf(timer), 1);
    timer.task();
  }
}

/** Decrypted keys for one minute, copies for ten. */
function ladder(level: "account" | "master" = "master") {
  const of = {
    ...{ level, authorities: hierarchy.authorities, now: () => now },
    schedule: (task: () => void, delay: number) => void timers.push({ task, at: now + delay }),
    ...{ timeToLive: MINUTE, copiesTimeToLive: 10 * MINUTE, watch: (step: Step) => void steps.push(step) },
  };
  return testLadder(own, of, unwrapped);
}

const named = ({ edk }: AccountDataKey) => `${edk.keyId}.${edk.keyVersion}`;
const told = () =>
  steps.map(({ step, what, ...of }) => [step, what, ...Object.values(of)].join(" ")).join("\n");

describe("the ladder", () => {
  it("W4 asks for Enc(master) at start-up, and for the rest by key identifier when data comes", async () => {
    const instance = ladder();
    await instance.start();
    expect(told()).toBe("ask master key KMS\nget master key KMS");
    expect(unwrapped).toEqual([]);
    steps = [];
    const key = await instance.sealing("a-1");
    expect(named(key)).toBe("k-a-1.1");
    expect(told().split("\n")).toEqual([
      "ask key identifier IAM a-1",
      "get key identifier IAM a-1 k-a-1.1",
      "ask data key KMS a-1 k-a-1.1",
      "ask account key IAM a-1 ak-a-1-1",
      expect.stringMatching(/^get /),
      expect.stringMatching(/^get /),
      "decrypt master key m-1",
      "decrypt account key a-1 ak-a-1-1",
      "decrypt data key a-1 k-a-1.1",
    ]);
  });

  it("Promise 2 has every key in a handle that cannot be exported and does one thing", async () => {
    await ladder().sealing("a-1");
    expect(
      unwrapped.map(({ algorithm, extractable, usages }) => [algorithm.name, extractable, usages]),
    ).toEqual([
      ["AES-KW", false, ["unwrapKey"]],
      ["AES-KW", false, ["unwrapKey"]],
      ["HKDF", false, ["deriveKey"]],
    ]);
  });

  it("W2 opens by the key that a document names, whatever is current by now", async () => {
    const instance = ladder();
    const first = named(await instance.sealing("a-1"));
    await hierarchy.rotateAccountKey("a-1");
    await hierarchy.renewDataKey("a-1");
    pass(MINUTE);
    expect(named(await instance.sealing("a-1"))).toBe("k-a-1.2");
    expect(named(await instance.opening("a-1", first, ""))).toBe(first);
    hierarchy.asked.length = 0;
    await instance.opening("a-1", "k-a-1.2", "");
    expect(hierarchy.asked).toEqual([]);
  });

  it("fetches and unwraps once what is wanted by many at a time", async () => {
    const instance = ladder();
    await Promise.all(Array.from({ length: 50 }, () => instance.sealing("a-1")));
    expect(hierarchy.asked).toEqual([
      "key identifier of a-1",
      "data key k-a-1.1",
      "account key ak-a-1-1",
      "master key",
    ]);
    expect(unwrapped).toHaveLength(3);
  });

  it("asks the IAM alone for a document whose keys were fetched ahead", async () => {
    await hierarchy.renewDataKey("a-1");
    const instance = ladder();
    await instance.start();
    await instance.prefetch("a-1");
    expect(hierarchy.asked).toEqual(["master key", "data keys of a-1", "account key ak-a-1-1"]);
    hierarchy.asked.length = 0;
    await instance.opening("a-1", "k-a-1.1", "");
    expect(hierarchy.asked).toEqual(["key identifier of a-1 for k-a-1.1"]);
  });

  it("W12 follows a rotation of the master key", async () => {
    const instance = ladder();
    await instance.sealing("a-1");
    await hierarchy.rotateMasterKey();
    await hierarchy.rotateAccountKey("a-1");
    await hierarchy.renewDataKey("a-1");
    pass(MINUTE);
    await expect(instance.sealing("a-1").then(named)).resolves.toBe("k-a-1.2");
    expect(told()).toContain("decrypt master key m-2");
    // Enc(account) of before has another master key over it by now.
    expect(named(await instance.opening("a-1", "k-a-1.1", ""))).toBe("k-a-1.1");
  });
});

describe("W7 what is in memory", () => {
  it("goes a set time after its last use; a later use asks again", async () => {
    const instance = ladder();
    await instance.start();
    await instance.sealing("a-1");
    pass(40_000);
    await instance.opening("a-1", "k-a-1.1", "");
    steps = [];
    pass(20_000);
    expect(told().split("\n").sort()).toEqual(["drop account key a-1 ak-a-1-1", "drop master key m-1"]);
    pass(20_000);
    expect(told()).not.toContain("data key");
    pass(20_000);
    expect(told()).toContain("drop data key a-1 k-a-1.1");
    hierarchy.asked.length = 0;
    unwrapped.length = 0;
    await instance.opening("a-1", "k-a-1.1", "");
    expect(hierarchy.asked).toEqual(["key identifier of a-1 for k-a-1.1"]);
    expect(unwrapped).toHaveLength(3);
  });

  it("ends with its encrypted copies after a time of their own: a later use must fetch again", async () => {
    const instance = ladder();
    await instance.start();
    await instance.sealing("a-1");
    pass(10 * MINUTE);
    hierarchy.asked.length = 0;
    hierarchy.offline = true;
    await expect(instance.opening("a-1", "k-a-1.1", "")).rejects.toMatchObject({ code: "offline" });
    hierarchy.offline = false;
    hierarchy.asked.length = 0;
    await instance.opening("a-1", "k-a-1.1", "");
    expect(hierarchy.asked).toEqual([
      "key identifier of a-1 for k-a-1.1",
      "data key k-a-1.1",
      "account key ak-a-1-1",
      "master key",
    ]);
  });

  it("goes at once when it is locked, also what was under way", async () => {
    const instance = ladder();
    await instance.sealing("a-1");
    steps = [];
    instance.lock();
    expect(told().split("\n").sort()).toEqual([
      "drop account key a-1 ak-a-1-1",
      "drop data key a-1 k-a-1.1",
      "drop master key m-1",
    ]);
    const late = instance.opening("a-1", "k-a-1.1", "");
    instance.lock();
    await expect(late).rejects.toMatchObject({ code: "key-missing" });
    hierarchy.asked.length = 0;
    unwrapped.length = 0;
    await instance.opening("a-1", "k-a-1.1", "");
    expect([hierarchy.asked.length, unwrapped.length]).toEqual([1, 3]);
    instance.end();
    hierarchy.asked.length = 0;
    await instance.opening("a-1", "k-a-1.1", "");
    expect(hierarchy.asked).toHaveLength(4);
  });
});

describe("W1 what is not what the instance asked for", () => {
  const flipped = (text: string) => {
    const bytes = decodeBase64url(text);
    bytes[9]! ^= 1;
    return encodeBase64url(bytes);
  };
  const refused = async (code = "key-refused", by = ladder()) => {
    await expect(by.sealing("a-1")).rejects.toMatchObject({ code });
  };

  it.each<[string, () => Changes]>([
    [
      "Enc(master) that the receipt does not name",
      () => ({ wrappedKey: encodeBase64url(new Uint8Array(384)) }),
    ],
    ["Enc(master) for another instance", () => ({ receipt: { recipient: "A".repeat(43) } })],
    ["Enc(master) of another tenant", () => ({ receipt: { tenant: "other" } })],
    ["Enc(master) of before: another challenge", () => ({ receipt: { challenge: "A".repeat(43) } })],
    ["Enc(master) that has expired", () => ({ receipt: { exp: seconds(START) } })],
    ["Enc(master) by another than the KMS", () => ({ receiptBy: own.authority.edkSigner })],
    ["Enc(data) by another than the KMS", () => ({ edkBy: own.authority.receiptSigner })],
    ["Enc(data) of another account", () => ({ edk: { account: "a-2" } })],
    ["Enc(data) of another tenant", () => ({ edk: { tenant: "other" } })],
    ["Enc(data) of another version", () => ({ edk: { keyVersion: 7 } })],
    ["Enc(account) of another id", () => ({ account: { id: "ak-9" } })],
    ["Enc(account) of another version", () => ({ account: { version: 9 } })],
    ["Enc(account) under another master key", () => ({ account: { master: "m-9" } })],
  ])("is refused before anything is unwrapped: %s", async (_, change) => {
    hierarchy.change = change();
    await refused();
    expect(unwrapped).toEqual([]);
  });

  it.each<[string, () => Promise<Changes>, number]>([
    [
      "an altered Enc(account)",
      async () => ({ account: { wrapped: flipped(hierarchy.wrappedAccountKey("a-1").wrapped) } }),
      1,
    ],
    [
      "another account's key in its place",
      async () => {
        await hierarchy.account("a-2");
        return { account: hierarchy.wrappedAccountKey("a-2") };
      },
      2,
    ],
    ["Enc(data) under another account key", async () => ({ edk: { wrappedKey: "A".repeat(54) } }), 2],
  ])("does not decrypt: %s", async (_, change, links) => {
    hierarchy.change = await change();
    await refused();
    expect(unwrapped).toHaveLength(links);
    // Nothing of it stays in the way.
    hierarchy.change = {};
  });

  it("is refused where it goes back to an older version than was current", async () => {
    await hierarchy.renewDataKey("a-1");
    await hierarchy.rotateMasterKey();
    const instance = ladder();
    await instance.sealing("a-1");
    pass(10 * MINUTE);
    hierarchy.change = { identifier: { keyVersion: 1 } };
    await refused("key-superseded", instance);
    hierarchy.change = { receipt: { keyVersion: 1 } };
    await refused("key-superseded", instance);
    hierarchy.change = {};
    expect(named(await instance.sealing("a-1"))).toBe("k-a-1.2");
  });
});

describe("at level account", () => {
  it("W2 has the account key encrypted to itself, and the master key never", async () => {
    const instance = ladder("account");
    await instance.start();
    expect(hierarchy.asked).toEqual([]);
    const { edk, jws } = await instance.sealing("a-1");
    expect(told().split("\n")).toEqual([
      "ask key identifier IAM a-1",
      "get key identifier IAM a-1 k-a-1.1",
      "ask data key KMS a-1 k-a-1.1",
      "ask account key KMS a-1 ak-a-1-1",
      expect.stringMatching(/^get /),
      expect.stringMatching(/^get /),
      "decrypt account key a-1 ak-a-1-1",
      "decrypt data key a-1 k-a-1.1",
    ]);
    expect(unwrapped.map(({ extractable }) => extractable)).toEqual([false, false]);
    expect(edk.account).toBe("a-1");
    // A document brings its EDK: with the account key there, nobody is asked.
    pass(MINUTE);
    hierarchy.offline = true;
    expect(named(await instance.opening("a-1", "k-a-1.1", jws))).toBe("k-a-1.1");
  });

  it("W10 makes the next version of the data key under the account's current key, and seals on where that fails", async () => {
    const instance = ladder("account");
    await hierarchy.rotateAccountKey("a-1");
    vi.spyOn(hierarchy.authorities, "renewDataKey").mockRejectedValueOnce(new CofferError("offline"));
    await expect(instance.renew("a-1")).rejects.toMatchObject({ code: "offline" });
    expect(named(await instance.sealing("a-1"))).toBe("k-a-1.1");
    const { accountKey } = await instance.renew("a-1");
    expect(accountKey.id).toBe("ak-a-1-2");
  });

  it("W10 makes the next version of the data key itself", async () => {
    const instance = ladder("account");
    expect(await instance.renew("a-1")).toMatchObject({ keyId: "k-a-1", keyVersion: 2 });
    expect(named(await instance.sealing("a-1"))).toBe("k-a-1.2");
  });

  it.each<[string, () => Changes]>([
    ["another account", () => ({ accountReceipt: { account: "a-2" } })],
    ["another account key", () => ({ accountReceipt: { keyId: "ak-9" } })],
    ["another instance", () => ({ accountReceipt: { recipient: "A".repeat(43) } })],
    ["another challenge", () => ({ accountReceipt: { challenge: "A".repeat(43) } })],
    ["another wrapped key", () => ({ wrappedKey: encodeBase64url(new Uint8Array(384)) })],
    ["a signer that is not the KMS", () => ({ receiptBy: own.authority.edkSigner })],
  ])("W1 refuses before it unwraps a receipt for %s", async (_, change) => {
    hierarchy.change = change();
    await expect(ladder("account").sealing("a-1")).rejects.toMatchObject({ code: "key-refused" });
    expect(unwrapped).toEqual([]);
  });
});

describe("the strict variant, where the HSM keeps no master key", () => {
  beforeEach(() => {
    hierarchy.strict = true;
  });

  it("W1 (W11) makes an account's first keys here: its account key under the master key, then a data key", async () => {
    const instance = ladder();
    const sealing = instance.sealing("a-2");
    await expect(sealing).resolves.toBeDefined();
    const key = await sealing;
    expect(key.edk).toMatchObject({ account: "a-2", keyVersion: 1, accountKey: { id: "ak-a-2-1" } });
    expect(
      told()
        .split("\n")
        .filter((line) => line.includes("new ")),
    ).toEqual([
      "ask new account key IAM a-2",
      "get new account key IAM a-2",
      "ask new data key IAM a-2",
      "get new data key IAM a-2",
    ]);
    expect(unwrapped.every(({ extractable }) => !extractable)).toBe(true);
    // Another instance climbs to the same key, and makes none.
    steps = [];
    expect(named(await ladder().sealing("a-2"))).toBe(named(key));
    expect(told()).not.toContain("new ");
  });

  it("W1 (W11) takes the keys of another instance that was first, at each step", async () => {
    const { keyIdentifier } = hierarchy.authorities;
    for (const [account, first] of [
      ["a-3", () => hierarchy.rotateAccountKey("a-3")],
      ["a-4", () => hierarchy.account("a-4")],
    ] as const) {
      let once = true;
      hierarchy.authorities.keyIdentifier = async (...of) => {
        const found = keyIdentifier(...of);
        // Between the question and what is made by its answer.
        await found.catch(() => undefined);
        if (once) await first();
        once = false;
        return found;
      };
      const { edk } = await ladder().sealing(account);
      expect(edk.accountKey).toMatchObject({ id: `ak-${account}-1` });
    }
    hierarchy.authorities.keyIdentifier = keyIdentifier;
  });

  it("W1 gives up where nobody takes what it makes, and makes nothing at level account", async () => {
    const { keepAccountKey } = hierarchy.authorities;
    hierarchy.authorities.keepAccountKey = async () => {
      throw new CofferError("conflict");
    };
    await expect(ladder().sealing("a-5")).rejects.toMatchObject({ code: "strict-tenant" });
    hierarchy.authorities.keepAccountKey = keepAccountKey;
    await expect(ladder("account").sealing("a-5")).rejects.toMatchObject({ code: "forbidden" });
  });

  it("W11 rotates an account key: what comes is under it, what was stays", async () => {
    const instance = ladder();
    const before = await instance.sealing("a-1");
    expect(await instance.renewAccount("a-1")).toEqual({ id: "ak-a-1-2", version: 2 });
    const { keyVersion } = await instance.renew("a-1");
    expect(keyVersion).toBe(2);
    expect((await instance.sealing("a-1")).edk.accountKey).toEqual({ id: "ak-a-1-2", version: 2 });
    expect(named(await instance.opening("a-1", named(before), before.jws))).toBe(named(before));
    await expect(ladder("account").renewAccount("a-1")).rejects.toMatchObject({ code: "forbidden" });
  });
});
