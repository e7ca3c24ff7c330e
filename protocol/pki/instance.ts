/** What the certificates of an instance say: written by the registration authority, read by the instance. */
import { encodeHex } from "../bytes.ts";
import { METHOD_ARCS, type MethodName } from "../enrolment.ts";
import { DEFAULT_LEVEL, type Level } from "../level.ts";
import { TIERS, type Tier } from "../policy/index.ts";
import type { Certificate } from "./certificate.ts";
import { CONTEXT, DerReader, objectIdentifier } from "./der.ts";
import { DIGITAL_SIGNATURE, KEY_AGREEMENT, KEY_ENCIPHERMENT } from "./extensions.ts";
import { nameText } from "./name.ts";

/** Our arc for policy identifiers: a UUID (ITU-T X.667), so it needs no registration. */
const ARC = "2.25.160880430942448062285216026576815665699";
/** Which method issued the certificate (M4). */
export const METHOD_POLICY = Object.fromEntries(
  Object.entries(METHOD_ARCS).map(([method, arc]) => [method, `${ARC}.1.${arc}`]),
) as Record<MethodName, string>;
export const TIER_POLICY: Record<Tier, string> = {
  software: `${ARC}.2.1`,
  emulated: `${ARC}.2.2`,
  hardware: `${ARC}.2.3`,
};
/** The release level for which a wrapping certificate was issued; one for `data` names none, as before there were levels. */
export const LEVEL_POLICY: Record<Exclude<Level, "data">, string> = {
  account: `${ARC}.3.1`,
  master: `${ARC}.3.2`,
};

const LEVELS_NAMED = ["account", "master"] as const;

const USES = { identity: DIGITAL_SIGNATURE, wrapping: KEY_ENCIPHERMENT, agreement: KEY_AGREEMENT };

export type InstanceCertificate = {
  use: "identity" | "wrapping" | "agreement";
  /** Distinguished Name of the one custodian that the instance serves (M13). */
  custodian: string;
  /** How it was enrolled, as it claims. */
  method: string;
};

/** Whether the certificate says all this, and no other use or name; the tier that it names. Throws `TypeError`. */
export function instanceTier(certificate: Certificate, expected: InstanceCertificate): Tier {
  const { authority, keyUsage, alternativeNames, policies } = certificate;
  if (authority) throw new TypeError("an authority, not an instance");
  if (keyUsage !== USES[expected.use]) throw new TypeError("another key usage");
  if (instanceCustodian({ alternativeNames }) !== expected.custodian)
    throw new TypeError("another custodian");
  const says = (policy: string) => policies.includes(encodeHex(objectIdentifier(policy)));
  const [tier, second] = TIERS.filter((one) => says(TIER_POLICY[one]));
  const method = new Map<string, string>(Object.entries(METHOD_POLICY)).get(expected.method);
  const named = instanceLevel(certificate) === DEFAULT_LEVEL ? 2 : 3;
  if (!method || !says(method) || !tier || second || policies.length !== named)
    throw new TypeError("another method, or not one tier");
  return tier;
}

/** Distinguished Name of the one custodian that an instance's certificate names. Throws `TypeError`. */
export function instanceCustodian({ alternativeNames }: Pick<Certificate, "alternativeNames">): string {
  const [name, ...others] = alternativeNames;
  if (!name || others.length > 0) throw new TypeError("not one custodian");
  // directoryName is the choice [4], explicit (RFC 5280 §4.2.1.6).
  return nameText(new DerReader(name).read(CONTEXT | 4).contents);
}

/** The release level that an instance's certificate names. Throws `TypeError` for two. */
export function instanceLevel({ policies }: Pick<Certificate, "policies">): Level {
  const [level, second] = LEVELS_NAMED.filter((one) =>
    policies.includes(encodeHex(objectIdentifier(LEVEL_POLICY[one]))),
  );
  if (second) throw new TypeError("two release levels");
  return level ?? DEFAULT_LEVEL;
}
