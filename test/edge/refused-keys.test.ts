/**
 * M20 for all that brings a key: grants, EDKs, requests for retained keys, seeds, receipts, wrapped keys and entrusted keys, each wrong in every
 * way that there is: refused with its code, with an audit row where the edge is asked, and nothing left but what was used up.
 */

import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import { seconds } from "#protocol/clock.ts";
import { IDENTITY } from "#protocol/hierarchy/index.ts";
import { jwsPart, jwsParts } from "#protocol/jws.ts";
import type { Edk, LoadOf, Receipt, SeedEdk } from "#protocol/keys/index.ts";
import { createPortClient, type PortClient } from "#protocol/port/index.ts";
import { startMicroservice } from "#web/hosts/node/index.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { type Answer, json, problem } from "../support/http.ts";
import { askGrant, type Instance, instanceOf } from "../support/instance.ts";
import { presentation } from "../support/presentation.ts";
import { retainedRequest } from "../support/retained.ts";
import * as seeds from "../support/seed.ts";
import { hsmClient } from "../system/hsm.ts";
import { readRows, useSystem } from "../system/index.ts";

const system = useSystem({ otherTenants: ["umbrella"] });
const HOUR = 3600_000;
let [ann, second, bob, foreign, revoked]: Instance[] = [];
let hsm: Awaited<ReturnType<typeof hsmClient>>;
const now = () => seconds(Date.now());

beforeAll(async () => {
  hsm = await hsmClient(system, IDENTITY.kms);
  const [one, two] = await Promise.all(["Ann", "Bob"].map((name) => EdgeClient.signedIn(system, name)));
  ann = await instanceOf(one!);
  second = await instanceOf(one!);
  revoked = await instanceOf(one!);
  bob = await instanceOf(two!);
  foreign = await instanceOf(await EdgeClient.signedIn(system.tenant("umbrella"), "Ann"));
  await one!.rest("DELETE", `/ra/instances/${revoked.enrolled.instance}`);
}, 60_000);
afterAll(() => hsm.close());

/**
 * What the cases have before they are refused: keys that the KMS retains, which are the HSM's, grants that were issued, and loads
 * that went through.
 */
const done = { retained: 0, grants: 0, loads: 0 };

async function newKey(more: { custody?: string; policy?: object } = {}): Promise<string> {
  const order = { account: ann!.client.account, count: 1, purpose: "document", ...more };
  const { edks } = json<{ edks: string[] }>(await ann!.client.rest("POST", "/kms/data-keys", order));
  if (more.custody === "kms") done.retained += 1;
  return edks[0]!;
}
const said = <T = Edk>(token: string) => JSON.parse(new TextDecoder().decode(jwsParts(token).payload)) as T;
const nameOf = (edk: string) => `${said(edk).keyId}.${said(edk).keyVersion}`;
/** The same signature under another payload. */
function altered(token: string, change: object): string {
  const [header, , signature] = token.split(".");
  return [header, jwsPart({ ...said(token), ...change }), signature].join(".");
}
const wrong = (text: string) =>
  encodeBase64url(Buffer.from(text, "base64url").map((byte, n) => (n === 5 ? byte ^ 1 : byte)));

const rewrap = ({ client, enrolled }: Instance, edk: string) =>
  client.rest("POST", "/kms/loads", { way: "rewrap", edk, certificate: enrolled.wrappingCertificate });
const grantOf = ({ client, enrolled }: Instance, edk: string, more: object = {}) =>
  client.rest("POST", "/kms/grants", { edks: [edk], certificate: enrolled.wrappingCertificate, ...more });
async function granted(edk: string, of = ann!, more: object = {}): Promise<string> {
  const { grant } = json<{ grant: string }>(await grantOf(of, edk, more));
  done.grants += 1;
  return grant;
}
function passes(answer: Answer): void {
  expect(answer.status, answer.text).toBe(200);
  done.loads += 1;
}
const present = async (of: Instance, grant: string, edk: string) =>
  of.client.vaultPost("/presentations", (await presentation(of, grant, [edk])).body);
const retained = async (of: Instance, edk: string, more: object = {}) =>
  of.client.vaultPost(
    "/retained-keys",
    await retainedRequest(of, { account: ann!.client.account, keys: [nameOf(edk)], ...more }),
  );
const change = (edk: string, state: object) =>
  ann!.client.rest("PUT", `/kms/accounts/${ann!.client.account}/keys/${nameOf(edk)}`, state);
const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const SEED = utf8("a seed of this table");
const seedKey = () => seeds.orderKeys(ann!, SEED);
async function seedGrant(edks: string[], more: object = {}): Promise<string> {
  const grant = await seeds.granted(ann!, edks, more);
  done.grants += 1;
  return grant;
}
const seedChannel = async (edks: string[]) => seeds.openChannel(ann!, edks, { grant: await seedGrant(edks) });

const DENIED = { policy: { operations: ["decrypt"], principals: ["CN=somebody,O=else"] } };
const ENDS = () => ({ policy: { operations: ["decrypt"], expires: now() + 1 } });
const KEPT = { custody: "kms" };

type Case = [what: string, code: string, act: () => Promise<Answer>];
const CASES: Case[] = [
  [
    "a grant that has expired",
    "400 invalid-grant",
    async () => {
      const edk = await newKey();
      const grant = await granted(edk, ann, { life: 1 });
      await wait(2100);
      return present(ann!, grant, edk);
    },
  ],
  [
    "a grant that was used",
    "400 invalid-grant",
    async () => {
      const edk = await newKey();
      const grant = await granted(edk);
      passes(await present(ann!, grant, edk));
      return present(ann!, grant, edk);
    },
  ],
  [
    "a grant of another instance",
    "403 not-recipient",
    async () => {
      const edk = await newKey();
      return present(second!, await granted(edk), edk);
    },
  ],
  [
    "a grant of another tenant",
    "400 invalid-grant",
    async () => {
      const edk = await newKey();
      return present(foreign!, await granted(edk), edk);
    },
  ],
  [
    "a grant for a seed of another tenant",
    "400 invalid-grant",
    async () => {
      const edks = await seedKey();
      return (await seeds.openChannel(foreign!, edks, { grant: await seedGrant(edks) })).answer;
    },
  ],
  [
    "a grant for another key",
    "400 invalid-grant",
    async () => present(ann!, await granted(await newKey()), await newKey()),
  ],
  [
    "a grant whose key was disabled since",
    "403 forbidden",
    async () => {
      const edk = await newKey();
      const grant = await granted(edk);
      await change(edk, { state: "disabled" });
      return present(ann!, grant, edk);
    },
  ],
  ["a grant for a revoked instance", "403 not-recipient", async () => grantOf(revoked!, await newKey())],
  ["a grant that policy denies", "403 forbidden", async () => grantOf(ann!, await newKey(DENIED))],
  [
    "an EDK whose policy has ended",
    "403 forbidden",
    async () => {
      const edk = await newKey(ENDS());
      await wait(2100);
      return rewrap(ann!, edk);
    },
  ],
  [
    "an EDK for another instance's certificate",
    "403 not-recipient",
    async () =>
      ann!.client.rest("POST", "/kms/loads", {
        ...{ way: "rewrap", edk: await newKey(), certificate: bob!.enrolled.wrappingCertificate },
      }),
  ],
  ["an EDK of another account", "403 forbidden", async () => rewrap(bob!, await newKey())],
  ["an EDK of another tenant", "403 forbidden", async () => rewrap(foreign!, await newKey())],
  [
    "an EDK with other metadata",
    "400 invalid-edk",
    async () => rewrap(ann!, altered(await newKey(), { account: bob!.client.account })),
  ],
  [
    "an EDK with a wider policy",
    "400 invalid-edk",
    async () =>
      rewrap(ann!, altered(await newKey(DENIED), { policy: { operations: ["encrypt", "decrypt"] } })),
  ],
  [
    "an EDK with another key in it",
    "400 invalid-edk",
    async () => {
      const edk = await newKey();
      return rewrap(ann!, altered(edk, { wrappedKey: wrong(said(edk).wrappedKey) }));
    },
  ],
  ["an EDK for a revoked instance", "403 not-recipient", async () => rewrap(revoked!, await newKey())],
  [
    "an EDK of a disabled key",
    "403 forbidden",
    async () => {
      const edk = await newKey();
      await change(edk, { state: "disabled" });
      return rewrap(ann!, edk);
    },
  ],
  ["an EDK that policy denies", "403 forbidden", async () => rewrap(ann!, await newKey(DENIED))],
  [
    "a request for a retained key that is too old",
    "400 invalid-grant",
    async () => retained(ann!, await newKey(KEPT), { iat: now() - 3600 }),
  ],
  [
    "a request for a retained key that was sent before",
    "400 invalid-grant",
    async () => {
      const body = await retainedRequest(ann!, { keys: [nameOf(await newKey(KEPT))] });
      passes(await ann!.client.vaultPost("/retained-keys", body));
      return ann!.client.vaultPost("/retained-keys", body);
    },
  ],
  [
    "a retained key for a revoked instance",
    "403 not-recipient",
    async () => retained(revoked!, await newKey(KEPT)),
  ],
  [
    "a retained key for another account's instance",
    "403 forbidden",
    async () => retained(bob!, await newKey(KEPT)),
  ],
  [
    "a retained key that is disabled",
    "403 forbidden",
    async () => {
      const edk = await newKey(KEPT);
      await change(edk, { state: "disabled" });
      return retained(ann!, edk);
    },
  ],
  [
    "a grant for a seed that has expired",
    "400 invalid-grant",
    async () => {
      const edks = await seedKey();
      const grant = await seedGrant(edks, { life: 1 });
      await wait(2100);
      return (await seeds.openChannel(ann!, edks, { grant })).answer;
    },
  ],
  [
    "a grant for a seed that was used",
    "400 invalid-grant",
    async () => {
      const opened = await seedChannel(await seedKey());
      const sealed = await seeds.sealSeed(ann!, opened, SEED);
      passes(await seeds.present(ann!, sealed));
      return ann!.client.vaultPost("/seed-channels", opened.made.body);
    },
  ],
  [
    "a grant for a seed of another instance",
    "403 not-recipient",
    async () => {
      const edks = await seedKey();
      return (await seeds.openChannel(second!, edks, { grant: await seedGrant(edks) })).answer;
    },
  ],
  [
    "a grant for another key of the seed",
    "400 invalid-grant",
    async () => {
      const [one, other] = [await seedKey(), await seedKey()];
      return (await seeds.openChannel(ann!, other, { grant: await seedGrant(one) })).answer;
    },
  ],
  [
    "a grant for a seed whose key was disabled since",
    "403 forbidden",
    async () => {
      const edks = await seedKey();
      const grant = await seedGrant(edks);
      await change(edks[0]!, { state: "disabled" });
      return (await seeds.openChannel(ann!, edks, { grant })).answer;
    },
  ],
  ["a key of a seed of another account", "403 forbidden", async () => seeds.askGrant(bob!, await seedKey())],
  [
    "a key of a seed that is to be rewrapped",
    "400 invalid-edk",
    async () => rewrap(ann!, (await seedKey())[0]!),
  ],
  [
    "a key of a seed with another digest in it",
    "400 invalid-edk",
    async () => {
      const [edk = ""] = await seedKey();
      const { seed } = said<SeedEdk>(edk);
      return seeds.askGrant(ann!, [altered(edk, { seed: { ...seed, digest: wrong(seed.digest) } })]);
    },
  ],
  [
    "a seed that was altered",
    "502 hsm-refused",
    async () => {
      const opened = await seedChannel(await seedKey());
      const sealed = await seeds.sealSeed(ann!, opened, SEED);
      return seeds.present(ann!, { ...sealed, sealed: wrong(sealed.sealed) });
    },
  ],
  [
    "a seed that was sent before",
    "400 invalid-grant",
    async () => {
      const opened = await seedChannel(await seedKey());
      const sealed = await seeds.sealSeed(ann!, opened, SEED);
      passes(await seeds.present(ann!, sealed));
      return seeds.present(ann!, sealed);
    },
  ],
  [
    "a seed whose key was disabled while its channel was open",
    "403 forbidden",
    async () => {
      const edks = await seedKey();
      const sealed = await seeds.sealSeed(ann!, await seedChannel(edks), SEED);
      await change(edks[0]!, { state: "disabled" });
      return seeds.present(ann!, sealed);
    },
  ],
  [
    "a retained key that policy denies",
    "403 forbidden",
    async () => retained(ann!, await newKey({ ...KEPT, ...DENIED })),
  ],
];

const entries = () => readRows(system.edgeDir, "links").map(({ entry }) => JSON.parse(String(entry)));

/** How many objects of each kind the HSM has for the KMS. */
async function objectsAtHsm() {
  const of = async (objectType: "SymmetricKey" | "SecretData" | "PublicKey" | "PrivateKey") =>
    (await hsm.request("Locate", { attributes: { objectType } })).uniqueIdentifier.length;
  const [symmetric, secrets] = [await of("SymmetricKey"), await of("SecretData")];
  return { symmetric, secrets, public: await of("PublicKey"), private: await of("PrivateKey") };
}

/** What the KMS keeps of grants, of channels for seeds, and of the keys that it gave out. */
function keptByKms() {
  const releases = readRows(system.edgeDir, "key_management").map((row) => Number(row.releases));
  return {
    grants: readRows(system.edgeDir, "load_grants").length,
    channels: readRows(system.edgeDir, "seed_channels").length,
    loads: releases.reduce((sum, each) => sum + each, 0),
  };
}

describe("M20 what the edge is asked for", () => {
  let objects: Awaited<ReturnType<typeof objectsAtHsm>>;
  let kept: ReturnType<typeof keptByKms>;
  const settled = () =>
    vi.waitFor(() => expect(readRows(system.edgeDir, "hsm_batches")).toEqual([]), { timeout: 10_000 });

  beforeAll(async () => {
    // An account's own key comes with its first data key.
    await Promise.all([newKey(), newKey(KEPT), seedKey()]);
    await settled();
    [objects, kept] = [await objectsAtHsm(), keptByKms()];
    Object.assign(done, { retained: 0, grants: 0, loads: 0 });
  }, 30_000);

  it.each(CASES)("M20 refuses %s: %s", async (_, code, act) => {
    const answer = await act();
    expect(problem(answer)).toBe(code);
    const requestId = json<{ instance: string }>(answer).instance.replace("urn:uuid:", "");
    await expect
      .poll(() => entries().filter((entry) => entry.requestId === requestId && entry.outcome === "deny"), {
        timeout: 20_000,
      })
      .toContainEqual(expect.objectContaining({ code: code.slice(4) }));
  });

  it("M20 all of them together leave nothing at the HSM and in the KMS but the keys and grants that were asked for, and count no release", async () => {
    await settled();
    expect(await objectsAtHsm()).toEqual({ ...objects, symmetric: objects.symmetric + done.retained });
    const { grants, channels, loads } = kept;
    expect(keptByKms()).toEqual({ channels, grants: grants + done.grants, loads: loads + done.loads });
  });
});

describe("M20 what a microservice is given", () => {
  let passed = 0;
  let port: PortClient;
  let certificate: string;
  /** Paths that it has asked for, and what becomes of a channel's receipt on the way. */
  const asked: string[] = [];
  let between = (answer: unknown) => answer;
  let close: () => void;
  const context = () => ({ tenant: "development", account: ann!.client.account, purpose: "data" });
  const data = "AAAA";

  beforeAll(async () => {
    const { client } = ann!;
    const started = startMicroservice({
      ...{ vault: client.vault, origin: client.app, rootKey: system.running.rootKey },
      async fetch(input, init) {
        const answer = await fetch(input, {
          ...init,
          headers: {
            ...(init?.headers as Record<string, string>),
            origin: client.vault,
            cookie: client.cookie,
          },
        });
        const path = new URL(String(input)).pathname;
        asked.push(path);
        return path === "/seed-channels" ? Response.json(between(await answer.json())) : answer;
      },
      now: () => Date.now() + passed,
    });
    port = createPortClient(started.port);
    ({ close } = started);
    await port.hello(client.tokens.custodian.dn);
    await port.enrol({ method: "grant", grant: await askGrant(client) });
    certificate = await port.certificate();
  });
  afterAll(() => close());

  const loadFor = async (edk: string, to = certificate) =>
    json<LoadOf<"rewrap">>(
      await ann!.client.rest("POST", "/kms/loads", { way: "rewrap", edk, certificate: to }),
    );
  const code = (attempt: Promise<unknown>) =>
    attempt.then(
      () => "none",
      (error: { code: string }) => error.code,
    );

  const loadSeed = async (edks: string[], seed: ArrayBuffer | Blob | string) => {
    const { grant } = json<{ grant: string }>(
      await ann!.client.rest("POST", "/kms/grants", { edks, certificate }),
    );
    return port.load({ way: "seed", grant, edks, seed });
  };
  const loadOther = (...edks: string[]) =>
    port.load({ way: "seed", grant: "A".repeat(43), edks, seed: copy() });
  const copy = (bytes = SEED) => new Uint8Array(bytes).buffer;

  it("M9 M20 a seed that is not that of the key is refused before the grant is shown, and sealed to nobody that the HSM has not vouched for", async () => {
    const edks = await seedKey();
    const { grant } = json<{ grant: string }>(
      await ann!.client.rest("POST", "/kms/grants", { edks, certificate }),
    );
    asked.length = 0;
    const wrongSeed = { way: "seed", grant, edks, seed: copy(utf8("another seed")) } as const;
    expect(await code(port.load(wrongSeed))).toBe("seed-refused");
    expect(asked).toEqual([]);
    await port.load({ way: "seed", grant, edks, seed: copy() });
    expect(asked).toEqual(["/seed-channels", "/seed-presentations"]);
    let earlier: unknown;
    between = (answer) => {
      earlier = answer;
      return answer;
    };
    await loadSeed(edks, encodeBase64url(SEED));
    const receiptOf = (answer: unknown) => (answer as { receipt: string }).receipt;
    const own = encodeBase64url(new Uint8Array(32).fill(9));
    for (const change of [
      (answer: unknown) => ({ receipt: altered(receiptOf(answer), { share: own }) }),
      (answer: unknown) => ({ receipt: altered(receiptOf(answer), { kind: "account" }) }),
      () => earlier,
      () => ({ receipt: edks[0]! }),
    ]) {
      between = change;
      asked.length = 0;
      expect(await code(loadSeed(edks, copy()))).toBe("key-refused");
      expect(asked).toEqual(["/seed-channels"]);
    }
    between = (answer) => answer;
  });

  it.each<[string, string, () => Promise<unknown>]>([
    ["a seed of no bytes", "seed-refused", async () => loadSeed(await seedKey(), new Blob([]))],
    ["a seed for a key that has none", "key-refused", async () => loadOther(await newKey())],
    [
      "seeds of two",
      "key-refused",
      async () => loadOther(...(await seedKey()), ...(await seeds.orderKeys(ann!, utf8("a second seed")))),
    ],
    [
      "a receipt with other metadata",
      "key-refused",
      async () => {
        const load = await loadFor(await newKey());
        return port.load({ ...load, receipt: altered(load.receipt, { keyVersion: 2 }) });
      },
    ],
    [
      "a receipt with a wider policy",
      "key-refused",
      async () => {
        const load = await loadFor(await newKey());
        const { policy } = said<Receipt>(load.receipt);
        return port.load({
          ...load,
          receipt: altered(load.receipt, { policy: { ...policy, operations: ["mac"] } }),
        });
      },
    ],
    [
      "a receipt of another instance",
      "key-refused",
      async () => port.load(await loadFor(await newKey(), second!.enrolled.wrappingCertificate)),
    ],
    [
      "a receipt of another key",
      "key-refused",
      async () => {
        const [one, other] = [await loadFor(await newKey()), await loadFor(await newKey())];
        return port.load({ ...one, receipt: other.receipt });
      },
    ],
    [
      "a wrapped key that was altered",
      "key-refused",
      async () => {
        const load = await loadFor(await newKey());
        return port.load({ ...load, wrappedKey: wrong(load.wrappedKey) });
      },
    ],
    [
      "a wrapped key of another EDK",
      "key-refused",
      async () => {
        const [one, other] = [await loadFor(await newKey()), await loadFor(await newKey())];
        return port.load({ ...one, wrappedKey: other.wrappedKey });
      },
    ],
    [
      "an EDK of another tenant",
      "key-refused",
      async () => {
        const load = await loadFor(await newKey());
        return port.load({ ...load, edk: altered(load.edk, { tenant: "umbrella" }) });
      },
    ],
    [
      "a key in another context",
      "context-mismatch",
      async () => {
        const load = await loadFor(await newKey());
        await port.load(load);
        return port.operate("encrypt", {
          key: load.edk,
          context: { ...context(), account: bob!.client.account },
          data,
        });
      },
    ],
    [
      "an operation that policy denies",
      "forbidden",
      async () => {
        const load = await loadFor(await newKey({ policy: { operations: ["decrypt"] } }));
        await port.load(load);
        return port.operate("encrypt", { key: load.edk, context: context(), data });
      },
    ],
    [
      "a receipt that has expired",
      "key-refused",
      async () => {
        const load = await loadFor(await newKey());
        passed = 9 * HOUR;
        return port.load(load).finally(() => {
          passed = 0;
        });
      },
    ],
    [
      "an entrusted key that has ended",
      "forbidden",
      async () => {
        const load = await loadFor(await newKey());
        await port.load(load);
        const [key = ""] = await port.entrust([load.edk]);
        await port.operate("encrypt", { key, context: context(), data });
        passed = 9 * HOUR;
        return port.operate("encrypt", { key, context: context(), data }).finally(() => {
          passed = 0;
        });
      },
    ],
  ])("M20 refuses %s: %s", async (_, expected, attempt) => {
    expect(await code(attempt())).toBe(expected);
  });
});
