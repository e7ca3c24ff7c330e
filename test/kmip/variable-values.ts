import { enumerationOf, type Item, tagByNumber, tagNumber } from "#protocol/kmip/index.ts";
import { CERTIFIED, CRYPTOGRAPHIC_OUTPUT, DATES, KEY_MATERIAL } from "./variations.ts";

/** What a compared value belongs to: decides which of the permitted variations apply. */
export interface Scope {
  operation: string;
  /** The request item that is answered. */
  request: Item | undefined;
  /** The request item that brought in the object that the answer is about: it may say how the key is used. */
  origin: Item | undefined;
  /** Whether the server made that object. */
  generated: boolean;
  /** Name of the attribute that is compared. */
  attribute: string | undefined;
  /** Tags of the structures around it. */
  path: readonly number[];
  within(item: Item): Scope;
  ofAttribute(name: string): Scope;
}

type Facts = Pick<Scope, "operation" | "request" | "origin" | "generated">;

export function scopeOf(facts: Facts, attribute?: string, path: readonly number[] = []): Scope {
  return {
    ...facts,
    attribute,
    path,
    within: (item) => scopeOf(facts, attribute, [...path, item.tag]),
    ofAttribute: (name) => scopeOf(facts, name, path),
  };
}

const ATTRIBUTE_VALUE = tagNumber("AttributeValue");

/** Whether the profiles let a server answer another value of the same type (KMIP Profiles, "Variable Items"). */
export function mayVary(expected: Item, actual: Item, scope: Scope): boolean {
  const name =
    expected.tag === ATTRIBUTE_VALUE
      ? (scope.attribute ?? "").replaceAll(" ", "")
      : (tagByNumber(expected.tag)?.name ?? "");
  if (expected.type === "DateTime" && DATES.has(tagOf(name))) return !setByClient(scope, expected);
  if (isInDigest(scope)) return true;
  // An identifier, which the cases spell out where they have no placeholder for it (TC-IMPEXP-3).
  if (name === "ShortUniqueIdentifier") return true;
  // Spelled out in TC-32-10 where others have a placeholder.
  if (name === "AsynchronousCorrelationValue") return true;
  // TC-312-12 too: it is right if it is the one that was asked for.
  if (name === "UniqueIdentifier" && scope.request)
    return actual.value === find(scope.request, expected.tag)?.value;
  // As long as the issuer's name and key make it.
  if (name === "CertificateLength") return scope.generated;
  if (name === "KeyFormatType") return scope.generated;
  if (CERTIFIED.has(expected.tag)) return scope.generated;
  // A part of a seed is more than nothing and less than all (CS-RNG-O-2).
  if (name === "DataLength" && scope.operation === "RNGSeed")
    return isPart(expected, scope) && isPart(actual, scope);
  if (KEY_MATERIAL.has(expected.tag)) return scope.generated && sameLength(expected, actual);
  // C_GetInfo tells of the server, in a structure of fixed length.
  if (name === "PKCS_11OutputParameters") return isGetInfo(scope) && sameLength(expected, actual, 76);
  if (CRYPTOGRAPHIC_OUTPUT.has(expected.tag))
    return (scope.generated || isRandomised(scope)) && sameLength(expected, actual);
  return false;
}

function tagOf(name: string): number {
  return DATE_TAGS.get(name) ?? 0;
}
const DATE_TAGS = new Map([...DATES].map((tag) => [tagByNumber(tag)!.name, tag]));

function isPart({ value }: Item, { request }: Scope): boolean {
  const seed = request && find(request, tagNumber("Data"))?.value;
  return seed instanceof Uint8Array && Number(value) > 0 && Number(value) < seed.length;
}

/** "Where the value is not specified in the request as a fixed value". */
function setByClient({ request }: Scope, { value }: Item): boolean {
  const holds = (item: Item): boolean =>
    item.type === "Structure" ? item.value.some(holds) : item.type === "DateTime" && item.value === value;
  return request !== undefined && holds(request);
}

/** Digest: which hash a server calculates is its own choice, and its value with it. */
function isInDigest({ path, attribute, generated }: Scope): boolean {
  return (attribute === "Digest" || path.includes(tagNumber("Digest"))) && generated;
}

/** Short byte strings, which are keys, IVs and MACs, have the length that the case gives them. */
function sameLength(expected: Item, actual: Item, short = 64): boolean {
  if (!(expected.value instanceof Uint8Array) || !(actual.value instanceof Uint8Array)) return true;
  return expected.value.length > short || expected.value.length === actual.value.length;
}

function isGetInfo({ request }: Scope): boolean {
  const called = request && find(request, tagNumber("PKCS_11Function"));
  return nameIn("PKCS_11Function", called) === "C_GetInfo";
}

const RANDOM_SIGNATURES = /ECDSA|DSA|PSS/;

/** Operations whose output is never the same twice. */
function isRandomised({ operation, request, origin }: Scope): boolean {
  if (operation === "RNGRetrieve") return true;
  const parameter = (tag: number) => (request && find(request, tag)) ?? (origin && find(origin, tag));
  const padding = nameIn("PaddingMethod", parameter(tagNumber("PaddingMethod")));
  if (operation === "Encrypt") {
    if (padding === "OAEP" || padding === "PKCS1V1_5") return true;
    return parameter(tagNumber("RandomIV"))?.value === true;
  }
  if (operation !== "Sign") return false;
  const algorithm =
    nameIn("DigitalSignatureAlgorithm", parameter(tagNumber("DigitalSignatureAlgorithm"))) ||
    nameIn("CryptographicAlgorithm", parameter(tagNumber("CryptographicAlgorithm")));
  return padding === "PSS" || RANDOM_SIGNATURES.test(algorithm);
}

function nameIn(table: string, item: Item | undefined): string {
  return enumerationOf(table)?.byValue.get(item?.value as number)?.name ?? "";
}

export function find(item: Item, tag: number): Item | undefined {
  if (item.tag === tag) return item;
  if (item.type !== "Structure") return undefined;
  for (const child of item.value) {
    const found = find(child, tag);
    if (found) return found;
  }
  return undefined;
}
