import { beforeAll, describe, expect, it } from "vitest";
import { utf8 } from "#protocol/bytes.ts";
import { launchNitroEnclave, makeNitroAuthority, type NitroAuthority } from "./index.ts";

const NOW = Date.parse("2026-11-28T12:00:00Z");
const data = utf8("a key");
let authority: NitroAuthority;
beforeAll(async () => {
  authority = await makeNitroAuthority(new Date(NOW));
});

const launch = (code: string, { debug = false, under = authority } = {}) =>
  launchNitroEnclave(under, { code: utf8(code), clock: () => NOW, debug });

describe("what an emulated enclave seals", () => {
  it("is opened by the same code on the same platform, later too", async () => {
    const sealed = (await launch("code")).seal(data, [0, 16]);
    expect((await launch("code")).unseal(sealed)).toEqual(data);
  });

  it("is opened by no other code, no debug mode, no other register and no other platform", async () => {
    const sealed = (await launch("code")).seal(data, [0, 16]);
    const extended = await launch("code");
    extended.registers.extend(16, utf8("configuration"));
    const under = await makeNitroAuthority(new Date(NOW));
    for (const enclave of [
      await launch("another"),
      await launch("code", { debug: true }),
      extended,
      await launch("code", { under }),
    ])
      expect(() => enclave.unseal(sealed)).toThrow("sealed to other registers, or on another platform");
  });

  it("is bound to the registers that are named alone", async () => {
    const enclave = await launch("code");
    const sealed = enclave.seal(data, [0]);
    enclave.registers.extend(31, utf8("configuration"));
    expect(enclave.unseal(sealed)).toEqual(data);
    expect(() => enclave.seal(data, [32])).toThrow("no such register");
  });

  it("is refused with any byte changed, or cut off", async () => {
    const enclave = await launch("code");
    const sealed = enclave.seal(data, [0, 31]);
    for (let at = 0; at < sealed.length; at++)
      expect(() => enclave.unseal(sealed.with(at, sealed[at]! ^ 1)), `byte ${at}`).toThrow("sealed to other");
    for (const length of [0, 47])
      expect(() => enclave.unseal(sealed.slice(0, length))).toThrow("not sealed data");
    expect(() => enclave.unseal(sealed.slice(0, -1))).toThrow();
  });
});
