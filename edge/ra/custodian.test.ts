import { expect, it } from "vitest";
import type { Caller } from "../caller.ts";
import type { Custodian } from "../iam/types.ts";
import { fail, ok, refuse } from "../result.ts";
import { checkStanding, type Standing } from "./custodian.ts";

const NOW = 1_800_000_000;
const caller: Caller = {
  tenant: "acme",
  user: "u1",
  custodian: "CN=u1,OU=https://app.example,O=acme",
  client: "https://app.example",
  jkt: "thumb",
  origin: "https://app.example",
  requestId: "r1",
};
const custodian: Custodian = {
  tenant: "acme",
  user: "u1",
  client: caller.client,
  dn: caller.custodian,
  jkt: caller.jkt,
  origin: caller.origin,
  certificate: new Uint8Array(1),
  notAfter: NOW + 1,
};
const check = (over: Partial<Custodian> = {}, standing: Partial<Standing> = {}) =>
  checkStanding(caller, {
    registered: ok({ ...custodian, ...over }),
    certificate: ok(undefined),
    master: ok(true),
    apps: [caller.origin],
    now: NOW,
    ...standing,
  });

it("M5 a registered custodian whose tenant has a master key may have a grant", () => {
  expect(check()).toEqual({ ok: true, value: undefined });
});

it.each([
  ["a custodian that is not registered", {}, { registered: fail("foreign-custodian") }, "forbidden"],
  ["another tenant's", { tenant: "umbrella" }, {}, "forbidden"],
  ["another user's", { user: "u2" }, {}, "forbidden"],
  ["another name", { dn: "CN=u1,OU=https://other.example,O=acme" }, {}, "forbidden"],
  ["another client's", { client: "https://other.example" }, {}, "forbidden"],
  ["a certificate for another key", { jkt: "other" }, {}, "forbidden"],
  ["an expired certificate", { notAfter: NOW }, {}, "forbidden"],
  ["a certificate that does not hold", {}, { certificate: refuse("forbidden", "altered") }, "forbidden"],
  ["another origin", { origin: "https://other.example" }, {}, "foreign-origin"],
  ["an origin that is no app's any more", {}, { apps: ["https://other.example"] }, "foreign-origin"],
  ["a tenant without master key", {}, { master: ok(false) }, "forbidden"],
  ["an HSM that is away", {}, { master: fail("hsm-unavailable") }, "hsm-unavailable"],
] as const)("M5 refuses %s", (_, over, standing, code) => {
  expect(check(over, standing)).toMatchObject({ ok: false, problem: { code } });
});
