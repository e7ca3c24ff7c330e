import { createPublicKey, generateKeyPairSync, type X509Certificate } from "node:crypto";
import { expect, it } from "vitest";
import { DerReader, SEQUENCE } from "#protocol/pki/der.ts";
import { integer, sequence } from "./der.ts";
import { encodePkcs12 } from "./pkcs12.ts";
import { decodePkcs12, Pkcs12Refused, Pkcs12Unsupported } from "./pkcs12-decode.ts";

/** By OpenSSL, with 3DES and SHA-1: a P-256 key and its certificate, "alias", under "password". */
const OLDER = Buffer.from(
  `
    MIIDsQIBAzCCA3cGCSqGSIb3DQEHAaCCA2gEggNkMIIDYDCCAjcGCSqGSIb3DQEHBqCCAigwggIkAgEAMIICHQYJKoZIhvcNAQcB
    MBwGCiqGSIb3DQEMAQMwDgQIMpFYH+JDEisCAggAgIIB8CkgxGkqs7qSTqnuS9ugooyuVMAP8ULNVMTpM0gWdVQZue4vmtkipKgV
    AfHY72xlQ33uT9a0I/+bzegv02W97MnRN4NaSVIjyTuTOVI/0h0xPFxhX+biBwzAzZ23kghwi1X6t2Wf406tY5RxGkg8uJLoKu0u
    k3Bo69gb4ZoBdi+H5zhPE+9TfxAhRw+Ch74hTzIz4+2UUSlOq/7tuAw79zdryrVE5tmJPPFBK0F6XxLq0vIDM6PJ94YuE2g/KRYr
    RBxMBwoPLzau+c9ZG13wUaKODnUfPXr9L9YgHbtaY1arUssFHbrDZslJLD+XHMIBWE8ktO/f58ix4rBuuUhQJSsDTU9KsYKcH3WA
    ZSf8nEIQq/s6swoAy37zafS8Q2nIwUNqrfBPniWaNpd+MeAUsI+GXeZZYHYJWF0ZLLqpsUmgvEVwR18+Reg8goenjr60nB/Sdmgv
    6Wm2vu9ScaIY1pPgvZWyaS/MGMVy53CqeY9JfQfQfvnWA1FfhUWku4C2I9qnLX7MsG1Oyvz66fYPXji7+ZaMhF8e6DXs3nGlvjkU
    PEqCCUU2ITG7XNSydvXNMhyEug//8E4DWoEGNItoQr6YozOxeLkGmM3pKTpRxdYrhazMaLJPf7nje6lJLvnlxxLVuxDFmjfxC2CQ
    x7swfTkwggEhBgkqhkiG9w0BBwGgggESBIIBDjCCAQowggEGBgsqhkiG9w0BDAoBAqCBtDCBsTAcBgoqhkiG9w0BDAEDMA4ECPvV
    vjE7TXJRAgIIAASBkFecPp9L/jb1WR/X1j2bCiyeujY7A7eo5UxDp0P31AIAPtrXtaajaGdE+oaQcpgzIlQpBhAO+ZuT26kEBUX6
    YVKdsqWqQ3U4ZVMTGd+EDMQ1fUximZzxqxdo3XRs0NkLlqiA4hPLImyoDgn92ec8zZRUXn27P/r+Y1xrGjMn6xOB5Y5ZI6AHl4Le
    c9s9//+09jFAMBkGCSqGSIb3DQEJFDEMHgoAYQBsAGkAYQBzMCMGCSqGSIb3DQEJFTEWBBRS0dpoZJyvYgjhfLBBDS8cXL2QpjAx
    MCEwCQYFKw4DAhoFAAQUOSF8hskj+ZSxLMFJfnVJL8GIB5kECPjJf5Hd5WDBAgIIAA==
  `,
  "base64",
);

it("opens what OpenSSL made with 3DES and SHA-1", () => {
  const { key, friendlyName, certificates } = decodePkcs12(OLDER, "password");
  expect(friendlyName).toBe("alias");
  expect(certificates.map(({ subject }) => subject)).toEqual(["CN=localhost"]);
  expect(certificates[0]!.checkPrivateKey(key)).toBe(true);
});

it("opens what it made itself, with and without certificates, and no name chooses among one", () => {
  const { certificates } = decodePkcs12(OLDER, "password");
  const [{ raw }] = certificates as [X509Certificate];
  const own = decodePkcs12(OLDER, "password").key;
  const salt = new Uint8Array(16).fill(7);
  const full = encodePkcs12({ key: own, certificates: [raw], password: "pä", friendlyName: "N" }, salt);
  const opened = decodePkcs12(full, "pä", "another");
  expect(opened.key.equals(own)).toBe(true);
  expect(opened.friendlyName).toBe("N");
  expect(opened.certificates.map((one) => one.raw.equals(raw))).toEqual([true]);
  const { privateKey } = generateKeyPairSync("ed25519");
  const bare = decodePkcs12(encodePkcs12({ key: privateKey, certificates: [raw], password: "" }, salt), "");
  expect(createPublicKey(bare.key).equals(createPublicKey(privateKey))).toBe(true);
  expect(bare.certificates).toEqual([]);
});

it("takes as many certificates as a chain may have, and not any number", () => {
  const { key, certificates } = decodePkcs12(OLDER, "password");
  const holding = (count: number) =>
    encodePkcs12(
      { key, certificates: Array<Buffer>(count).fill(certificates[0]!.raw), password: "" },
      new Uint8Array(16),
    );
  expect(decodePkcs12(holding(63), "").key.equals(key)).toBe(true);
  expect(() => decodePkcs12(holding(64), "")).toThrow(Pkcs12Unsupported);
});

it("opens nothing with another password", () => {
  expect(() => decodePkcs12(OLDER, "Password")).toThrow(Pkcs12Refused);
});

it("opens no part of one, and none that was changed", () => {
  for (let length = 0; length < OLDER.length; length += 7)
    expect(() => decodePkcs12(OLDER.subarray(0, length), "password")).toThrow();
  for (let at = 0; at < OLDER.length; at += 13) {
    const changed = Buffer.from(OLDER);
    changed[at]! ^= 0x41;
    try {
      const { key } = decodePkcs12(changed, "password");
      // What no MAC covers: the form of the algorithm's parameters.
      expect(key.equals(decodePkcs12(OLDER, "password").key)).toBe(true);
    } catch (error) {
      expect(error).toBeInstanceOf(Error);
    }
  }
});

it("takes lengths that are longer than need be, as BER may have them", () => {
  const [tag, , ...rest] = OLDER;
  const longer = Buffer.of(tag ?? 0, 0x84, 0, 0, ...rest);
  expect(decodePkcs12(longer, "password").friendlyName).toBe("alias");
  expect(() => new DerReader(longer).read()).toThrow(TypeError);
});

it("takes no more iterations than it can afford", () => {
  const pfx = new DerReader(OLDER).enter(SEQUENCE);
  const [version, safe, mac] = [pfx.read().bytes, pfx.read().bytes, pfx.enter(SEQUENCE)];
  const dear = sequence(version, safe, sequence(mac.read().bytes, mac.read().bytes, integer(2 ** 30)));
  const started = performance.now();
  expect(() => decodePkcs12(dear, "password")).toThrow(RangeError);
  expect(performance.now() - started).toBeLessThan(1000);
});
