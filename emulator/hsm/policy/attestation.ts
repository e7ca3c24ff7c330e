import { isPolicy, POLICY, policy } from "#protocol/hierarchy/index.ts";
import { type Attributes, KmipError } from "#protocol/kmip/index.ts";
import type { ManagedObject } from "../store/managed-object.ts";

/**
 * Objects that are used by attested clients only: the policy attribute `Attestation`, `EAT` or `EAT measurement=<hex>`
 * (several, with `|` between them). Its owner sets it; after that it only tightens.
 */

interface Requirement {
  /** Digests of code that may use the object; any where there are none. */
  measurements?: readonly string[];
}

const DIGEST = "(?:[0-9a-f]{64}|[0-9a-f]{96})";
const FORM = new RegExp(`^EAT(?: measurement=(${DIGEST}(?:\\|${DIGEST}){0,15}))?$`);

/** Throws unless the text is a requirement that this server can check. */
export function checkRequirement(text: string): void {
  if (!FORM.test(text)) throw new KmipError("InvalidAttributeValue", "Not a requirement of attestation");
}

/** Whether a client that fulfils `next` also fulfils `before`. */
export function isTighter(before: string, next: string): boolean {
  const [old, now] = [measurementsOf(before), measurementsOf(next)];
  return !old || (now?.every((one) => old.includes(one)) ?? false);
}

/** What an object requires; all of it, where several say so. Undefined where anybody may use it. */
export function requirementOf({ vendorAttributes }: Attributes): Requirement | undefined {
  const texts = textsOf(vendorAttributes);
  if (texts.length === 0) return undefined;
  const sets = texts.map(measurementsOf).filter((set) => set !== undefined);
  const [first, ...others] = sets;
  return first ? { measurements: first.filter((one) => others.every((set) => set.includes(one))) } : {};
}

/** The vendor attributes of an object made from others, which pass on what they require. */
export function withRequirements(bases: readonly ManagedObject[], attributes: Attributes): Attributes {
  const own = textsOf(attributes.vendorAttributes);
  const texts = bases.flatMap((base) => textsOf(base.attributes.vendorAttributes));
  const [text, ...others] = [...new Set([...texts, ...own])];
  if (text === undefined) return attributes;
  if (others.length > 0)
    throw new KmipError("PermissionDenied", "What attestation is required follows from the first object");
  const rest = (attributes.vendorAttributes ?? []).filter((one) => !isRequirement(one));
  return { ...attributes, vendorAttributes: [...rest, policy(POLICY.attestation, text)] };
}

type VendorAttribute = NonNullable<Attributes["vendorAttributes"]>[number];

function isRequirement(attribute: VendorAttribute): boolean {
  return isPolicy(attribute) && attribute.attributeName === POLICY.attestation;
}

function textsOf(attributes: readonly VendorAttribute[] = []): string[] {
  return attributes.filter(isRequirement).map(({ attributeValue }) => String(attributeValue));
}

/** Throws for what is no requirement: a kept one of another release must not be taken for none. */
function measurementsOf(text: string): readonly string[] | undefined {
  const form = FORM.exec(text);
  if (!form) throw new Error("A requirement of an unknown form");
  return form[1]?.split("|");
}
