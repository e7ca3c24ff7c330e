import { describe, expect, it } from "vitest";
import { IDENTITY } from "#protocol/hierarchy/index.ts";
import { decodeBase32, encodeBase32 } from "./one-time-password.ts";
import { principalOf } from "./principals.ts";
import { formatPrincipals, parsePrincipals } from "./principals-file.ts";

const entries = (...principals: unknown[]) => JSON.stringify({ principals });
const hash = `scrypt$16384$8$1$${"A".repeat(22)}$${"A".repeat(43)}`;

describe("the principals' file", () => {
  it("gives back what was written, of every kind", () => {
    const principals = [
      principalOf("fred", "password1"),
      principalOf("hash", "password2", { hashed: true }),
      principalOf("tape", "password3", { device: { deviceSerialNumber: "1", mediaIdentifier: "m" } }),
      principalOf("otto", "password4", { oneTimeSecret: new Uint8Array(20).fill(7) }),
      { name: "only", oneTimeSecret: new Uint8Array(17).fill(255) },
      principalOf("ops", "password5", { groups: ["operators", "auditors"] }),
      { name: "ops", kind: "certificate" as const, groups: ["operators"] },
    ];
    const text = formatPrincipals(principals);
    expect(parsePrincipals(text)).toEqual(principals);
    expect(text).not.toMatch(/password\d/);
  });

  it.each([
    ["fred:password", "it is not JSON"],
    ["[]", 'it must be {"principals": [...]}'],
    [JSON.stringify({ principals: [], users: {} }), 'it must be {"principals": [...]}'],
    [entries("fred"), "entry 1: it is not an object"],
    [entries({ name: "fred", password: "password1" }), "entry 1 ('fred'): the password is not a scrypt hash"],
    [entries({ name: "fred", password: hash, role: "officer" }), "entry 1 ('fred'): 'role' is not known"],
    [entries({ name: "fred" }), "there is nothing to show"],
    [entries({ password: hash }), "the name is missing"],
    [entries({ name: IDENTITY.kms, password: hash }), "'coffer-kms' cannot be"],
    [entries({ name: "a", password: hash }, { name: "a", password: hash }), "there are two principals 'a'"],
    [entries({ name: "a", password: hash, oneTimeSecret: "AAAA" }), "16 bytes or more"],
    [entries({ name: "a", password: hash, oneTimeSecret: "1".repeat(32) }), "not base32"],
    [entries({ name: "a", password: hash, device: {} }), "the device must have"],
    [entries({ name: "a", password: hash, groups: "ops" }), "entry 1 ('a'): the groups are not a list"],
    [
      entries({ name: "a", password: hash, groups: ["ops", "ops"] }),
      "the groups are not names, each of them once",
    ],
    [entries({ name: "a", password: hash, groups: [""] }), "the groups are not names"],
    [entries({ name: "a", kind: "officer", groups: ["ops"] }), "the kind is not 'certificate'"],
    [entries({ name: "a", kind: "certificate" }), "an entry for a certificate has groups and nothing else"],
    [entries({ name: "a", kind: "certificate", groups: [] }), "an entry for a certificate has groups"],
    [entries({ name: "a", kind: "certificate", groups: ["g"], password: hash }), "groups and nothing else"],
    [entries({ name: "ä", kind: "certificate", groups: ["g"] }), "'ä' cannot be a certificate's common name"],
    [entries({ name: IDENTITY.kms, kind: "certificate", groups: ["g"] }), "'coffer-kms' cannot be"],
    [
      entries(
        { name: "a", kind: "certificate", groups: ["g"] },
        { name: "a", kind: "certificate", groups: ["h"] },
      ),
      "there are two entries for the certificate 'a'",
    ],
    [entries({ name: "a", password: hash, clientHash: { SHA_256: {} } }), "the clientHash must have"],
  ])("%s is refused: %s", (text, sentence) => {
    expect(() => parsePrincipals(text)).toThrow(sentence);
    expect(() => parsePrincipals(text)).toThrow(TypeError);
  });
});

describe("base32", () => {
  it.each([
    ["", ""],
    ["f", "MY"],
    ["fo", "MZXQ"],
    ["foo", "MZXW6"],
    ["foob", "MZXW6YQ"],
    ["fooba", "MZXW6YTB"],
    ["foobar", "MZXW6YTBOI"],
  ])("of %j is %s (RFC 4648 §10)", (text, encoded) => {
    const bytes = new TextEncoder().encode(text);
    expect(encodeBase32(bytes)).toBe(encoded);
    expect(decodeBase32(encoded)).toEqual(bytes);
    expect(decodeBase32(`${encoded.toLowerCase()}======`)).toEqual(bytes);
  });

  it("takes nothing else", () => expect(decodeBase32("MZXW01")).toBeUndefined());
});
