import { enumerationOf, tagNumber } from "#protocol/kmip/index.ts";

/** An item of TTLV begins with its tag, type and length, 8 bytes, at a multiple of 8 (KMIP 2.1 §10.1 TTLV Encoding). */
const UNIT = 8;
const OPERATION = (tagNumber("Operation") << 8) | 0x05;
const ENUMERATION_LENGTH = 4;

/**
 * Which operations a message asks for, as it goes out, in order and with how often one follows itself: `Import*2 Get Revoke`. By their
 * number where the tables have no name.
 */
export function operationsIn(message: Uint8Array): string {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const runs: { name: string | number; times: number }[] = [];
  for (let at = 0; at + 2 * UNIT <= message.length; at += UNIT) {
    if (view.getInt32(at) !== OPERATION || view.getUint32(at + 4) !== ENUMERATION_LENGTH) continue;
    const value = view.getUint32(at + UNIT);
    const name = enumerationOf("Operation").byValue.get(value)?.name ?? value;
    const last = runs.at(-1);
    if (last?.name === name) last.times++;
    else runs.push({ name, times: 1 });
  }
  return runs.map(({ name, times }) => (times > 1 ? `${name}*${times}` : `${name}`)).join(" ");
}
