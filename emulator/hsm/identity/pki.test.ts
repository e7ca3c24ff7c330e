import { X509Certificate } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { IDENTITIES, IDENTITY } from "#protocol/hierarchy/index.ts";
import { ensurePki, issueClient } from "./pki.ts";

const dir = mkdtempSync(join(tmpdir(), "coffer-pki-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const DAY = 24 * 3600 * 1000;

it("makes the PKI once, with keys that their owner alone can read", async () => {
  const pki = await ensurePki(dir);
  expect(await ensurePki(dir)).toEqual(pki);
  expect(statSync(dir).mode & 0o077).toBe(0);
  const keys = readdirSync(dir).filter((file) => file.endsWith(".key"));
  expect(keys.length).toBe(4 + IDENTITIES.length);
  for (const file of keys) expect(statSync(join(dir, file)).mode & 0o777).toBe(0o600);
});

it("names the server by localhost and its addresses, and clients by their common name", async () => {
  const pki = await ensurePki(dir);
  const server = new X509Certificate(pki.server.cert);
  expect(server.checkHost("localhost")).toBe("localhost");
  expect(server.checkIP("127.0.0.1")).toBe("127.0.0.1");
  expect(server.checkIP("::1")).toBe("::1");
  expect(server.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]);
  expect(server.checkIssued(new X509Certificate(pki.serverCa))).toBe(true);
  const rsa = new X509Certificate(pki.rsaServer.cert);
  expect(rsa.publicKey.asymmetricKeyType).toBe("rsa");
  expect(rsa.subjectAltName).toBe(server.subjectAltName);
  expect(rsa.checkIssued(new X509Certificate(pki.serverCa))).toBe(true);
  for (const name of IDENTITIES) {
    const client = new X509Certificate(pki.clients[name].cert);
    expect(client.toLegacyObject().subject.CN).toBe(name);
    expect(client.keyUsage).toEqual(["1.3.6.1.5.5.7.3.2"]);
    expect(client.verify(new X509Certificate(pki.clientCa).publicKey)).toBe(true);
  }
});

it("renews what is near its end", async () => {
  const pki = await ensurePki(dir);
  const later = await ensurePki(dir, () => new Date(Date.now() + 380 * DAY));
  expect(later.serverCa).toBe(pki.serverCa);
  expect(later.server.cert).not.toBe(pki.server.cert);
  expect(later.clients[IDENTITY.kms].cert).not.toBe(pki.clients[IDENTITY.kms].cert);
  const muchLater = await ensurePki(dir, () => new Date(Date.now() + 3400 * DAY));
  expect(muchLater.clientCa).not.toBe(pki.clientCa);
  const client = new X509Certificate(muchLater.clients[IDENTITY.ra].cert);
  expect(client.verify(new X509Certificate(muchLater.clientCa).publicKey)).toBe(true);
});

it("issues further clients under plain names only", async () => {
  const alice = await issueClient(dir, "alice");
  expect(new X509Certificate(alice.cert).toLegacyObject().subject.CN).toBe("alice");
  for (const name of ["", "a,CN=coffer-kms", "#0c01", "../alice", "a\n", "x".repeat(65)])
    await expect(issueClient(dir, name)).rejects.toThrow(TypeError);
});
