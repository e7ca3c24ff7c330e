/** Which certificates are revoked, for others than the KMS: the list that the real edge has signed in the real HSM, held against OpenSSL. */

import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodeBase64url } from "#protocol/base64url.ts";
import { REVOCATION_LISTS } from "#protocol/contract/index.ts";
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
    COFFER_REVOCATION_LIST_SECONDS: "7200",
    COFFER_INSTANCES_PER_USER: "3",
    COFFER_UNEXPIRED_INSTANCES_PER_USER: String(UNEXPIRED),
  },
});
const TENANT = "development";
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
/** The list of revoked certificates that both certificates of an instance name. */
async function addressIn({ identityCertificate, wrappingCertificate }: EnrolmentAnswer): Promise<string> {
  const named = await Promise.all(
    [identityCertificate, wrappingCertificate].map(async (certificate) => {
      const path = join(folder, crypto.randomUUID());
      writeFileSync(path, decodeBase64url(certificate));
      const { stdout } = await openssl("x509", "-in", path, "-noout", "-ext", "crlDistributionPoints");
      return [...stdout.matchAll(/URI:(\S+)/g)].map(([, uri]) => uri!);
    }),
  );
  const [address] = named[0]!;
  expect(named, "one list, the same for both").toEqual([[address], [address]]);
  return address!;
}
const read = async (of: EnrolmentAnswer, headers: Record<string, string> = {}): Promise<Answer> =>
  send(await addressIn(of), { headers });
/** Where all of a tenant's lists are, as it tells. */
const addresses = async ({ vault }: EdgeClient) =>
  json<{ lists: string[] }>(await send(`${vault}/ra/revocation-lists`)).lists;
const enrolled = async (of = ann, with_?: Keys) =>
  json<EnrolmentAnswer>(await enrol(of, with_ ?? (await makeKeys(keys.wrapping))));

/** What OpenSSL says of a list. */
async function textOf({ bytes }: Answer): Promise<string> {
  const path = join(folder, `${crypto.randomUUID()}.crl`);
  writeFileSync(path, bytes);
  return (await openssl("crl", "-inform", "DER", "-in", path, "-noout", "-text")).stdout;
}

/** Whether OpenSSL takes both certificates under root, issuer and these lists: "OK", or what it says. */
async function verify(
  { chain, identityCertificate, wrappingCertificate }: EnrolmentAnswer,
  ...lists: Answer[]
) {
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
  const crl = file("crl", lists.map(({ bytes }) => pem("X509 CRL", bytes)).join(""));
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

/** Has so many more certificates of the first tenant revoked, one in each list after the other, or all in one. Their serial numbers begin so. */
function revokeMany(count: number, prefix: string, list = `i % ${REVOCATION_LISTS}`): void {
  const added = changeRows(
    system.edgeDir,
    "revoked",
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
     INSERT INTO revoked (serial, at, reason, expires, list)
     SELECT '${prefix}' || lower(hex(randomblob(15))), unixepoch() - 10, 9, unixepoch() + 9000, ${list} FROM n
     WHERE (SELECT tenant FROM store_identity) = '${TENANT}'`,
  );
  expect(added).toBe(count);
  changeRows(system.edgeDir, "lists", "UPDATE lists SET seen = -1");
}
/** Of the same tenant. */
const otherLists = (own: string, count: number) =>
  Array.from({ length: count + 1 }, (_, list) => own.replace(/\d+$/, String(list)))
    .filter((address) => address !== own)
    .slice(0, count);
const numberOf = (text: string) => Number(/CRL Number: *\s+(\d+|0x[0-9A-F]+)/.exec(text)?.[1]);
const serialsOf = (id: string) =>
  String(readRows(system.edgeDir, "instances").find((row) => row.id === id)?.serials)
    .toUpperCase()
    .split(",");

describe.skipIf(without)("the lists of revoked certificates", () => {
  it("M20 W12 OpenSSL takes a certificate that is not on it, and refuses both of an instance at once after it was ended", async () => {
    const [kept, ended] = [await enrolled(), await enrolled()];
    expect(await verify(kept, await read(kept))).toEqual(["OK", "OK"]);
    expect(await verify(ended, await read(ended))).toEqual(["OK", "OK"]);
    const before = await textOf(await read(ended));
    expect((await ann.rest("DELETE", `/ra/instances/${ended.instance}`)).status).toBe(204);
    const list = await read(ended);
    expect(await verify(ended, list)).toEqual(["certificate revoked", "certificate revoked"]);
    expect(await verify(kept, await read(kept))).toEqual(["OK", "OK"]);
    const text = await textOf(list);
    expect(text).toContain("Privilege Withdrawn");
    expect(text).toMatch(/Authority Key Identifier/);
    expect(text).toMatch(/Issuing Distribution Point: critical/);
    expect(text).toContain(`URI:${await addressIn(ended)}\n`);
    expect(text).toContain("ecdsa-with-SHA256");
    expect(numberOf(text)).toBeGreaterThan(numberOf(before));
    for (const serial of serialsOf(ended.instance)) expect(text).toContain(serial);
  });

  it("M20 who has all lists finds each certificate in its own, and no list says anything of another's", async () => {
    const ben = await EdgeClient.signedIn(system, "Ben");
    const [kept, ended] = [await enrolled(ben), await enrolled(ben)];
    expect((await ben.rest("DELETE", `/ra/instances/${ended.instance}`)).status).toBe(204);
    const all = await addresses(ann);
    expect(all).toEqual(
      Array.from({ length: REVOCATION_LISTS }, (_, n) => `${ann.vault}/ra/revocations/${n}`),
    );
    const own = [await addressIn(kept), await addressIn(ended)];
    // Signing all of them takes its time on a busy machine.
    const some = all.filter((address, n) => n % 32 === 0 || own.includes(address));
    const lists = new Map<string, Answer>();
    await Promise.all(some.map(async (address) => lists.set(address, await send(address))));
    expect(await verify(kept, ...lists.values())).toEqual(["OK", "OK"]);
    expect(await verify(ended, ...lists.values())).toEqual(["certificate revoked", "certificate revoked"]);
    for (const [address, { status, bytes }] of lists) {
      expect([status, bytes.includes(address)], address).toEqual([200, true]);
      for (const serial of serialsOf(ended.instance))
        expect(bytes.includes(serial, "hex"), address).toBe(address === own[1]);
    }
    lists.delete(own[1]!);
    expect(await verify(ended, ...lists.values()), "without its own list nobody takes it").toEqual([
      "different CRL scope",
      "different CRL scope",
    ]);
    for (const list of ["256", "-1", "07", "1.0", "0x1", "nothing"])
      expect(problem(await send(`${ann.vault}/ra/revocations/${list}`)), list).toBe("400 bad-request");
  });

  it("M20 certificates of an earlier release are in the list that they name, while one of them may live", async () => {
    const cat = await EdgeClient.signedIn(system, "Cat");
    const first = (of = ann) => send(`${of.vault}/ra/revocations`);
    expect((await first()).status, "nobody's certificate names it here").toBe(404);
    // From here on as in a folder of an earlier release.
    changeRows(system.edgeDir, "split", "INSERT INTO split VALUES (unixepoch(), 3600)");
    const before = await enrolled(cat);
    const moved = `UPDATE instances SET list = -1 WHERE id = '${before.instance}'`;
    expect(changeRows(system.edgeDir, "instances", moved)).toBe(1);
    const text = await textOf(await first());
    expect(text).toContain(`URI:${ann.vault}/ra/revocations\n`);
    expect(text).toContain("No Revoked Certificates");
    expect((await cat.rest("DELETE", `/ra/instances/${before.instance}`)).status).toBe(204);
    const after = await textOf(await first());
    for (const serial of serialsOf(before.instance)) expect(after).toContain(serial);
    expect(await verify(await enrolled(cat), await first()), "it says nothing of those of today").toEqual([
      "different CRL scope",
      "different CRL scope",
    ]);
    changeRows(system.edgeDir, "split", "UPDATE split SET at = unixepoch() - 3600");
    expect((await first()).status, "one that is revoked names it").toBe(200);
    changeRows(system.edgeDir, "revoked", "UPDATE revoked SET expires = unixepoch() - 1 WHERE list = -1");
    expect((await first()).status, "the last that named it has ended").toBe(404);
  });

  it("M20 names who was signed out, who made room, and whom a renewal replaced, each with its reason", async () => {
    const bob = await EdgeClient.signedIn(system, "Bob");
    const of = await makeKeys(keys.wrapping);
    const first = await enrolled(bob, of);
    const idle = [await enrolled(bob), await enrolled(bob)];
    await enrolled(bob);
    const byReason = async (of: EnrolmentAnswer) => (await textOf(await read(of))).replaceAll(/\s+/g, " ");
    const entry = (serial: string, reason: string) =>
      new RegExp(
        `Serial Number: ${serial} Revocation Date: [^C]+ CRL entry extensions: X509v3 CRL Reason Code: ${reason}`,
      );
    const status = (id: string) => readRows(system.edgeDir, "instances").find((row) => row.id === id)?.status;
    const gone = [first, ...idle].find(({ instance }) => status(instance) === "revoked")!;
    for (const serial of serialsOf(gone.instance))
      expect(await byReason(gone)).toMatch(entry(serial, "Cessation Of Operation"));
    const out = await bob.form(`${bob.vault}/sign-out`, {}, { cookie: bob.cookie, origin: bob.vault });
    expect(out.status).toBeLessThan(400);
    for (const one of [first, ...idle])
      await expect
        .poll(() => byReason(one), { timeout: 10_000 })
        .toMatch(entry(serialsOf(one.instance)[0]!, "Cessation Of Operation"));

    const eve = await EdgeClient.signedIn(system, "Eve");
    const mine = await makeKeys(keys.wrapping);
    const renewed = await enrolled(eve, mine);
    ageByHalf(system.edgeDir, renewed);
    const again = await eve.vaultPost("/ra/renewals", await renewalOf(renewed, mine), { cookie: "" });
    expect(again.status, again.text).toBe(200);
    const [serial] = serialsOf(renewed.instance);
    expect(await byReason(renewed), "what is under way still counts").not.toContain(serial);
    changeRows(
      system.edgeDir,
      "revoked",
      `UPDATE revoked SET at = unixepoch() - 1 WHERE upper(serial) = '${serial}'`,
    );
    changeRows(system.edgeDir, "lists", "UPDATE lists SET this_update = this_update - 5");
    expect(await byReason(renewed)).toMatch(entry(serial!, "Superseded"));
  });

  it("is kept by caches for a minute, is one tenant's, and is for anyone to read", async () => {
    const of = await enrolled();
    const list = await read(of);
    expect(list.headers).toMatchObject({
      "content-type": "application/pkix-crl",
      "cache-control": "public, max-age=60",
    });
    expect(Date.parse(list.headers.expires as string)).toBeGreaterThan(Date.now());
    const again = await read(of, { "if-none-match": list.headers.etag as string });
    expect([again.status, again.bytes.length]).toEqual([304, 0]);
    expect((await read(of, { origin: "https://elsewhere.example" })).status).toBe(200);
    const other = await EdgeClient.signedIn(system.tenant("other"), "Olga");
    const { pathname } = new URL(await addressIn(of));
    const theirs = await send(other.vault + pathname);
    expect(await textOf(theirs)).toContain(`URI:${other.vault}${pathname}\n`);
    expect(await textOf(theirs)).toContain("No Revoked Certificates");
    expect(await verify(of, theirs), "a list of another tenant").toEqual([
      "different CRL scope",
      "different CRL scope",
    ]);
    expect(problem(await ann.vaultPost(pathname, {}))).toBe("405 method-not-allowed");
  });

  it("M20 drops a certificate that has expired, once a list of after its end has named it", async () => {
    const ended = await enrolled();
    expect((await ann.rest("DELETE", `/ra/instances/${ended.instance}`)).status).toBe(204);
    const [serial] = serialsOf(ended.instance);
    const expired = `UPDATE revoked SET expires = unixepoch() - 4000 WHERE upper(serial) = '${serial}'`;
    expect(changeRows(system.edgeDir, "revoked", expired)).toBe(1);
    changeRows(system.edgeDir, "lists", "UPDATE lists SET this_update = this_update - 3700, seen = -1");
    expect(await textOf(await read(ended)), "the last list was of before").toContain(serial);
    changeRows(system.edgeDir, "lists", "UPDATE lists SET seen = -1");
    expect(await textOf(await read(ended))).not.toContain(serial);
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

  it("with 100,000 revoked certificates each of a tenant's lists stays small, and the one that says more is signed again alone", async () => {
    const dan = await EdgeClient.signedIn(system, "Dan");
    const of = await enrolled(dan);
    const own = await addressIn(of);
    const readSome = () => Promise.all([own, ...otherLists(own, 7)].map((address) => send(address)));
    expect((await readSome()).map(({ status }) => status)).toEqual(Array(8).fill(200));
    const each = Math.floor(100_000 / REVOCATION_LISTS);
    revokeMany(100_000, "40");
    const began = performance.now();
    const lists = await readSome();
    const took = performance.now() - began;
    const sizes = lists.map(({ bytes }) => bytes.length);
    console.info(
      `100,000 revoked: ${Math.max(...sizes)} bytes a list, 8 lists signed in ${took.toFixed(0)} ms`,
    );
    expect(Math.max(...sizes)).toBeLessThan(30_000);
    expect((await textOf(lists[0]!)).match(/Serial Number/g)!.length).toBeGreaterThanOrEqual(each);
    expect(await verify(of, lists[0]!)).toEqual(["OK", "OK"]);

    const signed = () =>
      readRows(system.edgeDir, "lists").reduce((sum, { number }) => sum + Number(number), 0);
    const before = signed();
    expect((await dan.rest("DELETE", `/ra/instances/${of.instance}`)).status).toBe(204);
    const [mine, ...others] = await readSome();
    expect(await verify(of, mine!)).toEqual(["certificate revoked", "certificate revoked"]);
    expect(others.every(({ bytes }, n) => bytes.equals(lists[n + 1]!.bytes))).toBe(true);
    expect(signed() - before, "lists that were signed").toBe(1);
  });

  it("a list that is too long for a message to the HSM is not made again for everyone who asks, and is where it fits again", async () => {
    const fay = await EdgeClient.signedIn(system, "Fay");
    const of = await enrolled(fay);
    const address = await addressIn(of);
    const again = () => send(address);
    await again();
    revokeMany(30_000, "41", address.slice(address.lastIndexOf("/") + 1));
    const audited = (outcome: string) =>
      readRows(system.edgeDir, "links").filter(({ entry }) => {
        const row = String(entry);
        return row.includes('"ra:revocation-list"') && row.includes(`"${outcome}"`);
      }).length;
    const [refused, made] = [audited("deny"), audited("allow")];
    const answers = await Promise.all(Array.from({ length: 8 }, again));
    for (let i = 0; i < 4; i++) answers.push(await again());
    for (const answer of answers) expect(problem(answer)).toMatch(/hsm-refused$/);
    const wait = Number(answers.at(-1)!.headers["retry-after"]);
    expect(wait).toBeGreaterThan(0);
    changeRows(system.edgeDir, "revoked", "DELETE FROM revoked WHERE serial LIKE '41%'");
    await expect.poll(async () => (await again()).status, { timeout: (wait + 10) * 1000 }).toBe(200);
    await expect.poll(() => audited("allow")).toBeGreaterThan(made);
    expect(audited("deny") - refused, "it was tried once").toBe(1);
  });
});
