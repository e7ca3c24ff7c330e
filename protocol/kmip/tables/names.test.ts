import { expect, it } from "vitest";
import { normaliseName, propertyName } from "./names.ts";

it("normalises names by the six rules", () => {
  for (const [name, normalised] of [
    ["Re-key Key Pair", "ReKeyKeyPair"],
    ["SHA-512/256", "SHA_512_256"],
    ["3DES", "DES3"],
    ["PKCS#12", "PKCS_12"],
    ["X.509", "X_509"],
    ["PKCS1 v1.5", "PKCS1V1_5"],
    ["IV/Counter/Nonce", "IVCounterNonce"],
    ["ECDSA with SHA256", "ECDSAWithSHA256"],
    ["x-Change Notice", "XChangeNotice"],
    ["Polynomial Sharing GF (2^16)", "PolynomialSharingGF2_16"],
    ["P-256", "P_256"],
  ])
    expect(normaliseName(name!)).toBe(normalised);
});

it("makes properties of tags", () => {
  for (const [tag, property] of [
    ["UniqueIdentifier", "uniqueIdentifier"],
    ["UniqueBatchItemID", "uniqueBatchItemId"],
    ["MACData", "macData"],
    ["RNGParameters", "rngParameters"],
    ["IVCounterNonce", "ivCounterNonce"],
    ["PSource", "pSource"],
    ["D", "d"],
    ["X_509CertificateIdentifier", "x_509CertificateIdentifier"],
    ["CertificateSubjectUID", "certificateSubjectUID"],
    ["ServerURI", "serverURI"],
  ])
    expect(propertyName(tag!)).toBe(property);
});
