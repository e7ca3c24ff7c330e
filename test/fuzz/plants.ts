import { decodeItem, type Item, tagNumber } from "#protocol/kmip/index.ts";

/** Faults that are put in on purpose, to see that the fuzzer finds their like. */
export const PLANTS = ["crash", "lossy", "hang", "growth", "server"] as const;
export type Plant = (typeof PLANTS)[number];

const BATCH_ITEM = tagNumber("BatchItem");
const OPERATION = tagNumber("Operation");

/** The codec's `decodeItem` with a fault. */
export function plantedDecode(plant: Plant | undefined): typeof decodeItem {
  const kept: Uint8Array[] = [];
  return (bytes, options) => {
    const item = decodeItem(bytes, options);
    // An item with two operations, of which the second is one that does not exist.
    if (plant === "crash" && some(item, twoOperations)) throw new TypeError("planted");
    // A sign that is lost.
    if (plant === "lossy") return altered(item);
    if (plant === "hang" && depth(item) > 24) work(1500);
    if (plant === "growth") kept.push(new Uint8Array(16 * 1024).fill(kept.length));
    return item;
  };
}

/** What the server is made to do with a request: throw at a negative Batch Count. */
export function plantedHook(plant: Plant | undefined): (bytes: Uint8Array) => void {
  const tag = Buffer.from("42000d0200000004", "hex");
  return (bytes) => {
    const at = plant === "server" ? Buffer.from(bytes).indexOf(tag) : -1;
    if (at >= 0 && bytes[at + 8]! >= 0x80) throw new RangeError("planted");
  };
}

function twoOperations(item: Item): boolean {
  if (item.type !== "Structure" || item.tag !== BATCH_ITEM) return false;
  const operations = item.value.filter(({ tag }) => tag === OPERATION);
  const [, second] = operations;
  return second?.type === "Enumeration" && second.value > 30;
}

function some(item: Item, is: (item: Item) => boolean): boolean {
  return is(item) || (item.type === "Structure" && item.value.some((child) => some(child, is)));
}

function depth(item: Item): number {
  return item.type === "Structure" ? 1 + Math.max(0, ...item.value.map(depth)) : 0;
}

function altered(item: Item): Item {
  if (item.type === "Structure") return { ...item, value: item.value.map(altered) };
  // The least Long Integer has no positive twin: what it became could not be written at all.
  const lost = item.type === "LongInteger" && item.value < 0n && item.value > -(2n ** 63n);
  return lost ? { ...item, value: -item.value } : item;
}

function work(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}
