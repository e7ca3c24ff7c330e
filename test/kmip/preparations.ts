import { X509Certificate } from "node:crypto";
import { globSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { HsmOptions } from "#emulator/hsm/index.ts";
import type { Attributes, KmipClient, XmlElement } from "#protocol/kmip/index.ts";
import type { Endpoint } from "./connection.ts";
import { readCase, type Step, type TestCase } from "./test-case.ts";

/**
 * What a case takes for granted: how the server is set up (own servers only), and objects that an earlier case of its
 * series has left. Where the publication has that earlier case (TC-CREG-1, TC-OTP-SETUP-1), this does the same, or
 * plays it, if it lies beside.
 */
export interface Preparation {
  server?: Partial<HsmOptions>;
  objects?: (client: KmipClient, endpoint: Endpoint) => Promise<void>;
  /** The case that goes before. */
  earlier?: TestCase | undefined;
}

/** Third cases of series that find by attributes what the second ones registered: tape libraries, storage arrays. */
const THIRD = /^((?:TL|SASED)[-_]M[-_])3(?=[-_])/;

const PREPARATIONS: readonly [RegExp, Preparation][] = [
  // Profiles, "RNG Cryptographic": optional cases for servers that use a part of a seed, ignore it, refuse it.
  [/^CS-RNG-O-2-/, { server: { seeding: "partial" } }],
  [/^CS-RNG-O-3-/, { server: { seeding: "ignored" } }],
  [/^CS-RNG-O-4-/, { server: { seeding: "refused" } }],
  // "It is assumed that the server has fresh objects available in the default group."
  [/^TC[-_]151[-_]/, { objects: createInDefaultGroup }],
  [/^TC-CREG-3-/, { objects: registerPair }],
  [/^TC-OTP-(?!SETUP)/, { objects: registerPad }],
];

export function preparationOf({ file, steps }: TestCase): Preparation {
  const name = basename(file);
  const { server, ...others } = PREPARATIONS.find(([pattern]) => pattern.test(name))?.[1] ?? {};
  return { ...others, earlier: earlierThan(file), server: { users: usersOf(steps), ...server } };
}

function earlierThan(file: string): TestCase | undefined {
  const [, series] = THIRD.exec(basename(file)) ?? [];
  const [found] = series ? globSync(join(dirname(file), `${series}2[-_]*.xml`)) : [];
  return found === undefined ? undefined : readCase(found);
}

/** The users of a case by their passwords: the server knows those who succeed in it. */
function usersOf(steps: readonly Step[]): Record<string, string> {
  const users: Record<string, string> = {};
  for (const { request } of steps) {
    const [username, password] = ["Username", "Password"].map((name) => valueIn(request, name));
    if (username && password !== undefined) users[username] ??= password;
  }
  return users;
}

function valueIn({ name, attributes, children }: XmlElement, wanted: string): string | undefined {
  if (name === wanted) return attributes.get("value");
  for (const child of children) {
    const found = valueIn(child, wanted);
    if (found !== undefined) return found;
  }
  return undefined;
}

async function createInDefaultGroup(client: KmipClient): Promise<void> {
  await client.request("Create", {
    objectType: "SymmetricKey",
    attributes: {
      cryptographicAlgorithm: "AES",
      cryptographicLength: 256,
      cryptographicUsageMask: ["Encrypt", "Decrypt"],
      objectGroup: ["default"],
    },
  });
}

/** TC-OTP-SETUP-1 */
async function registerPad(client: KmipClient): Promise<void> {
  const keyMaterial = new Uint8Array(Buffer.from("fc932e1428bd", "hex"));
  await client.request("Register", {
    objectType: "SecretData",
    attributes: {
      cryptographicUsageMask: ["Encrypt", "Decrypt"],
      cryptographicAlgorithm: "OneTimePad",
      cryptographicLength: 48,
      name: [{ nameValue: "one-time-pad-1", nameType: "UninterpretedTextString" }],
      activationDate: new Date(Date.now() - 60_000),
    },
    object: {
      secretData: {
        secretDataType: "Password",
        keyBlock: { keyFormatType: "Opaque", keyValue: { keyMaterial } },
      },
    },
  });
}

/** TC-CREG-1: a public key, a private key, a certificate. Which ones does not matter to what follows. */
async function registerPair(client: KmipClient, { cert }: Endpoint): Promise<void> {
  const attributes: Attributes = { cryptographicAlgorithm: "RSA", cryptographicLength: 2048 };
  const { publicKeyUniqueIdentifier } = await client.request("CreateKeyPair", {
    commonAttributes: attributes,
    privateKeyAttributes: { cryptographicUsageMask: ["Sign"] },
    publicKeyAttributes: { cryptographicUsageMask: ["Verify"] },
  });
  const certificateValue = new Uint8Array(new X509Certificate(cert).raw);
  await client.request("Register", {
    objectType: "Certificate",
    attributes: {
      cryptographicUsageMask: ["Verify"],
      link: [{ linkType: "PublicKeyLink", linkedObjectIdentifier: publicKeyUniqueIdentifier }],
    },
    object: { certificate: { certificateType: "X_509", certificateValue } },
  });
}
