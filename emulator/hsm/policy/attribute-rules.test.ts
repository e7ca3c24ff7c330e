import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { named } from "#protocol/hierarchy/index.ts";
import { ATTRIBUTES } from "#protocol/kmip/attribute-table.ts";
import {
  type Attributes,
  type KmipClient,
  KmipEncodeError,
  type OperationName,
  VERSIONS,
} from "#protocol/kmip/index.ts";
import { issueClient, type KeyAndCertificate } from "../identity/pki.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import { AES } from "../testing/hierarchy.ts";
import { reason } from "../testing/refusal.ts";

/** Who may change which attribute (KMIP 1.4 §3, KMIP 2.1 §4), walked through all attributes, versions and ways to change. */

let test: TestHsm;
let certificates: Record<"owner" | "other", KeyAndCertificate>;
const BEGIN = Date.now();
let clock = BEGIN;
const at = (seconds: number) => new Date(BEGIN + seconds * 1000);
const OPEN = Object.fromEntries(
  ["REKEY", "ADD_ATTRIBUTE", "MODIFY_ATTRIBUTE", "SET_ATTRIBUTE", "ADJUST_ATTRIBUTE", "DELETE_ATTRIBUTE"].map(
    (name) => [name, "ALLOW_ALL"],
  ),
);
const OWNERS = Object.fromEntries(
  ["GET", "ENCRYPT", "ACTIVATE", "REVOKE", "GET_ATTRIBUTES", "GET_USAGE_ALLOCATION"].map((name) => [
    name,
    "ALLOW_OWNER",
  ]),
);

beforeAll(async () => {
  test = await testHsm({
    now: () => new Date(clock),
    policies: { shared: { preset: { SYMMETRIC_KEY: { ...OPEN, ...OWNERS } as never } } },
  });
  const { dir } = test.pki;
  certificates = { owner: await issueClient(dir, "owner"), other: await issueClient(dir, "other") };
}, 30_000);
afterAll(() => test.close());

const clients = new Map<string, KmipClient>();
function as(who: "owner" | "other", version = { major: 2, minor: 1 }): KmipClient {
  const name = `${who} ${version.major}.${version.minor}`;
  const client = clients.get(name) ?? test.as(certificates[who], version);
  clients.set(name, client);
  return client;
}

/** A key of the owner's, whose attributes others may change. 1.x alone can say so. */
async function key(more: Attributes = {}): Promise<string> {
  const made = await as("owner", { major: 1, minor: 4 }).request("Create", {
    objectType: "SymmetricKey",
    attributes: { ...AES, cryptographicUsageMask: ["Encrypt"], operationPolicyName: "shared", ...more },
  });
  return made.uniqueIdentifier;
}

/** A new value of each attribute, and what its owner may do with it: add or modify, and delete. */
const WALK: Record<
  keyof typeof ATTRIBUTES | "vendorAttributes",
  [value: unknown, may: "" | "change" | "change and delete"]
> = {
  ...(Object.fromEntries(
    Object.keys(ATTRIBUTES)
      .filter((name) => /^certificate(Subject|Issuer)./.test(name))
      .map((name) => [name, [["x"], ""]]),
  ) as object as Record<keyof typeof ATTRIBUTES, [unknown, ""]>),
  uniqueIdentifier: ["other", ""],
  name: [named("another"), "change and delete"],
  objectType: ["SecretData", ""],
  cryptographicAlgorithm: ["DES3", ""],
  cryptographicLength: [128, ""],
  cryptographicParameters: [[{ blockCipherMode: "CBC" }], "change and delete"],
  cryptographicDomainParameters: [{ recommendedCurve: "P_256" }, ""],
  cryptographicUsageMask: [[], "change"],
  certificateType: ["X_509", ""],
  certificateLength: [1, ""],
  x_509CertificateIdentifier: [
    { issuerDistinguishedName: Uint8Array.of(1), certificateSerialNumber: Uint8Array.of(1) },
    "",
  ],
  x_509CertificateSubject: [{ subjectDistinguishedName: Uint8Array.of(1) }, ""],
  x_509CertificateIssuer: [{ issuerDistinguishedName: Uint8Array.of(1) }, ""],
  certificateIdentifier: [{ issuer: "x" }, ""],
  certificateSubject: [{ certificateSubjectDistinguishedName: "CN=x" }, ""],
  certificateIssuer: [{ certificateIssuerDistinguishedName: "CN=x" }, ""],
  digitalSignatureAlgorithm: [["ECDSAWithSHA256"], ""],
  digest: [[{ hashingAlgorithm: "SHA_256", digestValue: new Uint8Array(32) }], ""],
  operationPolicyName: ["default", "change and delete"],
  usageLimits: [{ usageLimitsTotal: 5n, usageLimitsUnit: "Byte" }, "change and delete"],
  leaseTime: [7, ""],
  state: ["Active", ""],
  initialDate: [at(-5), ""],
  activationDate: [at(1000), "change"],
  processStartDate: [at(2000), "change"],
  protectStopDate: [at(3000), "change"],
  deactivationDate: [at(4000), "change"],
  destroyDate: [at(-5), ""],
  compromiseOccurrenceDate: [at(-5), ""],
  compromiseDate: [at(-5), ""],
  revocationReason: [{ revocationReasonCode: "KeyCompromise" }, ""],
  archiveDate: [at(-5), ""],
  objectGroup: [["a group"], "change and delete"],
  objectGroupMember: ["GroupMemberFresh", ""],
  fresh: [false, ""],
  link: [[{ linkType: "ParentLink", linkedObjectIdentifier: "x" }], "change and delete"],
  applicationSpecificInformation: [
    [{ applicationNamespace: "a", applicationData: "b" }],
    "change and delete",
  ],
  contactInformation: ["owner", "change and delete"],
  lastChangeDate: [at(-5), ""],
  alternativeName: [[{ alternativeNameValue: "a", alternativeNameType: "URI" }], "change and delete"],
  keyValuePresent: [false, ""],
  keyValueLocation: [[{ keyValueLocationValue: "a", keyValueLocationType: "URI" }], ""],
  originalCreationDate: [at(-5), ""],
  randomNumberGenerator: [{ rngAlgorithm: "ANSI_X9_31" }, ""],
  pkcs_12FriendlyName: ["a", ""],
  description: ["text", "change and delete"],
  comment: ["text", "change and delete"],
  sensitive: [true, "change"],
  alwaysSensitive: [true, ""],
  extractable: [false, "change"],
  neverExtractable: [true, ""],
  keyFormatType: ["Opaque", ""],
  nistKeyType: [["MasterKey"], ""],
  opaqueDataType: [0x80000001, ""],
  protectionLevel: ["High", "change"],
  protectionPeriod: [7, "change"],
  protectionStorageMask: [["Software"], ""],
  quantumSafe: [true, "change"],
  shortUniqueIdentifier: [new Uint8Array(32), ""],
  vendorAttributes: [
    [{ vendorIdentification: "x", attributeName: "a", attributeValue: "b" }],
    "change and delete",
  ],
};

/** Every way to put a value in the place of what there is, by version. */
const ways = (major: number): OperationName[] =>
  major < 2 ? ["AddAttribute", "ModifyAttribute"] : ["AddAttribute", "ModifyAttribute", "SetAttribute"];
const MANY = new Set([
  "MultiValuedAttribute",
  "AttributeSingleValued",
  "AttributeNotFound",
  "AttributeInstanceNotFound",
]);

/** `Success` where one of the ways does it; else why not. Undefined where the version has no such attribute. */
async function changing(
  client: KmipClient,
  uniqueIdentifier: string,
  newAttribute: Attributes,
  operations: OperationName[],
) {
  const reasons: unknown[] = [];
  for (const operation of operations)
    try {
      reasons.push(
        await reason(client.request(operation as "AddAttribute", { uniqueIdentifier, newAttribute })),
      );
    } catch (error) {
      if (!(error instanceof KmipEncodeError)) throw error;
    }
  if (reasons.length === 0) return undefined;
  if (reasons.includes("Success")) return "Success";
  return reasons.find((one) => !MANY.has(String(one))) ?? reasons[0];
}

async function deleting(client: KmipClient, uniqueIdentifier: string, attributeReference: string) {
  try {
    const request = { uniqueIdentifier, attributeReference } as never;
    return await reason(client.request("DeleteAttribute", request));
  } catch (error) {
    if (!(error instanceof KmipEncodeError)) throw error;
    return undefined;
  }
}

describe.each(VERSIONS.map((version) => [`${version.major}.${version.minor}`, version] as const))(
  "in %s",
  (_name, version) => {
    it.each(Object.entries(WALK))(
      "%s is changed and deleted as the specification says",
      async (name, [value, may]) => {
        const owner = as("owner", version);
        const uid = await key();
        const changed = await changing(owner, uid, { [name]: value }, ways(version.major));
        if (changed === undefined) return;
        expect([name, changed === "Success"]).toEqual([name, may !== ""]);
        const reference = name === "vendorAttributes" ? (value as object[])[0] : name;
        const gone = await deleting(owner, uid, reference as string);
        if (gone !== undefined)
          expect([name, gone === "Success"]).toEqual([name, may === "change and delete"]);
      },
    );

    it("what was reached or ended is neither moved nor deleted, by nobody", async () => {
      const dates = {
        activationDate: at(10),
        processStartDate: at(20),
        protectStopDate: at(30),
        deactivationDate: at(40),
      };
      for (const [when, fixed] of [
        [15, ["activationDate"]],
        [25, ["activationDate", "processStartDate"]],
        [35, ["activationDate", "processStartDate", "protectStopDate"]],
        [45, ["activationDate", "processStartDate", "protectStopDate", "deactivationDate"]],
      ] as const) {
        clock = BEGIN;
        const uid = await key(dates);
        clock = BEGIN + when * 1000;
        for (const name of fixed)
          for (const client of [as("owner", version), as("other", version)]) {
            for (const date of [at(5), at(50), at(1_000_000)])
              expect([name, await changing(client, uid, { [name]: date }, ways(version.major))]).not.toEqual([
                name,
                "Success",
              ]);
            expect([name, await deleting(client, uid, name)]).not.toEqual([name, "Success"]);
          }
        const { attributes } = await as("owner").request("GetAttributes", {
          uniqueIdentifier: uid,
          attributeReference: Object.keys(dates) as never,
        });
        expect(attributes).toEqual(
          Object.fromEntries(
            Object.entries(dates).map(([name, date]) => [
              name,
              new Date(Math.floor(date.getTime() / 1000) * 1000),
            ]),
          ),
        );
      }
      clock = BEGIN;
    });

    it("usage limits that were used stay, for everybody", async () => {
      const usageLimits = { usageLimitsTotal: 64n, usageLimitsUnit: "Byte" as const };
      for (const use of ["Encrypt", "GetUsageAllocation"] as const) {
        const uid = await key({ usageLimits, activationDate: at(-10) });
        const data = new Uint8Array(16);
        if (use === "Encrypt")
          await as("owner").request("Encrypt", {
            uniqueIdentifier: uid,
            data,
            cryptographicParameters: { blockCipherMode: "ECB" },
          });
        else
          await as("owner").request("GetUsageAllocation", { uniqueIdentifier: uid, usageLimitsCount: 16n });
        for (const client of [as("owner", version), as("other", version)]) {
          for (const total of [8n, 64n, 1000n])
            expect(
              await changing(
                client,
                uid,
                { usageLimits: { ...usageLimits, usageLimitsTotal: total } },
                ways(version.major),
              ),
            ).toMatch(/AttributeReadOnly|PermissionDenied/);
          expect(await deleting(client, uid, "usageLimits")).toMatch(/AttributeReadOnly|PermissionDenied/);
        }
      }
    });

    it("others than the owner only tighten", async () => {
      const usageLimits = (total: bigint, usageLimitsUnit: "Byte" | "Object" = "Byte") => ({
        usageLimits: { usageLimitsTotal: total, usageLimitsUnit },
      });
      const dates = {
        activationDate: at(100),
        processStartDate: at(200),
        protectStopDate: at(300),
        deactivationDate: at(400),
      };
      const start = {
        ...dates,
        ...usageLimits(64n),
        cryptographicUsageMask: ["Encrypt", "MACGenerate"],
      } as Attributes;
      const other = as("other", version);
      const attempt = async (change: Attributes, from = start) =>
        changing(other, await key(from), change, ["ModifyAttribute"]);
      const loosening: Attributes[] = [
        { cryptographicUsageMask: ["Encrypt", "MACGenerate", "Decrypt"] },
        { cryptographicUsageMask: ["Decrypt"] },
        { activationDate: at(50) },
        { processStartDate: at(150) },
        { protectStopDate: at(350) },
        { deactivationDate: at(500) },
        usageLimits(65n),
        usageLimits(64n, "Object"),
        // Little is left, but a replacement would begin with all of it.
        { usageLimits: { usageLimitsTotal: 1000n, usageLimitsCount: 3n, usageLimitsUnit: "Byte" } },
        { link: [{ linkType: "ParentLink", linkedObjectIdentifier: "y" }] },
        { cryptographicParameters: [{ blockCipherMode: "ECB" }] },
        { operationPolicyName: "default" },
        { vendorAttributes: [{ vendorIdentification: "x", attributeName: "a", attributeValue: "c" }] },
      ];
      const has = {
        link: [{ linkType: "ParentLink", linkedObjectIdentifier: "x" }],
        cryptographicParameters: [{ blockCipherMode: "CBC" }],
        vendorAttributes: [{ vendorIdentification: "x", attributeName: "a", attributeValue: "b" }],
      } as const;
      for (const change of loosening)
        expect([
          change,
          [undefined, "PermissionDenied"].includes(
            (await attempt(change, { ...start, ...(has as object) })) as string,
          ),
        ]).toEqual([change, true]);
      const tightening: Attributes[] = [
        { cryptographicUsageMask: ["Encrypt"] },
        { activationDate: at(150) },
        { processStartDate: at(250) },
        { protectStopDate: at(250) },
        { deactivationDate: at(350) },
        usageLimits(63n),
      ];
      for (const change of tightening) expect([change, await attempt(change)]).toEqual([change, "Success"]);
      if (version.major === 1 && version.minor < 4) return;
      const closed = { ...start, sensitive: true, extractable: false };
      for (const client of [other, as("owner", version)])
        for (const change of [{ sensitive: false }, { extractable: true }]) {
          expect(await changing(client, await key(closed), change, ["ModifyAttribute"])).toBe(
            "PermissionDenied",
          );
          if (version.major < 2) continue;
          const [attributeReference] = Object.keys(change);
          const negate = {
            uniqueIdentifier: await key(closed),
            attributeReference,
            adjustmentType: "Negate",
          } as never;
          expect(await reason(client.request("AdjustAttribute", negate))).toBe("PermissionDenied");
        }
    });

    it("a mask only narrows, for its owner too, and comes back from nothing", async () => {
      const owner = as("owner", version);
      const uid = await key({ cryptographicUsageMask: ["Encrypt", "Decrypt"] });
      const modify = (cryptographicUsageMask: Attributes["cryptographicUsageMask"]) =>
        reason(
          owner.request("ModifyAttribute", {
            uniqueIdentifier: uid,
            newAttribute: { cryptographicUsageMask },
          }),
        );
      expect(await modify(["Encrypt", "Decrypt", "WrapKey"])).toBe("PermissionDenied");
      expect(await modify(["Encrypt"])).toBe("Success");
      expect(await modify(["Encrypt", "Decrypt"])).toBe("PermissionDenied");
      expect(await modify([])).toBe("Success");
      expect(await modify(["Encrypt"])).toBe("PermissionDenied");
    });
  },
);

it("usage limits leave no more than they count in all", async () => {
  const usageLimits = { usageLimitsTotal: 5n, usageLimitsCount: 6n, usageLimitsUnit: "Byte" as const };
  expect(await reason(key({ usageLimits }))).toBe("InvalidField");
});

describe("a replacement", () => {
  const dates = { protectStopDate: at(300), deactivationDate: at(400) };
  const seconds = (date: Date | undefined) => date && Math.floor(date.getTime() / 1000);

  it("ends when the old key would have, where nothing says how far its dates move", async () => {
    const { uniqueIdentifier } = await as("owner").request("ReKey", {
      uniqueIdentifier: await key(dates),
      offset: 10,
    });
    const { attributes } = await as("owner").request("GetAttributes", {
      uniqueIdentifier,
      attributeReference: ["activationDate", "protectStopDate", "deactivationDate"],
    });
    expect(seconds(attributes.activationDate)).toBe(seconds(at(10)));
    expect(seconds(attributes.protectStopDate)).toBe(seconds(at(300)));
    expect(seconds(attributes.deactivationDate)).toBe(seconds(at(400)));
  });

  it("gets its dates from nobody but the owner", async () => {
    const uniqueIdentifier = await key({ ...dates, activationDate: at(100) });
    const other = as("other");
    expect(await reason(other.request("ReKey", { uniqueIdentifier, offset: 1_000_000 }))).toBe(
      "PermissionDenied",
    );
    expect(await reason(other.request("ReKey", { uniqueIdentifier }))).toBe("Success");
  });
});
