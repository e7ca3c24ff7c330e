import { expect, it } from "vitest";
import { concat, utf8 } from "../bytes.ts";
import { attachKey, detachKey } from "./detached-key.ts";
import { type EncryptedDataKey, serialiseHeader } from "./header.ts";

const key = utf8("an encrypted data key");
const entry = (providerId: string, encryptedDataKey: Uint8Array): EncryptedDataKey => {
  return { providerId, providerInfo: utf8("k.1"), encryptedDataKey };
};

function message(...encryptedDataKeys: EncryptedDataKey[]) {
  const { body } = serialiseHeader({
    messageId: new Uint8Array(32).fill(7),
    context: { tenant: "acme", account: "a-1", purpose: "listing" },
    encryptedDataKeys,
    frameLength: 4096,
    commitment: new Uint8Array(32).fill(9),
  });
  return concat(body, new Uint8Array(16).fill(1), utf8("frames"));
}

function codeOf(work: () => unknown): string | undefined {
  try {
    work();
  } catch (error) {
    return (error as { code?: string }).code;
  }
  return undefined;
}

it("takes the key of its provider out of a message, and puts it back to the byte", () => {
  for (const whole of [
    message(entry("coffer", key)),
    message(
      entry("other", utf8("of another")),
      entry("coffer", key),
      entry("coffer-secret", utf8("a secret")),
    ),
  ]) {
    const { key: taken, rest } = detachKey(whole, "coffer");
    expect(taken).toEqual(key);
    expect(rest).toHaveLength(whole.length - key.length);
    expect(attachKey(rest, taken, "coffer")).toEqual(whole);
    expect(attachKey(rest, utf8("another"), "coffer")).not.toEqual(whole);
  }
});

it("refuses what is no message, has no key of the provider, or several, and a place that is taken", () => {
  const whole = message(entry("coffer", key));
  const twice = message(entry("coffer", key), entry("coffer", key));
  for (const one of [utf8("no message"), whole.subarray(0, 60), message(entry("other", key)), twice])
    expect(codeOf(() => detachKey(new Uint8Array(one), "coffer"))).toBe("decrypt-failed");
  expect(codeOf(() => attachKey(whole, key, "coffer"))).toBe("decrypt-failed");
});
