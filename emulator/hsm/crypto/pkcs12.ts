import { createHash, createHmac, type KeyObject } from "node:crypto";
import {
  bmpString,
  explicit,
  integer,
  nothing,
  objectIdentifier,
  octetString,
  sequence,
  setOf,
} from "./der.ts";
import { MAC_KEY, pkcs12Key } from "./pkcs12-key.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const OID = {
  data: "1.2.840.113549.1.7.1",
  shroudedKeyBag: "1.2.840.113549.1.12.10.1.2",
  certBag: "1.2.840.113549.1.12.10.1.3",
  x509Certificate: "1.2.840.113549.1.9.22.1",
  friendlyName: "1.2.840.113549.1.9.20",
  localKeyId: "1.2.840.113549.1.9.21",
  sha256: "2.16.840.1.101.3.4.2.1",
};
const ITERATIONS = 2048;

export interface Pkcs12 {
  key: KeyObject;
  /** DER, the key's own first. */
  certificates: readonly Uint8Array[];
  password: string;
  friendlyName?: string | undefined;
}

/**
 * A private key and its certificates under a password (RFC 7292 §4): the key by PBES2 with AES-256-CBC, the whole
 * authenticated by HMAC-SHA-256. `salt` is 8 bytes or more.
 */
export function encodePkcs12({ key, certificates, password, friendlyName }: Pkcs12, salt: Uint8Array): Bytes {
  const shrouded = key.export({ format: "der", type: "pkcs8", cipher: "aes-256-cbc", passphrase: password });
  const [own] = certificates;
  const identifier = own && createHash("sha1").update(own).digest();
  const keyBag = bag(OID.shroudedKeyBag, shrouded, friendlyName, identifier);
  const certificateBags = certificates.map((certificate, index) => {
    const value = sequence(objectIdentifier(OID.x509Certificate), explicit(0, octetString(certificate)));
    return index === 0 ? bag(OID.certBag, value, friendlyName, identifier) : bag(OID.certBag, value);
  });
  const safes = [[keyBag], certificateBags].filter((bags) => bags.length > 0);
  const content = sequence(...safes.map((bags) => contentInfo(sequence(...bags))));
  return sequence(integer(3), contentInfo(content), authentication(content, password, salt));
}

function contentInfo(content: Uint8Array): Bytes {
  return sequence(objectIdentifier(OID.data), explicit(0, octetString(content)));
}

function bag(kind: string, value: Uint8Array, name?: string, identifier?: Uint8Array): Bytes {
  const attributes = [
    ...(name === undefined ? [] : [sequence(objectIdentifier(OID.friendlyName), setOf(bmpString(name)))]),
    ...(identifier ? [sequence(objectIdentifier(OID.localKeyId), setOf(octetString(identifier)))] : []),
  ];
  const parts = [objectIdentifier(kind), explicit(0, value)];
  return sequence(...parts, ...(attributes.length > 0 ? [setOf(...attributes)] : []));
}

function authentication(content: Uint8Array, password: string, salt: Uint8Array): Bytes {
  const key = pkcs12Key("sha256", MAC_KEY, password, { salt, iterations: ITERATIONS }, 32);
  const mac = createHmac("sha256", key).update(content).digest();
  const algorithm = sequence(objectIdentifier(OID.sha256), nothing);
  return sequence(sequence(algorithm, octetString(mac)), octetString(salt), integer(ITERATIONS));
}
