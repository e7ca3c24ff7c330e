import { decodeBase64url, encodeBase64url } from "../base64url.ts";

/** n of P-256 (SEC 2 §2.4.2). */
export const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** The number in the second half of r || s. */
export function scalarS(signature: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(signature.subarray(32)).toString("hex")}`);
}

/** The other form of a compact JWS, with n − s: what anyone can make of it. */
export function otherForm(token: string): string {
  const [header, payload, signature] = token.split(".");
  const raw = decodeBase64url(signature!);
  const turned = Buffer.from((ORDER - scalarS(raw)).toString(16).padStart(64, "0"), "hex");
  return `${header}.${payload}.${encodeBase64url(new Uint8Array([...raw.subarray(0, 32), ...turned]))}`;
}
