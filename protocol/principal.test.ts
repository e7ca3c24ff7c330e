import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { isPrincipalId, ownAccountId, principalId } from "./principal.ts";

const ada = { tenant: "acme", issuer: "urn:coffer:development", subject: "Ada" };

it("is the first 160 bits of a hash over tenant, issuer and subject, in base32", async () => {
  const id = await principalId(ada);
  expect(id).toMatch(/^[a-z2-7]{32}$/);
  expect(isPrincipalId(id)).toBe(true);
  const text = '["coffer-principal-v1","acme","urn:coffer:development","Ada"]';
  const bits = [...createHash("sha256").update(text).digest().subarray(0, 20)]
    .map((byte) => byte.toString(2).padStart(8, "0"))
    .join("");
  const digits = bits.match(/.{5}/g)!.map((group) => "abcdefghijklmnopqrstuvwxyz234567"[parseInt(group, 2)]);
  expect(id).toBe(digits.join(""));
});

it("is another one for whatever differs, also where the parts together read the same", async () => {
  const others = [
    ada,
    { ...ada, tenant: "umbrella" },
    { ...ada, issuer: "https://id.example" },
    { ...ada, subject: "ada" },
    { ...ada, tenant: 'acme","urn', issuer: "coffer:development" },
  ];
  const ids = await Promise.all(others.map(principalId));
  expect(new Set(ids).size).toBe(others.length);
});

it("is nothing that is longer, shorter or spelled otherwise", async () => {
  const id = await principalId(ada);
  for (const other of [id.toUpperCase(), `${id}a`, id.slice(1), `${id.slice(1)}1`, "", `${id}\n`])
    expect(isPrincipalId(other), other).toBe(false);
});

it("has an account of its own: a UUID of version 8, the same each time", async () => {
  const of = { tenant: "acme", principal: await principalId(ada) };
  const account = await ownAccountId(of);
  expect(account).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(await ownAccountId(of)).toBe(account);
  expect(await ownAccountId({ ...of, tenant: "umbrella" })).not.toBe(account);
});
