import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { filesOfTree, root } from "#test/support/tree.ts";
import * as hierarchy from "./index.ts";

const { IDENTITY, POLICY, ROOT_CA, INSTANCES_CA, CUSTODIANS_CA, SIGN_TYPE, SIGNER } = hierarchy;

it("names what stands in the HSM of every deployment", () => {
  const names = [hierarchy.masterKeyName("acme"), ...Object.values(hierarchy.recipientNames("i"))];
  expect(names).toEqual(["coffer/tenant/acme/master", "instance/i/key", "instance/i/certificate"]);
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

/** Tests say what they expect of an attribute by its name; their set-up, and all else, does not spell one. */
const ATTRIBUTES = new RegExp(`"(${Object.values(POLICY).join("|")})"`);
const SPELLED = [
  ...Object.values(IDENTITY).map((identity) => `"${identity}"`),
  ...Object.values(SIGN_TYPE).map((type) => `"${type}"`),
  ...["coffer/ca/", "coffer/sign/", "coffer/tenant/", hierarchy.TRUST_LIST],
  `vendorIdentification: "${hierarchy.VENDOR}"`,
  `vendorIdentification === "${hierarchy.VENDOR}"`,
];
/** Where KMIP's own words are meant. */
const KMIP = [
  "protocol/kmip/attestation.ts",
  "emulator/hsm/identity/authentication.ts",
  "protocol/kmip/tables/enumerations.ts",
];

it("is spelled nowhere else", () => {
  const files = filesOfTree("*.ts", "*.js").filter((file) => !file.startsWith("protocol/hierarchy/"));
  expect(files.length).toBeGreaterThan(500);
  const found = files.filter((file) => {
    const text = readFileSync(`${root}${file}`, "utf8");
    if (SPELLED.some((literal) => text.includes(literal))) return true;
    return !file.endsWith(".test.ts") && !KMIP.includes(file) && ATTRIBUTES.test(text);
  });
  expect(found).toEqual([]);
});
