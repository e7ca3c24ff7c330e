/** A deployer's commands, as processes of their own. */

import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { verifyRelease } from "#protocol/evidence/index.ts";
import { type Command, freePorts, run, start } from "./command.ts";

let folder: string;
let server: Command;
const coffer = (...args: string[]) => run(args, folder);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "coffer-launch-"));
  server = start(["start", ...(await freePorts())], folder);
  await server.says("Coffer is running.");
});
afterAll(async () => {
  server?.process.kill("SIGINT");
  await server?.ended;
  rmSync(folder, { recursive: true, force: true });
});

describe("coffer secret-zero", () => {
  it("M2 prints a token for the deployer's own custodian, and with --json for whom and until when", async () => {
    const plain = await coffer("secret-zero", "--user", "dora");
    expect(plain.stderr).toBe("");
    expect(plain.stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    const { code, stdout } = await coffer("secret-zero", "--user", "dora", "--life", "9", "--json");
    expect(code).toBe(0);
    const { secretZero, custodian, expires } = JSON.parse(stdout) as Record<string, string>;
    expect(custodian).toMatch(/^CN=[a-z2-7]{32},OU=http:\/\/localhost:\d+,O=development$/);
    expect(secretZero).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
    expect(Date.parse(expires!) - Date.now()).toBeLessThanOrEqual(10_000);
  });

  it("M2 says in a sentence what is wrong", async () => {
    const foreign = await coffer("secret-zero", "--user", "dora", "--dn", "CN=somebody,OU=x,O=development");
    expect(foreign).toMatchObject({ code: 1, stdout: "" });
    expect(foreign.stderr).toMatch(/^You deploy for CN=.* alone, as which you are signed in\.\n$/);
    for (const [option, value] of [
      ["--life", "0"],
      ["--life", "3601"],
      ["--life", "soon"],
      ["--key", "short"],
    ] as const) {
      const wrong = await coffer("secret-zero", option, value);
      expect(wrong).toMatchObject({ code: 2, stdout: "" });
      expect(wrong.stderr).toContain(option);
    }
  });
});

describe("coffer launch", () => {
  const launch = (...more: string[]) => coffer("launch", "--user", "dora", "--once", "--json", ...more);

  it.each([
    ["secret-zero", "M2", "software"],
    ["grant", "M3", "software"],
    ["attestation", "M1", "emulated"],
  ])(
    "M1 M2 M3 M4 --method %s starts a process that enrols and says what it is (%s)",
    async (method, _, tier) => {
      const { code, stdout, stderr } = await launch("--method", method);
      expect(code, stderr).toBe(0);
      const what = JSON.parse(stdout) as Record<string, string>;
      expect(what).toMatchObject({ method, tier, environment: tier });
      expect(what.custodian).toMatch(/^CN=[a-z2-7]{32},/);
      expect(what.measurement).toMatch(/^sha384-/);
      expect(Date.parse(what.notAfter!)).toBeGreaterThan(Date.now());
      expect(Buffer.from(what.certificate!, "base64url")[0]).toBe(0x30);
    },
  );

  it.each(["signed", "encrypted"])(
    "M1 --evidence %s shows a credential of the platform",
    async (evidence) => {
      const { code, stdout, stderr } = await launch("--method", "attestation", "--evidence", evidence);
      expect(code, stderr).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ method: "attestation", tier: "emulated" });
      const refused = await launch(
        "--method",
        "attestation",
        "--evidence",
        evidence,
        "--fault",
        "key-unknown",
      );
      expect(refused).toMatchObject({ code: 1, stdout: "" });
      expect((await launch("--evidence", evidence)).code, "with another method").toBe(2);
    },
  );

  it("M1 M20 with a fault in its evidence it is refused, and nobody outside learns which", async () => {
    const refused = await launch("--method", "attestation", "--fault", "nonce-wrong");
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(JSON.parse(refused.stderr)).toEqual({
      error: {
        ...{ code: "attestation-refused", exit: 1 },
        message: "The evidence was refused: the audit log says why.",
      },
    });
  });

  it("M1 --evidence nitro shows a document like those of AWS Nitro, good and with a fault", async () => {
    const of = ["--method", "attestation", "--evidence", "nitro"];
    const { code, stdout, stderr } = await launch(...of);
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ method: "attestation", tier: "emulated" });
    expect(await launch(...of, "--fault", "debug")).toMatchObject({ code: 1, stdout: "" });
  });

  it("M1 M20 has the fault that is on at the page of the emulator, which the start has named", async () => {
    const page = /Faults of enrolments, to turn on and off: +(http:\/\/127\.0\.0\.1:\d+)\n/.exec(
      server.said(),
    )![1]!;
    const press = (fault: string) =>
      fetch(page, {
        method: "POST",
        headers: { origin: page },
        body: new URLSearchParams({ fault }),
        redirect: "manual",
      });
    const by = (...more: string[]) => launch("--method", "attestation", ...more);
    await press("eat/platform-out-of-date");
    const refused = await by();
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(JSON.parse(refused.stderr)).toEqual({
      error: {
        ...{ code: "attestation-refused", exit: 1 },
        message: `The evidence was refused: the audit log says why. The fault platform-out-of-date is on at ${page}.`,
      },
    });
    expect((await by("--evidence", "nitro")).code, "the fault of another form").toBe(0);
    await press("");
    expect((await by()).code).toBe(0);
  });

  it("runs until it is stopped, and ends its process then", async () => {
    const running = start(["launch", "--user", "dora"], folder);
    await running.says("notAfter");
    running.process.kill("SIGINT");
    const { code, stdout } = await running.ended;
    expect(code).toBe(0);
    const pid = Number(/^pid +(\d+)$/m.exec(stdout)?.[1]);
    expect(pid).toBeGreaterThan(1);
    expect(() => process.kill(pid, 0)).toThrow("ESRCH");
  });

  it("says in a sentence what is wrong with the command line", async () => {
    for (const [wrong, sentence] of [
      [["--method", "magic"], "--method takes attestation, secret-zero, grant, not 'magic'.\n"],
      [["--fault", "nonce-wrong"], "--fault is for --method attestation.\n"],
    ] as const) {
      const { code, stdout, stderr } = await coffer("launch", ...wrong);
      expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: "", stderr: sentence });
    }
    const unknown = await coffer("launch", "--method", "attestation", "--fault", "none");
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toContain("nonce-wrong");
  });
});

describe("coffer release", () => {
  it("M21 signs the manifest of a build under a number, by the releaser's key", async () => {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    writeFileSync(join(folder, "release.pem"), privateKey.export({ format: "pem", type: "pkcs8" }));
    const of = ["--number", "7", "--key", "release.pem", "--web", ".coffer/web"];
    const { code, stdout, stderr } = await coffer("release", ...of);
    expect(code, stderr).toBe(0);
    const { x = "", y = "" } = publicKey.export({ format: "jwk" });
    const signed = await verifyRelease(stdout.trim(), { kty: "EC", crv: "P-256", x, y });
    expect(signed.release).toBe(7);
    const manifest = JSON.parse(readFileSync(join(folder, ".coffer/web/manifest.json"), "utf8")) as unknown;
    expect(signed.files).toEqual(manifest);
  });

  it("M21 says in a sentence what is wrong", async () => {
    expect(await coffer("release", "--key", "x")).toMatchObject({
      code: 2,
      stderr: "--number takes a number from 1 up.\n",
    });
    const none = await coffer("release", "--number", "1", "--key", "release.pem", "--web", "nowhere");
    expect(none).toMatchObject({ code: 1, stdout: "" });
    expect(none.stderr).toContain("Build it first");
  });
});
