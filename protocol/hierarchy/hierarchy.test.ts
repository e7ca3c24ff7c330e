import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { filesOfTree, root } from "#test/support/tree.ts";
import * as hierarchy from "./index.ts";

const { IDENTITY, POLICY, ROOT_CA, INSTANCES_CA, CUSTODIANS_CA, SIGN_TYPE, SIGNER } = hierarchy;

it("names what stands in the HSM of every deployment", () => {
  const names = [hierarchy.masterKeyName("acme"), ...Object.values(hierarchy.recipientNames("i"))];
  expect(names).toEqual(["coffer/tenant/acme/master", "instance/i/key", "instance/i/certificate"]);
  const thumbprint = "t-_".padEnd(43, "9");
  const encrypted = [
    hierarchy.encryptedDataKeyName("k-1", 12),
    hierarchy.encryptedMasterKeyName("m", thumbprint),
    hierarchy.instancesMasterKeyName("i"),
  ];
  expect(encrypted).toEqual(["data/k-1.12", `master/m/${thumbprint}`, "instance/i/master"]);
  expect(hierarchy.residentDataKeyName("k-1", 12)).toBe("resident/k-1.12");
  expect(hierarchy.recoveryKeyName("acme")).toBe("coffer/tenant/acme/recovery");
  expect(encrypted.every(hierarchy.isEncryptedKeyName)).toBe(true);
  const others = [
    ...names,
    "data/k",
    "data/k.0",
    "data/k.1 ",
    "data/a/b.1",
    "instance/i/k/master",
    "data/.1",
    "master/m/short",
    `master/m/n/${thumbprint}`,
    `master//${thumbprint}`,
  ];
  expect(others.filter(hierarchy.isEncryptedKeyName)).toEqual([]);
  expect([hierarchy.TRUST_LIST, hierarchy.transientName("kms/b", 2)]).toEqual(["coffer/trust", "kms/b/2"]);
  for (const [ca, name] of [
    [ROOT_CA, "root"],
    [INSTANCES_CA, "instances"],
    [CUSTODIANS_CA, "custodians"],
  ] as const) {
    const certificate = `coffer/ca/${name}`;
    const subject = `CN=Coffer ${name} CA,O=Coffer`;
    expect(ca).toMatchObject({
      ...{ certificate, subject },
      ...{ key: `${certificate}/key`, publicKey: `${certificate}/public` },
    });
  }
  for (const purpose of hierarchy.PURPOSES) {
    const key = `coffer/sign/${purpose}`;
    expect(SIGNER[purpose]).toMatchObject({ key, publicKey: `${key}/public` });
  }
  expect(hierarchy.users("iam", "kms")).toEqual({
    vendorIdentification: "Coffer",
    attributeName: "Users",
    attributeValue: "coffer-iam,coffer-kms",
  });
  expect(SIGN_TYPE).toEqual({
    edk: "coffer-edk+jws",
    receipt: "coffer-receipt+jwt",
    token: "at+jwt",
    audit: "coffer-audit-head+jwt",
  });
});

it("knows its own identities, and nobody who looks like one", () => {
  for (const [domain, identity] of Object.entries(IDENTITY)) expect(hierarchy.roleOf(identity)).toBe(domain);
  expect(["coffer-root", "COFFER-kms", "alice", "constructor"].map(hierarchy.roleOf)).toEqual([
    ...[undefined, undefined],
    ...["user", "user"],
  ]);
});

/** A string in any quote that is one of these and nothing more; not one that is quoted inside a message. */
const quoted = (...texts: string[]) =>
  new RegExp(`(?<!["'\`])(["'\`])(${texts.join("|").replaceAll("+", "\\+")})\\1`);
const IDENTITIES = Object.values(IDENTITY);
/** Nowhere outside of this room, tests neither. An instance as an audit's resource has no more than its id behind the slash. */
const SPELLED = [
  quoted(...IDENTITIES, ...Object.values(SIGN_TYPE)),
  /["'`]coffer\/|coffer\/(ca|sign|tenant|trust)\b/,
  /["'`]instance\/(["'`]|[^"'`]*\/(key|certificate|master)\b)/,
  new RegExp(`vendorIdentification(:| ===) ["'\`]${hierarchy.VENDOR}["'\`]`),
];
/** Tests say what they expect of an attribute or identity by its name; their set-up, and all else, does not spell one. */
const ATTRIBUTES = quoted(...Object.values(POLICY));
const IDENTIFIED = new RegExp(`(?<![\\w-])(${IDENTITIES.join("|")})(?![\\w-])`);
const COMMENT = /^\s*(\/\*|\*|\/\/).*$/gm;
/** Where KMIP's own words are meant. */
const KMIP = [
  "protocol/kmip/attestation.ts",
  "emulator/hsm/identity/authentication.ts",
  "protocol/kmip/tables/enumerations.ts",
];

function spells(file: string, text: string): boolean {
  if (SPELLED.some((spelling) => spelling.test(text))) return true;
  if (file.endsWith(".test.ts")) return false;
  if (KMIP.includes(file)) return IDENTIFIED.test(text);
  return IDENTIFIED.test(text) || ATTRIBUTES.test(text.replace(COMMENT, ""));
}

it("is spelled nowhere else", () => {
  const files = filesOfTree("*.ts", "*.js").filter((file) => !file.startsWith("protocol/hierarchy/"));
  expect(files.length).toBeGreaterThan(500);
  const found = files.filter((file) => spells(file, readFileSync(`${root}${file}`, "utf8")));
  expect(found).toEqual([]);
});

it.each([
  ["`coffer/…/root`", true],
  ["'coffer/trust'", true],
  ["`instance/…/key`", true],
  ['"instance/" + i', true],
  ["`instance/…`", false],
  ["'coffer-kms'", true],
  ["`coffer-ra`", true],
  ["`CN=coffer-ra,O=Coffer`", true],
  ["`coffer-rar`", false],
  ["'at+jwt'", true],
  ["`RecipientCA`", true],
  ["vendorIdentification: 'Coffer'", true],
])("finds what is spelled in %s: %s", (text, is) => {
  const value = text.replace("…", `$${"{String(id)}"}`);
  expect(spells("edge/kms/planted.ts", `const planted = { ${value} };`)).toBe(is);
});
