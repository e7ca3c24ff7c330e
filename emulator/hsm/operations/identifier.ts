import { KmipError } from "#protocol/kmip/index.ts";
import type { Randomness } from "./context.ts";

/** A random identifier: a version 4 UUID (RFC 9562 §5.4). */
export function newIdentifier({ random }: Randomness): string {
  const bytes = Buffer.from(random(16));
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** Takes an identifier that a client chose (Import): 1 to 128 visible ASCII characters. */
export function checkChosenIdentifier(uid: string): string {
  if (!/^[\x21-\x7e]{1,128}$/.test(uid)) throw new KmipError("InvalidField", "Not an identifier");
  return uid;
}
