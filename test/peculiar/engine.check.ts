import { Crypto } from "@peculiar/webcrypto";
import { expect, it } from "vitest";

it("runs on the second engine: its keys are not the ones of Node", async () => {
  expect(crypto).toBeInstanceOf(Crypto);
  const key = await crypto.subtle.importKey("raw", new Uint8Array(32), "HKDF", false, ["deriveKey"]);
  expect(key).not.toBeInstanceOf(CryptoKey);
});
