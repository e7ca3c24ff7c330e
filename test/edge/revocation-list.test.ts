/** Which certificates are revoked, for others than the KMS: the list that the real edge has signed in the real HSM, held against OpenSSL. */

import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodeBase64url } from "#protocol/base64url.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { type Answer, json, problem, send } from "../support/http.ts";
import {
  ageByHalf,
  askGrant,
  type EnrolmentAnswer,
  enrol,
  type Keys,
  makeKeys,
  openSession,
  redemption,
  renewalOf,
} from "../support/instance.ts";
import { missingProgram } from "../support/missing.ts";
import { changeRows, readRows, useSystem } from "../system/index.ts";

/** Instances of one user, ended ones too, whose certificates have not expired. */
const UNEXPIRED = 8;
const system = useSystem({
  otherTenants: ["other"],
  vars: {
    // Renewed, they end before the sessions that they were enrolled by.
    COFFER_INSTANCE_SECONDS: "3600",
    COFFER_REVOCATION_LIST_SECONDS: "600",
    COFFER_INSTANCES_PER_USER: "3",
    COFFER_UNEXPIRED_INSTANCES_PER_USER: String(UNEXPIRED),
  },
});
const folder = mkdtempSync(join(tmpdir(), "coffer-crl-"));
const without = missingProgram("openssl");
let ann: EdgeClient;
let keys: Keys;

beforeAll(async () => {
  ann = await EdgeClient.signedIn(system, "Ann");
  keys = await makeKeys();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const openssl = (...args: string[]) => promisify(execFile)("openssl", args, { maxBuffer: 64 * 1024 * 1024 });
const read = (of = ann, headers: Record<string, string> = {}): Promise<Answer> =>
  send(`${of.vault}/ra/revocations`, { headers });
const enrolled = async (of = ann, with_?: Keys) =>
  json<EnrolmentAnswer>(await enrol(of, with_ ?? (await makeKeys(keys.wrapping))));

/** What OpenSSL says of a list. */
async function textOf({ bytes }: Answer): Promise<string> {
  const path = join(folder, `${crypto.randomUUID()}.crl`);
  writeFileSync(path, bytes);
  return (await openssl("crl", "-inform", "DER", "-in", path, "-noout", "-text")).stdout;
}

/** Whether OpenSSL takes both certificates under root, issuer and this list: "OK", or what it says. */
async function verify({ chain, identityCertificate, wrappingCertificate }: EnrolmentAnswer, list: Answer) {
  const name = (what: string) => join(folder, `${crypto.randomUUID()}.${what}`);
  const pem = (label: string, der: Uint8Array) =>
    `-----BEGIN ${label}-----\n${Buffer.from(der).toString("base64")}\n-----END ${label}-----\n`;
  const file = (what: string, text: string) => {
    const path = name(what);
    writeFileSync(path, text);
    return path;
  };
  const [issuer, root] = chain.map((one) => pem("CERTIFICATE", decodeBase64url(one)));
  const roots = file("root", root!);
  const authority = file("issuer", issuer!);
  const crl = file("crl", pem("X509 CRL", list.bytes));
  const ask = async (certificate: string) => {
    const leaf = file("leaf", pem("CERTIFICATE", decodeBase64url(certificate)));
    const under = ["-CAfile", roots, "-untrusted", authority, "-CRLfile", crl];
    return openssl("verify", "-crl_check", ...under, leaf).then(
      () => "OK",
      ({ stderr, stdout }: { stderr: string; stdout: string }) =>
        /error \d+ at 0 depth lookup: (.+)/.exec(stderr + stdout)?.[1] ?? stderr,
    );
  };
  return [await ask(identityCertificate), await ask(wrappingCertificate)];
}

const numberOf = (text: string) => Number(/CRL Number: *\s+(\d+|0x[0-9A-F]+)/.exec(text)?.[1]);
const serialsOf = (id: string) =>
  String(readRows(system.edgeDir, "instances").find((row) => row.id === id)?.serials)
    .toUpperCase()
    .split(",");

describe.skipIf(without)("the list of revoked certificates", () => {
  it("M20 W12 OpenSSL takes a certificate that is not on it, and refuses both of an instance at once after it was ended", async () => {
    const [kept, ended] = [await enrolled(), await enrolled()];
    expect(await verify(kept, await read())).toEqual(["OK", "OK"]);
    expect(await verify(ended, await read())).toEqual(["OK", "OK"]);
    const before = await textOf(await read());
    expect((await ann.rest("DELETE", `/ra/instances/${ended.instance}`)).status).toBe(204);
    const list = await read();
    expect(await verify(ended, list)).toEqual(["certificate revoked", "certificate revoked"]);
    expect(await verify(kept, list)).toEqual(["OK", "OK"]);
    const text = await textOf(list);
    expect(text).toContain("Privilege Withdrawn");
    expect(text).toMatch(/Authority Key Identifier/);
    expect(text).toMatch(/Issuing Distribution Point: critical/);
    expect(text).toContain(`URI:${ann.vault}/ra/revocations`);
    expect(text).toContain("ecdsa-with-SHA256");
    expect(numberOf(text)).toBeGreaterThan(numberOf(before));
    for (const serial of serialsOf(ended.instance)) expect(text).toContain(serial);
  });

  it("M20 names who was signed out, who made room, and whom a renewal replaced, each with its reason", async () => {
    const bob = await EdgeClient.signedIn(system, "Bob");
    const of = await makeKeys(keys.wrapping);
    const first = await enrolled(bob, of);
    const idle = [await enrolled(bob), await enrolled(bob)];
    await enrolled(bob);
    const byReason = async () => (await textOf(await read(bob))).replaceAll(/\s+/g, " ");
    const entry = (serial: string, reason: string) =>
      new RegExp(
        `Serial Number: ${serial} Revocation Date: [^C]+ CRL entry extensions: X509v3 CRL Reason Code: ${reason}`,
      );
    const status = (id: string) => readRows(system.edgeDir, "instances").find((row) => row.id === id)?.status;
    const gone = [first, ...idle].find(({ instance }) => status(instance) === "revoked")!;
    for (const serial of serialsOf(gone.instance))
      expect(await byReason()).toMatch(entry(serial, "Cessation Of Operation"));
    const out = await bob.form(`${bob.vault}/sign-out`, {}, { cookie: bob.cookie, origin: bob.vault });
    expect(out.status).toBeLessThan(400);
    for (const { instance } of [first, ...idle])
      await expect
        .poll(byReason, { timeout: 10_000 })
        .toMatch(entry(serialsOf(instance)[0]!, "Cessation Of Operation"));

    const eve = await EdgeClient.signedIn(system, "Eve");
    const mine = await makeKeys(keys.wrapping);
    const renewed = await enrolled(eve, mine);
    ageByHalf(system.edgeDir, renewed);
    const again = await eve.vaultPost("/ra/renewals", await renewalOf(renewed, mine), { cookie: "" });
    expect(again.status, again.text).toBe(200);
    const [serial] = serialsOf(renewed.instance);
    expect(await byReason(), "what is under way still counts").not.toContain(serial);
    changeRows(
      system.edgeDir,
      "revoked",
      `UPDATE revoked SET at = unixepoch() - 1 WHERE upper(serial) = '${serial}'`,
    );
    changeRows(system.edgeDir, "published", "UPDATE published SET this_update = this_update - 5");
    expect(await byReason()).toMatch(entry(serial!, "Superseded"));
  });

  it("is kept by caches for a minute, is one tenant's, and is for anyone to read", async () => {
    const list = await read();
    expect(list.headers).toMatchObject({
      "content-type": "application/pkix-crl",
      "cache-control": "public, max-age=60",
    });
    expect(Date.parse(list.headers.expires as string)).toBeGreaterThan(Date.now());
    const again = await read(ann, { "if-none-match": list.headers.etag as string });
    expect([again.status, again.bytes.length]).toEqual([304, 0]);
    expect((await read(ann, { origin: "https://elsewhere.example" })).status).toBe(200);
    const other = await EdgeClient.signedIn(system.tenant("other"), "Olga");
    const theirs = await textOf(await read(other));
    expect(theirs).toContain(`URI:${other.vault}/ra/revocations`);
    expect(theirs).toContain("No Revoked Certificates");
    expect(await verify(await enrolled(), await read(other)), "a list of another tenant").toEqual([
      "different CRL scope",
      "different CRL scope",
    ]);
    expect(problem(await ann.vaultPost("/ra/revocations", {}))).toBe("405 method-not-allowed");
  });

  it("M20 drops a certificate that has expired, once a list of after its end has named it", async () => {
    const ended = await enrolled();
    expect((await ann.rest("DELETE", `/ra/instances/${ended.instance}`)).status).toBe(204);
    const [serial] = serialsOf(ended.instance);
    const expired = `UPDATE revoked SET expires = unixepoch() - 4000 WHERE upper(serial) = '${serial}'`;
    expect(changeRows(system.edgeDir, "revoked", expired)).toBe(1);
    changeRows(
      system.edgeDir,
      "published",
      "UPDATE published SET this_update = this_update - 3700, seen = 0",
    );
    expect(await textOf(await read()), "the last list was of before").toContain(serial);
    changeRows(system.edgeDir, "published", "UPDATE published SET seen = 0");
    expect(await textOf(await read())).not.toContain(serial);
  });

  it("one user cannot fill it: what was enrolled counts until it expires, whoever ended it, and renewals go on", async () => {
    const zoe = await EdgeClient.signedIn(system, "Zoe");
    const user = zoe.tokens.user.id;
    for (let n = 0; n < UNEXPIRED - 2; n++) await enrolled(zoe);
    const mine = await makeKeys(keys.wrapping);
    const live = await enrolled(zoe, mine);
    // Those of one second make room in any order: this one is in use.
    const inUse = `UPDATE instances SET used = unixepoch() + 60 WHERE id = '${live.instance}'`;
    expect(changeRows(system.edgeDir, "instances", inUse)).toBe(1);
    const until = (time: string) =>
      changeRows(
        system.edgeDir,
        "instances",
        `UPDATE instances SET certified = ${time} WHERE user = '${user}'`,
      );
    expect(until("unixepoch() + 9000")).toBe(UNEXPIRED - 1);
    // Two that have begun race for the last place.
    const begun = await Promise.all(
      [1, 2].map(async () => {
        const [grant, { id, nonce }] = [await askGrant(zoe), await openSession(zoe)];
        return [
          `/ra/enrolments/${id}`,
          await redemption(grant, nonce, await makeKeys(keys.wrapping)),
        ] as const;
      }),
    );
    const answers = await Promise.all(begun.map(([path, body]) => zoe.vaultPost(path, body)));
    const refused = answers.find(({ status }) => status !== 200)!;
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(problem(refused)).toBe("429 too-many-requests");
    until("unixepoch() + 9000");
    const asked = await zoe.rest("POST", "/ra/grants", {});
    expect(problem(asked)).toBe("429 too-many-requests");
    expect(Number(asked.headers["retry-after"])).toBeGreaterThan(8000);
    expect((await enrol(ann, await makeKeys(keys.wrapping))).status, "another user").toBe(200);
    ageByHalf(system.edgeDir, live);
    expect((await zoe.vaultPost("/ra/renewals", await renewalOf(live, mine), { cookie: "" })).status).toBe(
      200,
    );
    until("unixepoch() - 1");
    expect((await enrol(zoe, await makeKeys(keys.wrapping))).status, "they have expired").toBe(200);
  });

  it("with 10,000 revoked certificates it stays below a megabyte and is signed in seconds", async () => {
    await read();
    changeRows(
      system.edgeDir,
      "revoked",
      `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
       INSERT INTO revoked SELECT '40' || lower(hex(randomblob(15))), unixepoch() - 10, 9, unixepoch() + 9000 FROM n`,
    );
    changeRows(system.edgeDir, "published", "UPDATE published SET seen = 0");
    const began = performance.now();
    const list = await read();
    const took = performance.now() - began;
    expect(list.status).toBe(200);
    console.info(`10,000 revoked: ${list.bytes.length} bytes in ${took.toFixed(0)} ms`);
    expect(list.bytes.length).toBeLessThan(700_000);
    expect((await textOf(list)).match(/Serial Number/g)!.length).toBeGreaterThanOrEqual(10_000);
    const kept = performance.now();
    expect((await read()).bytes.equals(list.bytes), "the same list, not made again").toBe(true);
    console.info(`again in ${(performance.now() - kept).toFixed(0)} ms`);
    expect(await verify(await enrolled(), list)).toEqual(["OK", "OK"]);
  });

  it("a list that is too long for a message to the HSM is not made again for everyone who asks, and is where it fits again", async () => {
    await read();
    const many = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
       INSERT INTO revoked SELECT '41' || lower(hex(randomblob(15))), unixepoch() - 10, 9, unixepoch() + 9000 FROM n`;
    changeRows(system.edgeDir, "revoked", many);
    changeRows(system.edgeDir, "published", "UPDATE published SET seen = 0");
    const audited = (outcome: string) =>
      readRows(system.edgeDir, "links").filter(({ entry }) => {
        const row = String(entry);
        return row.includes('"ra:revocation-list"') && row.includes(`"${outcome}"`);
      }).length;
    const [refused, made] = [audited("deny"), audited("allow")];
    const answers = await Promise.all(Array.from({ length: 8 }, () => read()));
    for (let i = 0; i < 4; i++) answers.push(await read());
    for (const answer of answers) expect(problem(answer)).toMatch(/hsm-(refused|unavailable)$/);
    const wait = Number(answers.at(-1)!.headers["retry-after"]);
    expect(wait).toBeGreaterThan(0);
    changeRows(system.edgeDir, "revoked", "DELETE FROM revoked WHERE serial LIKE '41%'");
    await expect.poll(async () => (await read()).status, { timeout: (wait + 10) * 1000 }).toBe(200);
    await expect.poll(() => audited("allow")).toBeGreaterThan(made);
    expect(audited("deny") - refused, "it was tried once").toBe(1);
  });
});
