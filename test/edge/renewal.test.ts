/** Renewal on the real edge: an instance has its certificates renewed by its own key, without cookie or custodian. */

import { setTimeout as pause } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { loopbackFetch } from "#cli/loopback-fetch.ts";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { codeOf } from "#protocol/error.ts";
import type { Load } from "#protocol/keys/index.ts";
import { parseCertificate } from "#protocol/pki/index.ts";
import { createPortClient } from "#protocol/port/index.ts";
import { startMicroservice } from "#web/hosts/node/index.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import {
  ageByHalf,
  type EnrolmentAnswer,
  enrol,
  type Keys,
  makeKeys,
  renewalOf,
} from "../support/instance.ts";
import { readRows, useSystem } from "../system/index.ts";

/** Seconds. */
const LIFE = 24;
const system = useSystem({
  vars: { COFFER_INSTANCE_SECONDS: String(LIFE), COFFER_ENROLMENTS_PER_MINUTE: "20000" },
});
let ann: EdgeClient;
let keys: Keys;

beforeAll(async () => {
  ann = await EdgeClient.signedIn(system, "Ann");
  keys = await makeKeys();
});

type Body = { identityCertificate: string; wrappingCertificate: string; proof: string };
type Enrolled = EnrolmentAnswer & { at: number };

async function enrolled(of = ann, with_ = keys): Promise<Enrolled> {
  const at = Date.now();
  return { ...json<EnrolmentAnswer>(await enrol(of, with_)), at };
}
const halfOf = ({ at }: Enrolled) => pause(Math.max(0, at + (LIFE / 2) * 1000 + 1500 - Date.now()));

const renewal = (of: EnrolmentAnswer, by = keys) => renewalOf(of, by);
/** Without the cookie: it is the key that says who asks. */
const renew = (body: Body, headers: Record<string, string> = {}) =>
  ann.vaultPost("/ra/renewals", body, { cookie: "", ...headers });
const load = async (certificate: string, of = ann) => {
  const order = { account: of.account, count: 1, purpose: "document" };
  const { edks } = json<{ edks: string[] }>(await of.rest("POST", "/kms/data-keys", order));
  return of.rest("POST", "/kms/loads", { way: "rewrap", edk: edks[0], certificate });
};
const rowOf = (id: string) => readRows(system.edgeDir, "instances").find((row) => row.id === id);

describe("renewal by the instance itself", () => {
  it("M13 M20 gives certificates for the same keys, custodian and method, the same ones whenever it is asked again, and only in the second half of their life", async () => {
    const first = await enrolled();
    const body = await renewal(first);
    expect(problem(await renew(body)), "too early").toBe("400 invalid-grant");
    await halfOf(first);
    const before = readRows(system.edgeDir, "instances").length;
    const answers = await Promise.all(Array.from({ length: 12 }, () => renew(body)));
    const [answer] = answers;
    const second = json<EnrolmentAnswer>(answer!);
    const said = answers.map((each) => json<EnrolmentAnswer>(each));
    expect(said, "presented twelve times at once").toEqual(said.map(() => second));
    expect(readRows(system.edgeDir, "instances"), "is one renewal").toHaveLength(before + 1);
    expect(second).toMatchObject({ method: "grant", custodian: first.custodian, origin: ann.app });
    expect(second.instance).not.toBe(first.instance);
    expect(second.notAfter).toBeGreaterThan(first.notAfter);
    const spki = (certificate: string) =>
      encodeBase64url(parseCertificate(decodeBase64url(certificate)).spki);
    expect(spki(second.identityCertificate)).toBe(spki(first.identityCertificate));
    expect(spki(second.wrappingCertificate)).toBe(spki(first.wrappingCertificate));
    expect((await load(second.wrappingCertificate)).status).toBe(200);
    // An answer may have been lost; the key has to be shown each time, and an edge that starts again knows it too.
    await system.restart();
    expect(json(await renew(body)), "afterwards").toEqual(second);
    const stranger = await renewal(first, await makeKeys(keys.wrapping));
    expect(problem(await renew(stranger)), "by another key").toBe("400 invalid-certificate");
    expect(readRows(system.edgeDir, "instances")).toHaveLength(before + 1);
    await pause((LIFE + 1) * 1000);
    expect(problem(await renew(body)), "when what it was renewed by has ended").toBe("403 not-recipient");
  });

  it("M20 is refused to who has not the key, to another origin, and for certificates that are nobody's or not of one instance", async () => {
    const [mine, other] = [await enrolled(), await enrolled(ann, await makeKeys(keys.wrapping))];
    for (const each of [mine, other]) ageByHalf(system.edgeDir, each);
    const before = readRows(system.edgeDir, "instances").length;
    const body = await renewal(mine);
    const stranger = await makeKeys(keys.wrapping);
    expect(problem(await renew(await renewal(mine, stranger))), "another key").toBe(
      "400 invalid-certificate",
    );
    const flipped = `${body.proof.startsWith("A") ? "B" : "A"}${body.proof.slice(1)}`;
    expect(problem(await renew({ ...body, proof: flipped }))).toBe("400 invalid-certificate");
    expect(problem(await renew(body, { origin: ann.app }))).toBe("403 foreign-origin");
    const swapped = { ...mine, wrappingCertificate: other.wrappingCertificate };
    expect(problem(await renew(await renewal(swapped))), "of two instances").toBe("403 not-recipient");
    const nobody = { ...mine, identityCertificate: ann.tokens.custodian.certificate };
    expect(problem(await renew(await renewal(nobody))), "no instance's").toBe("400 invalid-certificate");
    expect(readRows(system.edgeDir, "instances")).toHaveLength(before);
    expect((await renew(body)).status, "nothing of it used the right up").toBe(200);
  });

  it("M20 W12 a revocation of the first ends what it was renewed by, at the KMS at once and at the HSM", async () => {
    const first = await enrolled();
    ageByHalf(system.edgeDir, first);
    const second = json<EnrolmentAnswer>(await renew(await renewal(first)));
    expect((await ann.rest("DELETE", `/ra/instances/${first.instance}`)).status).toBe(204);
    expect(problem(await load(second.wrappingCertificate))).toBe("403 not-recipient");
    expect(problem(await renew(await renewal(second)))).toBe("403 not-recipient");
    expect(problem(await renew(await renewal(first))), "nor is it told again").toBe("403 not-recipient");
    await expect.poll(() => rowOf(second.instance)?.hsm_gone, { timeout: 10_000 }).toBe(1);
  });

  it("M20 an end of the session ends the instance at RA and HSM alike, and nothing renews it", async () => {
    const bob = await EdgeClient.signedIn(system, "Bob");
    const of = await makeKeys(keys.wrapping);
    const first = await enrolled(bob, of);
    ageByHalf(system.edgeDir, first);
    const out = await bob.form(`${bob.vault}/sign-out`, {}, { cookie: bob.cookie, origin: bob.vault });
    expect(out.status).toBeLessThan(400);
    await expect.poll(() => rowOf(first.instance)?.status, { timeout: 10_000 }).toBe("revoked");
    expect(problem(await renew(await renewal(first, of)))).toBe("403 not-recipient");
    await expect.poll(() => rowOf(first.instance)?.hsm_gone, { timeout: 10_000 }).toBe(1);
  });

  it("M20 an end of the family alone (a used refresh token) ends the instance, and nothing renews it", async () => {
    const eve = await EdgeClient.signedIn(system, "Eve");
    const of = await makeKeys(keys.wrapping);
    const first = await enrolled(eve, of);
    const { refresh_token: used } = eve.tokens;
    const next = json<{ refresh_token: string }>(await eve.refresh(used));
    json(await eve.refresh(next.refresh_token));
    ageByHalf(system.edgeDir, first);
    expect(problem(await eve.refresh(used))).toBe("400 invalid-grant");
    await expect.poll(() => rowOf(first.instance)?.status, { timeout: 10_000 }).toBe("revoked");
    expect(problem(await renew(await renewal(first, of)))).toBe("403 not-recipient");
    await expect.poll(() => rowOf(first.instance)?.hsm_gone, { timeout: 10_000 }).toBe(1);
  });
});

// Both wait for lives to end: at the same time.
it.concurrent("M20 without a renewal the certificate's end ends the instance, at RA, KMS and HSM", async () => {
  const first = await enrolled();
  await pause((LIFE + 1) * 1000);
  expect(problem(await load(first.wrappingCertificate))).toBe("403 not-recipient");
  expect(problem(await renew(await renewal(first)))).toBe("403 not-recipient");
  await expect.poll(() => rowOf(first.instance)?.hsm_gone, { timeout: 90_000 }).toBe(1);
});

it.concurrent("M2 M13 in Node a microservice that has no cookie renews itself in time, and what was asked for under its former certificate still comes", async () => {
  const asked: string[] = [];
  const bare: typeof fetch = (input, init) => {
    asked.push(new URL(String(input)).pathname);
    const headers = { ...(init?.headers as Record<string, string>), origin: ann.vault };
    return loopbackFetch(input, { ...init, headers });
  };
  const { dn } = ann.tokens.custodian;
  const started = startMicroservice({
    ...{ vault: ann.vault, origin: ann.app, fetch: bare, custodian: dn },
    rootKey: system.running.rootKey,
  });
  const port = createPortClient(started.port);
  await port.hello(dn);
  const { secretZero } = json<{ secretZero: string }>(
    await ann.rest("POST", "/ra/secret-zeros", { custodian: dn }),
  );
  const first = await port.enrol({ method: "secret-zero", secretZero });
  const late = json<Load>(await load(first.wrappingCertificate));
  const current = async () => (await port.hello(dn)).instance;
  await expect.poll(async () => (await current())?.id, { timeout: 90_000 }).not.toBe(first.id);
  expect(asked.filter((path) => path === "/ra/renewals").length).toBeGreaterThan(0);
  const second = await current();
  expect(second).toMatchObject({ custodian: dn, method: "secret-zero" });
  expect(await port.load(late).then(() => null, codeOf)).toBe(null);
  await port.load(json<Load>(await load(second!.wrappingCertificate)));
  // It goes on: a later one follows, and keys are still released.
  await expect.poll(async () => (await current())?.id, { timeout: 90_000 }).not.toBe(second!.id);
  const third = await current();
  await port.load(json<Load>(await load(third!.wrappingCertificate)));
  started.close();
});
