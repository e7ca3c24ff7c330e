import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { encodeHex } from "#protocol/bytes.ts";
import { verifyNitroDocument } from "#protocol/evidence/index.ts";
import { envelopedData } from "./enveloped-data.ts";
import { type Credentials, isSigned } from "./signature.ts";

export interface AwsKmsOptions {
  region: string;
  credentials: Credentials;
  /** Identifier of its one key. */
  keyId: string;
  /** Roots of platforms whose documents it takes, DER. */
  roots: readonly Uint8Array[];
  /** The key's policy: what register 0 has to be, one of these, lower-case hex. Null: whoever has the credentials gets keys in clear too. */
  imageSha384: string | readonly string[] | null;
  /** Breaks its word: the key in clear beside the CMS. */
  alsoInClear?: boolean;
  /** Told of each data key that it makes: for who looks whether anybody else has it. */
  onKey?: (key: Uint8Array) => void;
}

export interface EmulatedAwsKms {
  /** `http://127.0.0.1:PORT/` */
  endpoint: string;
  /** All that has come and gone, as JSON. */
  readonly messages: { operation: string; answer: Record<string, unknown> }[];
  close(): Promise<void>;
}

/** An exception as AWS KMS answers it. */
class Refusal extends Error {}

const MAXIMUM = 64 * 1024;
/** A document has to be recent: AWS takes five minutes. */
const MAX_AGE = 5 * 60_000;

export async function startAwsKms(options: AwsKmsOptions): Promise<EmulatedAwsKms> {
  const master = randomBytes(32);
  const messages: EmulatedAwsKms["messages"] = [];
  const server = createServer((request, response) => {
    const operation = String(request.headers["x-amz-target"]).replace(/^TrentService\./, "");
    void answer(request, operation, options, master)
      .then(
        (value) => ({ status: 200, value: value as Record<string, unknown> }),
        (error: unknown) => ({
          status: 400,
          value: { __type: error instanceof Refusal ? error.message : "ValidationException" },
        }),
      )
      .then(({ status, value }) => {
        messages.push({ operation, answer: value });
        response.writeHead(status, { "content-type": "application/x-amz-json-1.1" });
        response.end(JSON.stringify(value));
      });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}/`,
    messages,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(request: IncomingMessage, operation: string, options: AwsKmsOptions, master: Buffer) {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAXIMUM) throw new Refusal("ValidationException");
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks);
  if (!isSigned(request, body, options.credentials, options.region))
    throw new Refusal("IncompleteSignatureException");
  const asked = JSON.parse(body.toString()) as Record<string, never>;
  if (asked.KeyId !== options.keyId) throw new Refusal("NotFoundException");
  const context = Buffer.from(JSON.stringify(Object.entries(asked.EncryptionContext ?? {}).sort()));
  if (operation === "GenerateDataKeyWithoutPlaintext") {
    const made = randomBytes(32);
    options.onKey?.(made);
    return { CiphertextBlob: seal(master, context, made), KeyId: options.keyId };
  }
  if (operation !== "Decrypt") throw new Refusal("UnknownOperationException");
  const key = unseal(master, context, Buffer.from(String(asked.CiphertextBlob), "base64"));
  const { keyId: KeyId, imageSha384, alsoInClear } = options;
  const Plaintext = key.toString("base64");
  if (asked.Recipient === undefined) {
    if (imageSha384 !== null) throw new Refusal("AccessDeniedException");
    return { KeyId, Plaintext };
  }
  const spki = await attested(asked.Recipient, options);
  // AWS writes both; which of them says nothing.
  const inPieces = context.length % 2 === 0;
  const CiphertextForRecipient = Buffer.from(envelopedData(spki, key, inPieces));
  return {
    KeyId,
    CiphertextForRecipient: CiphertextForRecipient.toString("base64"),
    ...(alsoInClear && { Plaintext }),
  };
}

/** The RSA key that a document names, where the key's policy lets what it attests have keys. */
async function attested(
  recipient: { AttestationDocument?: string; KeyEncryptionAlgorithm?: string },
  { roots, imageSha384 }: AwsKmsOptions,
): Promise<Uint8Array> {
  if (recipient.KeyEncryptionAlgorithm !== "RSAES_OAEP_SHA_256") throw new Refusal("ValidationException");
  const document = Buffer.from(recipient.AttestationDocument ?? "", "base64");
  const verified = await verifyNitroDocument(document, { roots: [...roots], now: Date.now() }).catch(() => {
    throw new Refusal("ValidationException");
  });
  if (!(verified.timestamp >= Date.now() - MAX_AGE) || !verified.publicKey)
    throw new Refusal("ValidationException");
  const image = encodeHex(verified.registers.get(0) ?? new Uint8Array());
  if (imageSha384 !== null && ![imageSha384].flat().includes(image))
    throw new Refusal("AccessDeniedException");
  return verified.publicKey;
}

function seal(master: Buffer, context: Buffer, key: Buffer): string {
  const iv = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", master, iv).setAAD(context);
  return Buffer.concat([iv, cipher.update(key), cipher.final(), cipher.getAuthTag()]).toString("base64");
}

function unseal(master: Buffer, context: Buffer, blob: Buffer): Buffer {
  try {
    const decipher = createDecipheriv("aes-256-gcm", master, blob.subarray(0, 12)).setAAD(context);
    decipher.setAuthTag(blob.subarray(-16));
    return Buffer.concat([decipher.update(blob.subarray(12, -16)), decipher.final()]);
  } catch {
    throw new Refusal("InvalidCiphertextException");
  }
}
