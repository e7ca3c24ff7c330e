/**
 * A stand-in for AWS KMS on this machine: one key, GenerateDataKeyWithoutPlaintext and Decrypt, each request's Signature Version 4
 * and each attestation document verified, and CMS of its own making. EMULATED: nothing here is AWS's, and no hardware keeps the key.
 * May import: protocol/*.ts, protocol/evidence, protocol/pki, node:. May be imported by: test (and never by edge, which speaks HTTP to it).
 */
export { type AwsKmsOptions, type EmulatedAwsKms, startAwsKms } from "./server.ts";
