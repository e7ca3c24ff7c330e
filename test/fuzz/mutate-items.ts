import { enumerationOf, type Item, type ItemType, tagNumber } from "#protocol/kmip/index.ts";
import { ITEM_TYPES } from "#protocol/kmip/item.ts";
import type { Random } from "./random.ts";

/** Mutation of item trees: what comes out is always a tree that can be encoded, if seldom a KMIP message. */

const INTEGERS = [0, 1, -1, 2, 7, 8, 16, 32, 127, 128, 255, 256, 4096, 65535, 0x7fffffff, -0x80000000];
const LONGS = [0n, 1n, -1n, 2n ** 31n, 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n), 253402300800n];
const LENGTHS = [0, 1, 7, 8, 12, 15, 16, 17, 24, 31, 32, 33, 64, 96, 128, 255, 256, 1024];
const TEXTS = ["", "\0", "x-", "x-Coffer-Class", "\u{1f511}", "a".repeat(300), "../../etc/passwd", "%s", "'"];
const TYPES = ITEM_TYPES.filter((type) => type !== undefined);
const TAGS = [...enumerationOf("Tag")!.byValue.keys()];
const OPERATION = tagNumber("Operation");
const OPERATION_CODES = [...enumerationOf("Operation")!.byValue.keys()];

export interface Material {
  /** Trees to take parts from. */
  corpus: readonly Item[];
  /** Identifiers that mean something to the server. */
  texts: readonly string[];
}

/** A copy of the tree with a few changes. */
export function mutateItems(tree: Item, random: Random, material: Material): Item {
  const copy = clone(tree);
  for (let changes = 1 + random.below(4); changes > 0; changes--) change(copy, random, material);
  return copy;
}

function clone(item: Item): Item {
  return item.type === "Structure" ? { ...item, value: item.value.map(clone) } : { ...item };
}

/** All items of a tree with the lists that hold them; the root is left out. */
function places(tree: Item, found: { list: Item[]; at: number }[] = []): { list: Item[]; at: number }[] {
  if (tree.type !== "Structure") return found;
  for (const [at, child] of tree.value.entries()) {
    found.push({ list: tree.value, at });
    places(child, found);
  }
  return found;
}

function change(tree: Item, random: Random, material: Material): void {
  const all = places(tree);
  if (all.length === 0) return;
  const { list, at } = random.pick(all);
  const item = list[at]!;
  switch (random.below(13)) {
    case 0:
      list.splice(at, 1);
      return;
    case 1:
      list.splice(at, 0, ...Array.from({ length: 1 + random.below(3) }, () => clone(item)));
      return;
    case 2: {
      const other = random.below(list.length);
      [list[at], list[other]] = [list[other]!, item];
      return;
    }
    case 3:
      list[at] = { ...item, tag: random.chance(8) ? 0x540000 + random.below(16) : random.pick(TAGS) };
      return;
    case 4:
      list[at] = fresh(item.tag, random.pick(TYPES), random, material);
      return;
    case 5:
    case 6: {
      const from = places(random.pick(material.corpus));
      if (from.length === 0) return;
      const taken = random.pick(from);
      const part = clone(taken.list[taken.at]!);
      if (random.chance(2)) list[at] = part;
      else list.splice(at, 0, part);
      return;
    }
    case 7: {
      const depth = random.chance(4) ? 28 + random.below(8) : 1 + random.below(3);
      let nested = item;
      for (let i = 0; i < depth; i++) nested = { tag: item.tag, type: "Structure", value: [nested] };
      list[at] = nested;
      return;
    }
    case 8: {
      // The operation with the payload of another: every field in every place.
      const operations = all.filter((place) => place.list[place.at]!.tag === OPERATION);
      if (operations.length === 0) return;
      const place = random.pick(operations);
      place.list[place.at] = { tag: OPERATION, type: "Enumeration", value: random.pick(OPERATION_CODES) };
      return;
    }
    default:
      list[at] = mutated(item, random, material);
  }
}

/** The item with another value of its type. */
function mutated(item: Item, random: Random, material: Material): Item {
  switch (item.type) {
    case "Enumeration":
      return { ...item, value: random.chance(4) ? random.next() : random.below(40) };
    case "Integer":
      return { ...item, value: random.chance(3) ? 1 << random.below(31) : random.pick(INTEGERS) };
    case "ByteString":
      return { ...item, value: mutatedBytes(item.value, random) };
    case "TextString":
      if (random.chance(3)) return { ...item, value: random.pick(material.texts) };
      return {
        ...item,
        value: random.chance(2) ? random.pick(TEXTS) : item.value.slice(random.below(4)).toWellFormed(),
      };
    default:
      return fresh(item.tag, item.type, random, material);
  }
}

function mutatedBytes(value: Uint8Array, random: Random): Uint8Array {
  if (random.chance(3)) return random.bytes(random.pick(LENGTHS));
  const copy = Uint8Array.from(value);
  if (copy.length === 0) return copy;
  copy[random.below(copy.length)]! ^= 1 << random.below(8);
  return random.chance(3) ? copy.subarray(0, random.below(copy.length)) : copy;
}

function fresh(tag: number, type: ItemType, random: Random, material: Material): Item {
  switch (type) {
    case "Structure":
      return { tag, type, value: [] };
    case "Integer":
      return { tag, type, value: random.pick(INTEGERS) };
    case "Enumeration":
      return { tag, type, value: random.below(64) };
    case "Interval":
      return { tag, type, value: random.next() };
    case "Boolean":
      return { tag, type, value: random.chance(2) };
    case "TextString":
      return { tag, type, value: random.pick(random.chance(2) ? TEXTS : material.texts) };
    case "ByteString":
      return { tag, type, value: random.bytes(random.pick(LENGTHS)) };
    case "BigInteger":
      return { tag, type, value: random.pick(LONGS) << BigInt(random.below(200)) };
    default:
      return { tag, type, value: random.pick(LONGS) };
  }
}
