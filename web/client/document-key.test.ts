import { expect, it } from "vitest";
import { encodeBase64url } from "#protocol/base64url.ts";
import { documentKeyOf } from "./document-key.ts";

const jws = (payload: unknown) =>
  `e30.${encodeBase64url(new TextEncoder().encode(JSON.stringify(payload)))}.c2ln`;

it("W10 says which version a document is under, and of which account key", () => {
  const edk = { keyId: "k", keyVersion: 3, accountKey: { id: "a", version: 2 }, tenant: "acme" };
  expect(documentKeyOf(jws(edk))).toEqual({ id: "k", version: 3, accountKeyVersion: 2 });
});

it.each([
  ["", undefined],
  ["x.y", undefined],
  [jws({ keyId: "k", keyVersion: 1 }), undefined],
  [jws({ keyId: "k", keyVersion: 0, accountKey: { version: 1 } }), undefined],
  [jws(null), undefined],
])("says nothing of what is no EDK of an account: %s", (edk, key) => {
  expect(documentKeyOf(edk)).toBe(key);
});
