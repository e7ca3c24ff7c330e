import "reflect-metadata";
import { createHash, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import * as x509 from "@peculiar/x509";
import { encodeBase64url } from "#protocol/base64url.ts";
import { concat, encodeHex, utf8 } from "#protocol/bytes.ts";
import { type PasskeyAssertion, passkeyChallenge } from "#protocol/passkey.ts";
import { CborEntries, encodeCbor } from "./cbor.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** The model that a browser's virtual authenticators give themselves (AAGUID): a verifier knows by it that there is no hardware. */
const VIRTUAL = "01020304050607080102030405060708";
const [UP, UV, BE, BS, AT] = [0x01, 0x04, 0x08, 0x10, 0x40];

/** Where a browser asks: origins of the vault, whose document it is, and of the app around it. */
export interface AuthenticatorPage {
  vault: string;
  app: string;
}

/** What is to be wrong with an answer: in place of what authenticator and browser would say. */
export interface AuthenticatorFault {
  /** Members of the client data; undefined leaves one out. */
  client?: Record<string, unknown>;
  /** Flags that are turned over. */
  flags?: number;
  counter?: number;
  /** The relying party whose hash is in the authenticator data. */
  party?: string;
  /** The measurement that is said, where it is not the one that is signed for. */
  said?: string;
  signature?(der: Uint8Array): Uint8Array;
}

/** Who vouches for authenticators of a make: PEM of a root and its key. */
export interface AuthenticatorMaker {
  root: string;
  keys: CryptoKeyPair;
  /** Whether `root` is none, but itself certified: PEM of what its authenticators send behind their own certificate. */
  chain?: readonly string[];
}

const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** A maker of authenticators, good for a year around `now`. */
export async function makeAuthenticatorMaker(now: Date): Promise<AuthenticatorMaker> {
  const keys = await crypto.subtle.generateKey(P256, true, ["sign", "verify"]);
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ O: ["Coffer"] }, { CN: ["EMULATED authenticator root"] }],
    ...{ keys, signingAlgorithm: P256, ...validityAt(now) },
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  });
  return { root: root.toString("pem"), keys };
}

export interface AuthenticatorOptions {
  /** Its model, 16 bytes in hexadecimal; default: a browser's virtual authenticator. */
  model?: string;
  /** Whether its passkeys may leave it. */
  synced?: boolean;
  /** Who vouches for it when a passkey is registered; nobody by default. */
  maker?: AuthenticatorMaker;
}

/** An authenticator with one passkey (Web Authentication, level 3), and a browser that asks it. No hardware stands behind it. */
export class EmulatedAuthenticator {
  readonly #keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  readonly #options: AuthenticatorOptions;
  /** Credential ID. */
  readonly id = new Uint8Array(randomBytes(16));
  counter = 0;

  constructor(options: AuthenticatorOptions = {}) {
    this.#options = options;
  }

  /** What `navigator.credentials.create` answers: base64url. */
  async register(challenge: string, page: AuthenticatorPage, fault: AuthenticatorFault = {}) {
    const client = clientData("webauthn.create", challenge, page, fault);
    const { x = "", y = "" } = this.#keys.publicKey.export({ format: "jwk" });
    const [px, py] = [x, y].map((half) => new Uint8Array(Buffer.from(half, "base64url"))) as [Bytes, Bytes];
    const key = encodeCbor(
      new CborEntries([
        [1, 2],
        [3, -7],
        [-1, 1],
        [-2, px],
        [-3, py],
      ]),
    );
    const model = new Uint8Array(Buffer.from(this.#options.model ?? VIRTUAL, "hex"));
    const length = new Uint8Array([0, this.id.length]);
    const data = concat(this.#data(page, fault, AT), model, length, this.id, key);
    const statement = await this.#statement(concat(data, hashOf(client)), model);
    const attested = new CborEntries([
      ["fmt", statement ? "packed" : "none"],
      ["attStmt", statement ?? new CborEntries([])],
      ["authData", data],
    ]);
    return {
      id: encodeBase64url(this.id),
      clientDataJSON: encodeBase64url(client),
      attestationObject: encodeBase64url(encodeCbor(attested)),
    };
  }

  /** Evidence: an assertion over nonce, subject and the SHA-384 of the code (48 bytes). */
  async attest(
    { nonce, subject, measurement }: { nonce: Uint8Array; subject: string; measurement: Uint8Array },
    page: AuthenticatorPage,
    fault: AuthenticatorFault = {},
  ): Promise<Bytes> {
    const challenge = encodeBase64url(await passkeyChallenge(nonce, subject, measurement));
    const client = clientData("webauthn.get", challenge, page, fault);
    this.counter++;
    const data = this.#data(page, fault);
    const der = new Uint8Array(sign("sha256", concat(data, hashOf(client)), this.#keys.privateKey));
    const said: PasskeyAssertion = {
      id: encodeBase64url(this.id),
      authenticatorData: encodeBase64url(data),
      clientDataJSON: encodeBase64url(client),
      signature: encodeBase64url(fault.signature?.(der) ?? der),
      measurement: fault.said ?? encodeHex(measurement),
    };
    return utf8(JSON.stringify(said));
  }

  #data({ vault }: AuthenticatorPage, fault: AuthenticatorFault, more = 0): Bytes {
    const flags = UP | UV | more | (this.#options.synced ? BE | BS : 0);
    const counter = new Uint8Array(4);
    new DataView(counter.buffer).setUint32(0, fault.counter ?? this.counter);
    const party = hashOf(utf8(fault.party ?? new URL(vault).hostname));
    return concat(party, new Uint8Array([flags ^ (fault.flags ?? 0)]), counter);
  }

  /** A packed statement, signed by a key that the maker certifies for this one authenticator. */
  async #statement(signed: Uint8Array<ArrayBuffer>, model: Bytes) {
    const { maker } = this.#options;
    if (!maker) return undefined;
    const keys = await crypto.subtle.generateKey(P256, true, ["sign", "verify"]);
    const root = new x509.X509Certificate(maker.root);
    const certificate = await x509.X509CertificateGenerator.create({
      subject: [
        { C: ["CH"] },
        { O: ["Coffer"] },
        { OU: ["Authenticator Attestation"] },
        { CN: ["EMULATED authenticator"] },
      ],
      issuer: root.subjectName.toJSON(),
      ...{ publicKey: keys.publicKey, signingKey: maker.keys.privateKey, signingAlgorithm: P256 },
      ...{ notBefore: root.notBefore, notAfter: root.notAfter },
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        // id-fido-gen-ce-aaguid: an OCTET STRING in the extension's own.
        new x509.Extension("1.3.6.1.4.1.45724.1.1.4", false, new Uint8Array([4, 16, ...model])),
      ],
    });
    const behind = (maker.chain ?? []).map((pem) => new x509.X509Certificate(pem));
    const pkcs8 = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
    const key = { key: Buffer.from(pkcs8), format: "der", type: "pkcs8" } as const;
    return new CborEntries([
      ["alg", -7],
      ["sig", new Uint8Array(sign("sha256", signed, key))],
      ["x5c", [certificate, ...behind].map(({ rawData }) => new Uint8Array(rawData))],
    ]);
  }
}

function clientData(
  type: string,
  challenge: string,
  { vault, app }: AuthenticatorPage,
  fault: AuthenticatorFault,
) {
  const said = { type, challenge, origin: vault, crossOrigin: true, topOrigin: app, ...fault.client };
  return utf8(JSON.stringify(said));
}

function hashOf(bytes: Uint8Array): Bytes {
  return new Uint8Array(createHash("sha256").update(bytes).digest());
}

function validityAt(now: Date) {
  const day = 24 * 3600 * 1000;
  return { notBefore: new Date(now.getTime() - day), notAfter: new Date(now.getTime() + 365 * day) };
}
