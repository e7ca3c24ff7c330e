import {
  type ClientHash,
  clientHashAlgorithm,
  clientHashes,
  isHashedPassword,
  serverHashedPassword,
} from "#kmip-node/client-hash.ts";
import type { ClientHashAlgorithm } from "#kmip-node/index.ts";
import { equalConstantTime, utf8 } from "#protocol/bytes.ts";
import { CLOCK_TOLERANCE } from "#protocol/clock.ts";
import { roleOf } from "#protocol/hierarchy/index.ts";
import type { Credential } from "#protocol/kmip/index.ts";
import { isCommonName } from "./client-identity.ts";
import { usedStep } from "./one-time-password.ts";
import { hashPassword, isPassword, isPasswordHash, MAX_PASSWORD } from "./password-hash.ts";

type Value = Credential["credentialValue"];

/** What identifies a device (KMIP 2.1 §9.11 Credential): all that is given here must be in the credential, and be the same. */
export interface Device {
  deviceSerialNumber?: string;
  deviceIdentifier?: string;
  networkIdentifier?: string;
  machineIdentifier?: string;
  mediaIdentifier?: string;
}

/** Somebody who can name themselves by a credential in the message; or whom a certificate names, who is in groups. */
export interface Principal {
  name: string;
  /** `certificate`: the client whose certificate has that common name. There is nothing else to show, then. */
  kind?: "certificate";
  /** The groups that operation policies know them by. */
  groups?: readonly string[];
  /** As `hashPassword` writes it. */
  password?: string;
  /** As `clientHashes` writes it: takes Hashed Passwords. */
  clientHash?: Readonly<Record<ClientHashAlgorithm, ClientHash>>;
  /** Secret of one-time passwords (RFC 6238), 16 bytes or more; asked for beside the password where there is one. */
  oneTimeSecret?: Uint8Array;
  /** Takes Device credentials, and no other kind with a password alone: what is written on a device is no secret. */
  device?: Device;
}

/** Who a credential has shown its sender to be. */
export interface Shown {
  identity: string;
  serverHashedPassword?: Uint8Array<ArrayBuffer>;
}

/** The members of `Device`. */
export const DEVICE_FIELDS = [
  "deviceSerialNumber",
  "deviceIdentifier",
  "networkIdentifier",
  "machineIdentifier",
  "mediaIdentifier",
] as const;

/** A principal from a password in plain, which is not kept. `hashed`: takes Hashed Passwords too. */
export function principalOf(
  name: string,
  password: string,
  {
    hashed = false,
    ...others
  }: { hashed?: boolean } & Pick<Principal, "oneTimeSecret" | "device" | "groups"> = {},
): Principal {
  const clientHash = hashed ? { clientHash: clientHashes(name, password) } : {};
  return { name, password: hashPassword(password), ...clientHash, ...others };
}

/** Throws `TypeError` unless these can be principals, together. */
export function checkPrincipals(principals: readonly Principal[]): void {
  const identities = new Set<string>();
  for (const principal of principals) {
    const { name, kind, groups = [], password, oneTimeSecret, device } = principal;
    if (name === "" || name.length > 256 || roleOf(name) !== "user")
      throw new TypeError(`'${name}' cannot be a principal's name`);
    const identity = identityOf(principal);
    if (identities.has(identity))
      throw new TypeError(
        kind ? `there are two entries for the certificate '${name}'` : `there are two principals '${name}'`,
      );
    if (groups.some((group) => group === "" || group.length > 256) || new Set(groups).size !== groups.length)
      throw new TypeError("the groups are not names, each of them once");
    if (kind === "certificate") checkCertificate(principal);
    if (password !== undefined && !isPasswordHash(password)) throw new TypeError("not a password's hash");
    if (oneTimeSecret && oneTimeSecret.length < 16) throw new TypeError("the secret is too short");
    if (device && (password === undefined || Object.keys(device).length === 0))
      throw new TypeError("a device has an identifier and a password");
    identities.add(identity);
  }
}

/** Nothing but groups is said of those whom their certificates name. */
function checkCertificate({ name, kind: _, groups, ...others }: Principal): void {
  if (!isCommonName(name)) throw new TypeError(`'${name}' cannot be a certificate's common name`);
  if (Object.values(others).some((one) => one !== undefined) || !groups?.length)
    throw new TypeError("an entry for a certificate has groups and nothing else");
}

/**
 * Those who can name themselves by credentials: never an identity of a deployment, nor one of a certificate. And the
 * groups of all ordinary clients.
 */
export class Principals {
  #known = new Map<string, Principal>();
  #groups = new Map<string, readonly string[]>();
  /** Compared with where there is no such principal, so that it takes as long. */
  #nobody = hashPassword("");
  /** The last step whose one-time password was used. */
  #used = new Map<string, number>();

  /** Throws `TypeError` for a principal that cannot be. */
  constructor(principals: readonly Principal[]) {
    checkPrincipals(principals);
    for (const principal of principals) {
      if (principal.kind !== "certificate") this.#known.set(principal.name, principal);
      if (principal.groups?.length) this.#groups.set(identityOf(principal), [...principal.groups]);
    }
  }

  /** The groups of an identity; none where nobody said so. */
  groupsOf(identity: string): readonly string[] {
    return this.#groups.get(identity) ?? [];
  }

  /** Who shows themselves by the credential; undefined for whatever is wrong with it. */
  async shown({ credentialType, credentialValue }: Credential, now: Date): Promise<Shown | undefined> {
    switch (credentialType) {
      case "UsernameAndPassword":
        return this.#byPassword(this.#named(credentialValue), credentialValue, "oneTimeSecret", "device");
      case "Device":
        return this.#byPassword(this.#deviceOf(credentialValue), credentialValue, "oneTimeSecret");
      case "OneTimePassword":
        return this.#byOneTimePassword(this.#named(credentialValue), credentialValue, now);
      case "HashedPassword":
        return byHashedPassword(this.#named(credentialValue), credentialValue, now);
    }
    return undefined;
  }

  #named({ username }: Value): Principal | undefined {
    return username === undefined ? undefined : this.#known.get(username);
  }

  #deviceOf(value: Value): Principal | undefined {
    const found = [...this.#known.values()].filter(({ device }) => device && isDevice(device, value));
    return found.length === 1 ? found[0] : undefined;
  }

  /** A principal with something to show beside the password (`factors`) shows it. */
  async #byPassword(
    principal: Principal | undefined,
    { password }: Value,
    ...factors: ("oneTimeSecret" | "device")[]
  ): Promise<Shown | undefined> {
    if (password === undefined || password.length > MAX_PASSWORD) return undefined;
    const right = await isPassword(principal?.password ?? this.#nobody, password);
    if (!right || principal?.password === undefined) return undefined;
    if (factors.some((factor) => principal[factor])) return undefined;
    return { identity: identityOf(principal) };
  }

  async #byOneTimePassword(
    principal: Principal | undefined,
    { password = "", oneTimePassword }: Value,
    now: Date,
  ): Promise<Shown | undefined> {
    const secret = principal?.oneTimeSecret;
    const right = await isPassword(principal?.password ?? this.#nobody, password);
    if (!principal || !secret || oneTimePassword === undefined) return undefined;
    const last = this.#used.get(principal.name) ?? Number.NEGATIVE_INFINITY;
    const step = usedStep(secret, oneTimePassword, now, last);
    if (step === undefined) return undefined;
    // Used up, though the password beside it may be wrong.
    this.#used.set(principal.name, step);
    return principal.password === undefined || right ? { identity: identityOf(principal) } : undefined;
  }
}

function byHashedPassword(
  principal: Principal | undefined,
  { hashingAlgorithm, timeStamp, hashedPassword }: Value,
  now: Date,
): Shown | undefined {
  const algorithm = clientHashAlgorithm(hashingAlgorithm);
  const kept = algorithm && principal?.clientHash?.[algorithm];
  if (!principal || !kept || !timeStamp || !hashedPassword) return undefined;
  if (principal.oneTimeSecret || principal.device) return undefined;
  if (!isHashedPassword(algorithm, kept, timeStamp, hashedPassword)) return undefined;
  if (!(Math.abs(timeStamp.getTime() - now.getTime()) <= CLOCK_TOLERANCE * 1000)) return undefined;
  return {
    identity: identityOf(principal),
    serverHashedPassword: serverHashedPassword(algorithm, kept, timeStamp),
  };
}

function isDevice(device: Device, value: Value): boolean {
  return DEVICE_FIELDS.every(
    (field) =>
      device[field] === undefined || equalConstantTime(utf8(device[field]), utf8(value[field] ?? "")),
  );
}

/** In a space of its own, since common names of certificates are ASCII. */
function identityOf({ kind, name }: Principal): string {
  return kind === "certificate" ? name : `\u00b7${name}`;
}
