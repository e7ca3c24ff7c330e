import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { KmipClient } from "#protocol/kmip/index.ts";
import { BIT_STRING, DerReader, encode, SEQUENCE } from "#protocol/pki/der.ts";
import { signatureToDer } from "#protocol/pki/signature.ts";
import { issueClient } from "../identity/pki.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";

const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const END = "270228000000Z";

let test: TestHsm;
let client: KmipClient;
beforeAll(async () => {
  test = await testHsm();
  client = test.as(await issueClient(test.pki.dir, "alice"));
}, 30_000);
afterAll(() => test.close());

/** A certificate that signed itself, with this text for its end. */
async function endingAt(text: string): Promise<Uint8Array<ArrayBuffer>> {
  const keys = await crypto.subtle.generateKey(P256, true, ["sign", "verify"]);
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    name: "CN=Self",
    keys,
    signingAlgorithm: P256,
    notBefore: new Date("2026-01-01T00:00:00Z"),
    notAfter: new Date("2027-02-28T00:00:00Z"),
  });
  const fields = new DerReader(new Uint8Array(made.rawData)).enter(SEQUENCE);
  const signed = Buffer.from(fields.read(SEQUENCE).bytes);
  signed.write(text, signed.indexOf(END), "latin1");
  const algorithm = fields.read(SEQUENCE).bytes;
  const signature = new Uint8Array(await crypto.subtle.sign(P256, keys.privateKey, signed));
  return encode(
    SEQUENCE,
    signed,
    algorithm,
    encode(BIT_STRING, new Uint8Array(1), signatureToDer(signature)),
  );
}

const validity = async (text: string) => {
  const certificateValue = await endingAt(text);
  const certificate = [{ certificateType: "X_509" as const, certificateValue }];
  const validityDate = new Date("2026-06-01T00:00:00Z");
  return (await client.request("Validate", { certificate, validityDate })).validityIndicator;
};

it("a certificate is valid until its end", async () => {
  expect(await validity(END)).toBe("Valid");
  expect(await validity("260501000000Z")).toBe("Invalid");
});

it.each(["270230000000Z", "271301000000Z", "270100000000Z", "270101250000Z", "270101006100Z"])(
  "a certificate that ends at %s, which does not exist, is not valid",
  async (text) => {
    expect(await validity(text)).toBe("Invalid");
  },
);
