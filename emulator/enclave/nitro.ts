import { createHash, randomBytes } from "node:crypto";
import { encodeHex, utf8 } from "#protocol/bytes.ts";
import { CborEntries, type CborInput, encodeCbor } from "./cbor.ts";
import { issueSigner, makeNitroAuthority, type NitroAuthority, type NitroSigner } from "./nitro-authority.ts";
import type { NitroFault, NitroRequest } from "./nitro-fault.ts";
import { Registers } from "./registers.ts";
import { seal, unseal } from "./sealing.ts";

type Bytes = Uint8Array<ArrayBuffer>;

export interface NitroLaunch {
  /** The code that the enclave runs: register 0 is that of its SHA-384. */
  code: Uint8Array;
  /** Milliseconds since 1970. */
  clock: () => number;
  /** Then who owns the instance can look inside, and evidence shows zero instead of what was measured. */
  debug?: boolean;
}

/** An emulated Nitro enclave: registers, and documents of AWS's form under an emulated root. */
export interface NitroEnclave {
  /** `EMULATED-i-…-enc…`: what is signed says that no hardware stands behind it. */
  readonly moduleId: string;
  readonly registers: Registers;
  /** A document, COSE_Sign1 with ES384. */
  attest(request: NitroRequest): Promise<Bytes>;
  /** Encrypts for enclaves of the same platform whose registers of these numbers hold what they hold now. */
  seal(data: Uint8Array, numbers: readonly number[]): Bytes;
  /** What was sealed; throws an `Error` where registers or platform are others, or a byte was changed. */
  unseal(sealed: Uint8Array): Bytes;
  /** Random bytes of the platform. */
  random(length: number): Bytes;
}

/** Registers of what the platform measures. */
const [IMAGE, KERNEL, APPLICATION, ROLE, INSTANCE, SIGNING_CERTIFICATE] = [0, 1, 2, 3, 4, 8];
const ALG = 1;
const ES384 = -35;

/** Starts an enclave on a new instance of the platform. `fault` is what is to be wrong with its evidence. */
export async function launchNitroEnclave(
  authority: NitroAuthority,
  { code, clock, debug = false }: NitroLaunch,
  fault: NitroFault = {},
): Promise<NitroEnclave> {
  const instance = `${fault.unmarked ? "" : "EMULATED-"}i-${encodeHex(randomBytes(9)).slice(1)}`;
  const moduleId = `${instance}-enc${encodeHex(randomBytes(8))}`;
  const measured = new Map<number, Uint8Array>([
    [ROLE, utf8("EMULATED role")],
    [INSTANCE, utf8(instance)],
  ]);
  const digest = createHash("sha384").update(code).digest();
  if (!debug && !fault.debug)
    for (const index of [IMAGE, KERNEL, APPLICATION, SIGNING_CERTIFICATE]) measured.set(index, digest);
  const registers = new Registers(measured);
  const started = clock();
  const issuer = fault.anotherRoot ? await makeNitroAuthority(new Date(started)) : authority;
  const signer = await issueSigner(issuer, started, fault.certificates?.(started));
  if (fault.anotherSigner) {
    const { certificate, bundle } = await issueSigner(issuer, started);
    Object.assign(signer, { certificate, bundle });
  }
  signer.bundle = fault.bundle?.(signer.bundle, authority.root) ?? signer.bundle;
  signer.certificate = fault.certificate?.(signer.certificate) ?? signer.certificate;
  return {
    moduleId,
    registers,
    attest: (request) => sign(fault, signer, { moduleId, registers, now: clock(), request }),
    seal: (data, numbers) => seal(authority.secret, registers, numbers, data),
    unseal: (sealed) => unseal(authority.secret, registers, sealed),
    random: (length) => new Uint8Array(randomBytes(length)),
  };
}

/** Reference values of what runs this code: registers of image, kernel, application, role and signer, lower-case hex. */
export function registersOf(code: Uint8Array): Record<string, string> & { code: string } {
  const digest = createHash("sha384").update(code).digest();
  const measured = [IMAGE, KERNEL, APPLICATION, SIGNING_CERTIFICATE].map((index) => [index, digest] as const);
  const registers = new Registers(
    new Map<number, Uint8Array>([...measured, [ROLE, utf8("EMULATED role")]]),
  ).locked();
  const of = (index: number) => encodeHex(registers.get(index) ?? new Uint8Array());
  const named = [IMAGE, KERNEL, APPLICATION, ROLE, SIGNING_CERTIFICATE].map((index) => [
    `pcr${index}`,
    of(index),
  ]);
  return { ...Object.fromEntries(named), code: of(IMAGE) };
}

type Statement = { moduleId: string; registers: Registers; now: number; request: NitroRequest };

async function sign(
  fault: NitroFault,
  signer: NitroSigner,
  { moduleId, registers, now, request }: Statement,
): Promise<Bytes> {
  const { nonce = null, userData = null, publicKey = null } = fault.request?.(request) ?? request;
  const fields: [string, CborInput][] = [
    ["module_id", moduleId],
    ["digest", "SHA384"],
    ["timestamp", now],
    ["pcrs", new CborEntries(registers.locked())],
    ["certificate", signer.certificate],
    ["cabundle", signer.bundle],
    ["public_key", publicKey],
    ["user_data", userData],
    ["nonce", nonce],
  ];
  const document = encodeCbor(new CborEntries(fault.fields?.(fields) ?? fields, fault.indefinite));
  const payload = fault.payload?.(document) ?? document;
  const header = encodeCbor(new CborEntries(fault.header ?? [[ALG, ES384]]));
  const signed = encodeCbor(["Signature1", header, new Uint8Array(), payload]);
  const algorithm = { name: "ECDSA", hash: "SHA-384" };
  const signature = new Uint8Array(await crypto.subtle.sign(algorithm, signer.key, signed));
  const unprotected = new CborEntries(fault.unprotected ?? []);
  const message = encodeCbor([header, unprotected, payload, signature]);
  return fault.message?.(message) ?? message;
}
