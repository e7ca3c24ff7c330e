import { enumerationOf, tagNumber } from "#protocol/kmip/index.ts";

/** Tag, type and length of an item of TTLV, 8 bytes; its value is filled up to a multiple of 8 (KMIP 2.1 §10.1 TTLV Encoding). */
const UNIT = 8;
const [STRUCTURE, ENUMERATION] = [0x01, 0x05];
const REQUEST = (tagNumber("RequestMessage") << 8) | STRUCTURE;
const ITEM = (tagNumber("BatchItem") << 8) | STRUCTURE;
const OPERATION = (tagNumber("Operation") << 8) | ENUMERATION;

/**
 * Which operations a message asks for, as it goes out, in order and with how often one follows itself: `Import*2 Get Revoke`. By their
 * number where the tables have no name. An operation is the first of its batch item (KMIP 2.1 §8.3 Request Batch Item); what is in its payload is skipped.
 */
export function operationsIn(message: Uint8Array): string {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const names: (string | number)[] = [];
  for (const request of itemsIn(view, 0, view.byteLength)) {
    if (request.what !== REQUEST) continue;
    for (const item of itemsIn(view, request.from, request.to)) {
      if (item.what !== ITEM) continue;
      const [first] = itemsIn(view, item.from, item.to);
      if (first?.what !== OPERATION || first.to - first.from !== 4) continue;
      const value = view.getUint32(first.from);
      names.push(enumerationOf("Operation").byValue.get(value)?.name ?? value);
    }
  }
  return inRuns(names);
}

/** As text, with how often one follows itself. */
export function inRuns(names: readonly (string | number)[]): string {
  const runs: { name: string | number; times: number }[] = [];
  for (const name of names) {
    const last = runs.at(-1);
    if (last?.name === name) last.times++;
    else runs.push({ name, times: 1 });
  }
  return runs.map(({ name, times }) => (times > 1 ? `${name}*${times}` : `${name}`)).join(" ");
}

type Item = { what: number; from: number; to: number };

/** Items that stand one behind the other between these bytes; `what`: tag and type. One that is cut off is none. */
function* itemsIn(view: DataView, from: number, to: number): Generator<Item> {
  for (let at = from; at + UNIT <= to; ) {
    const value = at + UNIT;
    const end = value + view.getUint32(at + 4);
    if (end > to) return;
    yield { what: view.getInt32(at), from: value, to: end };
    at = Math.ceil(end / UNIT) * UNIT;
  }
}
