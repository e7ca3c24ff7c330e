import { describe, expect, it } from "vitest";
import type { Edk } from "#protocol/keys/index.ts";
import { rulesOf, type Statement } from "#protocol/policy/statements/index.ts";
import type { Caller } from "../../caller.ts";
import type { Recipient } from "../../ra/types.ts";
import type { Policies } from "../policies.ts";
import type { DataKeyRecord } from "../registry.ts";
import { decideRelease } from "./release.ts";

const NOW = 1_800_000_000;
const caller: Caller = {
  tenant: "acme",
  user: "u1",
  custodian: "CN=u1,OU=page,O=acme",
  client: "page",
  jkt: "t",
  origin: "https://app.example",
  requestId: "r",
};
const edk = { tenant: "acme", account: "a1", policy: { operations: ["encrypt", "decrypt"] } } as Edk;
const recipient: Recipient = {
  instance: "i1",
  custodian: caller.custodian,
  user: "u1",
  origin: caller.origin,
  tier: "software",
  hsmKey: "k1",
  notAfter: NOW + 10,
  status: "active",
};
const record: DataKeyRecord = {
  account: "a1",
  client: "page",
  state: "enabled",
  expires: null,
  policy: { operations: ["encrypt", "decrypt"] },
};
const decide = (
  over: {
    caller?: Partial<Caller>;
    edk?: Partial<Edk>;
    recipient?: Partial<Recipient> | null;
    record?: Partial<DataKeyRecord> | null;
    policies?: Policies;
  } = {},
) =>
  decideRelease(
    { ...caller, ...over.caller },
    {
      edk: { ...edk, ...over.edk },
      recipient: over.recipient === null ? null : { ...recipient, ...over.recipient },
      record: over.record === null ? null : { ...record, ...over.record },
      policies: over.policies ?? [],
      now: NOW,
    },
  );

describe("M8 release", () => {
  it("is allowed to the caller's own instance for a key of the caller's account", () => {
    expect(decide()).toEqual({ ok: true, value: { operations: ["encrypt", "decrypt"] } });
  });

  it("M13 is refused for a key that another app had made", () => {
    expect(decide({ record: { client: "another app" } })).toMatchObject({ problem: { code: "forbidden" } });
  });

  it("M12 gives what both policies allow, and nothing when that is nothing", () => {
    expect(decide({ record: { policy: { operations: ["decrypt"] } } })).toMatchObject({
      value: { operations: ["decrypt"] },
    });
    expect(
      decide({
        edk: { policy: { operations: ["encrypt"] } },
        record: { policy: { operations: ["decrypt"] } },
      }).ok,
    ).toBe(false);
    expect(decide({ record: { policy: { operations: ["decrypt"], denied: [caller.custodian] } } }).ok).toBe(
      false,
    );
    expect(decide({ edk: { policy: { operations: ["decrypt"], tier: "hardware" } } }).ok).toBe(false);
    expect(decide({ record: { policy: { operations: ["decrypt"], expires: NOW } } }).ok).toBe(false);
  });

  it.each([
    ["another tenant's EDK", { edk: { tenant: "umbrella" } }, "forbidden"],
    ["an EDK of another account than its key", { edk: { account: "a2" } }, "forbidden"],
    ["an unregistered certificate", { recipient: null }, "not-recipient"],
    ["a revoked instance", { recipient: { status: "revoked" } }, "not-recipient"],
    ["an expired instance", { recipient: { status: "expired" } }, "not-recipient"],
    ["an instance whose time is over", { recipient: { notAfter: NOW } }, "not-recipient"],
    [
      "another custodian's instance",
      { recipient: { custodian: "CN=u1,OU=other,O=acme" } },
      "foreign-custodian",
    ],
    ["another user's instance", { recipient: { user: "u2" } }, "foreign-custodian"],
    [
      "an instance for another origin",
      { recipient: { origin: "https://evil.example" } },
      "foreign-custodian",
    ],
    ["a key that was never issued", { record: null }, "forbidden"],
    ["a key of another account", { record: { account: "a2" } }, "forbidden"],
    ["a disabled key", { record: { state: "disabled" } }, "forbidden"],
    ["an expired key", { record: { expires: NOW } }, "forbidden"],
  ] as const)("M20 refuses %s", (_, over, code) => {
    expect(decide(over)).toMatchObject({ ok: false, problem: { code } });
  });
});

describe("M12, B3 release under policies that stand", () => {
  const all: Statement = { effect: "allow", principals: "*", actions: "*", resources: "*" };
  const under = (...layers: Statement[][]) =>
    decide({ policies: layers.map((statements) => rulesOf({ statements })) });
  const FORBIDDEN = { ok: false, problem: { code: "forbidden" } };

  it("needs an allow of each, and the receipt lists what all of them allow", () => {
    expect(under([all], [all])).toEqual({ ok: true, value: { operations: ["encrypt", "decrypt"] } });
    expect(under([all], [{ ...all, actions: ["decrypt", "sign"] }])).toEqual({
      ok: true,
      value: { operations: ["decrypt"] },
    });
    expect(under([all], [{ ...all, actions: ["sign"] }])).toMatchObject(FORBIDDEN);
    expect(under([all, { ...all, effect: "deny", resources: ["accounts/a1/**"] }])).toMatchObject(FORBIDDEN);
  });

  it("M12 has a key go to instances with hybrid keys alone, by a statement or by either policy of the key", () => {
    const RSA: Statement = { ...all, effect: "deny", conditions: { wrappings: ["RSA-OAEP"] } };
    const ONLY: Statement = { ...all, conditions: { wrappings: ["hybrid"] } };
    const demanded = { operations: ["encrypt", "decrypt"] as const, wrapping: "hybrid" as const };
    const policies = (...statements: Statement[]) => ({ policies: [rulesOf({ statements })] });
    const policy = { ...demanded, operations: [...demanded.operations] };
    const demands = [policies(all, RSA), policies(ONLY), { edk: { policy } }, { record: { policy } }];
    for (const demand of demands) {
      for (const hybridKey of [null, undefined as unknown as null])
        expect(decide({ ...demand, recipient: { hybridKey } })).toMatchObject({
          problem: { code: "hybrid-required" },
        });
      expect(decide({ ...demand, recipient: { hybridKey: "k-2" } }).ok).toBe(true);
    }
    expect(decide({ ...demands[2], recipient: { hybridKey: "k-2" } })).toMatchObject({ value: policy });
    // What would be refused anyway is told as ever.
    const denied = { ...policies(RSA, { ...all, effect: "deny" }), recipient: { hybridKey: null } };
    expect(decide(denied)).toMatchObject(FORBIDDEN);
  });

  it("reads the custodian's name attribute by attribute, and takes what it does not know for a no", () => {
    const named = (name: Record<string, string>) => under([{ ...all, principals: [{ name }] }]).ok;
    expect(named({ O: "acme", OU: "page" })).toBe(true);
    expect(named({ O: "acme", OU: "other" })).toBe(false);
    expect(under([{ ...all, principals: [{ groups: ["staff"] }] }])).toMatchObject(FORBIDDEN);
    expect(under([all, { ...all, effect: "deny", principals: [{ groups: ["contractors"] }] }])).toMatchObject(
      FORBIDDEN,
    );
    expect(under([{ ...all, conditions: { origins: ["https://other.example"] } }])).toMatchObject(FORBIDDEN);
  });

  it("ends what it allows when a time in a policy comes", () => {
    const until = (time: { from?: number; until?: number }) => under([{ ...all, conditions: { time } }]);
    expect(until({ until: NOW + 5 })).toMatchObject({ value: { expires: NOW + 5 } });
    expect(until({ until: NOW })).toMatchObject(FORBIDDEN);
    expect(
      under([all, { ...all, effect: "deny", conditions: { time: { from: NOW + 3, until: NOW + 9 } } }]),
    ).toMatchObject({ value: { expires: NOW + 3 } });
  });
});
