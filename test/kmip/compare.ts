import { encodeItem, enumerationOf, type Item, tagByNumber, tagNumber } from "#protocol/kmip/index.ts";
import type { Expected } from "./expected.ts";
import { type Placeholders, textOf } from "./placeholders.ts";
import { find, mayVary, type Scope } from "./variable-values.ts";
import {
  ATTRIBUTE_BAG,
  BASELINE_OPERATIONS,
  FREE,
  INDEX,
  MAY_BE_EXTRA,
  MAY_HAVE_NONE,
  mayLackAttribute,
  OPERATION,
  SERVER_FACTS,
  SERVERS_ATTRIBUTES,
} from "./variations.ts";

/** Compares an answer with what a case expects. Every function returns the first difference, or nothing. */

type Difference = string | undefined;

const ATTRIBUTE_NAME = tagNumber("AttributeName");
const BATCH_ITEM = tagNumber("BatchItem");
const RESULT_REASON = tagNumber("ResultReason");
const ATTRIBUTES = tagNumber("Attributes");
const PAYLOAD = tagNumber("ResponsePayload");
const PROTOCOL_VERSION = tagNumber("ProtocolVersion");

export function compare(expected: Expected, actual: Item, values: Placeholders, scope: Scope): Difference {
  const { item, placeholder } = expected;
  if (item.tag !== actual.tag) return at(item, `got ${nameOf(actual)}`);
  if (FREE.has(item.tag)) return undefined;
  if (item.type !== actual.type) return at(item, `expected ${item.type}, got ${actual.type}`);
  if (placeholder) {
    const wrong = values.accept(placeholder, actual);
    return wrong && at(item, wrong);
  }
  if (item.type !== "Structure" || actual.type !== "Structure") {
    if (sameValue(item, actual) || mayVary(item, actual, scope)) return undefined;
    return at(item, `expected ${spelled(item, scope)}, got ${spelled(actual, scope)}`);
  }
  const inside = scope.within(item);
  const wrong =
    compareFacts(expected, actual.value, scope) ??
    compareAttributes(expected, actual.value, values, inside) ??
    compareInOrder(expected, actual.value, values, inside);
  return wrong && `${nameOf(item)}/${wrong}`;
}

/** What Query and (where the client named no versions) Discover Versions say of the server. */
function compareFacts({ item, children }: Expected, actual: Item[], scope: Scope): Difference {
  if (item.tag !== PAYLOAD) return undefined;
  if (scope.operation === "DiscoverVersions" && !namesVersions(scope))
    return compareVersions(children, actual);
  if (scope.operation !== "Query") return undefined;
  for (const { item: fact } of children) {
    if (!SERVER_FACTS.has(fact.tag) || MAY_HAVE_NONE.has(fact.tag)) continue;
    const said = actual.filter(({ tag }) => tag === fact.tag);
    if (said.length === 0) return at(fact, "is missing");
    if (fact.tag === OPERATION && BASELINE_OPERATIONS.has(fact.value))
      if (!said.some((one) => sameValue(one, fact)))
        return at(fact, `${enumerationOf("Operation")!.byValue.get(fact.value as number)?.name} is missing`);
  }
  return undefined;
}

function compareVersions(children: Expected[], actual: Item[]): Difference {
  for (const { item } of children) {
    const same = (one: Item) => Buffer.compare(encodeItem(one), encodeItem(item)) === 0;
    if (!actual.some(same)) return at(item, "a version is missing");
  }
  return undefined;
}

function isFact({ tag }: Item, scope: Scope): boolean {
  if (scope.operation === "DiscoverVersions") return tag === PROTOCOL_VERSION && !namesVersions(scope);
  return scope.operation === "Query" && SERVER_FACTS.has(tag);
}

function namesVersions({ request }: Scope): boolean {
  return request !== undefined && find(request, PROTOCOL_VERSION) !== undefined;
}

/** Attributes, in any order, with others among them. */
function compareAttributes(
  { item, children }: Expected,
  actual: Item[],
  values: Placeholders,
  scope: Scope,
): Difference {
  const isBag = item.tag === ATTRIBUTES;
  const left = actual.filter(({ tag }) => isBag || ATTRIBUTE_BAG.has(tag));
  for (const child of children) {
    if (!isBag && (child.item.tag === ATTRIBUTES || !ATTRIBUTE_BAG.has(child.item.tag))) continue;
    const name = attributeName(child.item);
    const candidates = left.filter((one) => one.tag === child.item.tag && attributeName(one) === name);
    if (candidates.length === 0) {
      if (mayLackAttribute(name)) continue;
      return at(child.item, `${name} is missing`);
    }
    if (SERVERS_ATTRIBUTES.has(name)) continue;
    const [found, wrong] = firstLike(child, candidates, values, scope.ofAttribute(name));
    if (!found) return wrong;
    left.splice(left.indexOf(found), 1);
  }
  return undefined;
}

function firstLike(
  expected: Expected,
  candidates: Item[],
  values: Placeholders,
  scope: Scope,
): [Item | undefined, Difference] {
  let first: Difference;
  for (const candidate of candidates) {
    const tried = values.copy();
    const wrong = compare(expected, candidate, tried, scope);
    if (wrong === undefined) {
      values.adopt(tried);
      return [candidate, undefined];
    }
    first ??= wrong;
  }
  return [undefined, first];
}

/** Everything else, in its order: a message is a sequence. */
function compareInOrder(
  { item, children }: Expected,
  actual: Item[],
  values: Placeholders,
  scope: Scope,
): Difference {
  if (item.tag === ATTRIBUTES) return undefined;
  const isOther = (one: Item) =>
    (ATTRIBUTE_BAG.has(one.tag) && one.tag !== ATTRIBUTES) || (item.tag === PAYLOAD && isFact(one, scope));
  // Within one attribute its name is a field like others.
  const fields = item.tag === tagNumber("Attribute") ? () => true : (one: Item) => !isOther(one);
  const wanted = children.filter((child) => fields(child.item));
  const failed = item.tag === BATCH_ITEM && wanted.some((child) => child.item.tag === RESULT_REASON);
  const unnamed = failed && !wanted.some((child) => child.item.tag === OPERATION);
  const given = actual.filter((one) => fields(one) && !(unnamed && one.tag === OPERATION));
  let position = 0;
  for (const child of wanted) {
    while (given[position] && given[position]!.tag !== child.item.tag && mayBeAbsent(given[position]!))
      position++;
    const next = given[position];
    if (next?.tag === child.item.tag) {
      const wrong = compare(child, next, values, scope);
      if (wrong) return wrong;
      position++;
    } else if (!mayBeAbsent(child.item))
      return at(child.item, next ? `is missing before ${nameOf(next)}` : "is missing");
  }
  const extra = given.slice(position).find((one) => !mayBeAbsent(one));
  return extra && at(extra, "was not expected");
}

/** What may be there or not, on either side. */
function mayBeAbsent(item: Item): boolean {
  return FREE.has(item.tag) || MAY_BE_EXTRA.has(item.tag) || (item.tag === INDEX && item.value === 0);
}

/** By what attributes are told apart: their tag in 2.x, their name in 1.x, vendor and name for vendor attributes. */
function attributeName(item: Item): string {
  if (item.tag === ATTRIBUTE_NAME) return String(item.value);
  if (item.type === "Enumeration" && item.tag === tagNumber("AttributeReference"))
    return tagByNumber(item.value)?.name ?? String(item.value);
  if (item.type !== "Structure") return nameOf(item);
  const names = item.value.filter(
    ({ tag }) => tag === ATTRIBUTE_NAME || tag === tagNumber("VendorIdentification"),
  );
  return names.length > 0 ? names.map(({ value }) => String(value)).join(" ") : nameOf(item);
}

export function sameValue(one: Item, other: Item): boolean {
  if (one.value instanceof Uint8Array && other.value instanceof Uint8Array)
    return Buffer.compare(one.value, other.value) === 0;
  return one.value === other.value;
}

function spelled(item: Item, { attribute }: Scope): string {
  if (item.type !== "Enumeration") return shortened(textOf(item));
  const table = enumerationOf(nameOf(item)) ?? enumerationOf((attribute ?? "").replaceAll(" ", ""));
  return table?.byValue.get(item.value)?.name ?? textOf(item);
}

function nameOf({ tag }: Item): string {
  return tagByNumber(tag)?.name ?? `0x${tag.toString(16).toUpperCase()}`;
}

/** Long values are cut: the beginning tells them apart. */
function shortened(text: string): string {
  return text.length > 96 ? `${text.slice(0, 96)}… (${text.length} characters)` : text;
}

function at(item: Item, what: string): string {
  return `${nameOf(item)}: ${what}`;
}
