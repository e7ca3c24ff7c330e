import { createPrivateKey, createPublicKey, type JsonWebKey, sign } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { sentenceOf } from "#files/index.ts";
import { type ReleaseFiles, signRelease } from "#protocol/evidence/index.ts";
import { parseJson } from "#protocol/json.ts";
import { MANIFEST } from "#web/pin.ts";
import { CommandError } from "./command-error.ts";
import { COFFER } from "./parts/index.ts";

export const RELEASE_HELP = `coffer release: sign what a build is made of

Reads the manifest that a build has written (path, length and SHA-384 of each file of vault and microservice) and signs it
under a number. The verifier takes evidence of releases that its policy has the key of, from its floor up.

  --number N       the release's number, higher than that of the one before
  --key FILE       private key that signs releases, PEM, P-256
  --web PATH       where the build is                                 (dist/web)
  --json           one JSON object on standard output: release, key, signed

Exit code: 0 the signed release is on standard output, 1 it is not, 2 the command line is wrong.

Example: ${COFFER} release --number 7 --key release.pem
`;

/** `coffer release` (M21). */
export async function release(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      number: { type: "string" },
      key: { type: "string" },
      web: { type: "string", default: "dist/web" },
      json: { type: "boolean" },
    },
  });
  const number = Number(values.number ?? "");
  if (!/^[1-9]\d{0,8}$/.test(values.number ?? ""))
    throw new CommandError("--number takes a number from 1 up.", 2);
  if (values.key === undefined) throw new CommandError("--key takes the key that signs releases.", 2);
  const text = await read(
    join(resolve(values.web), MANIFEST),
    "Build it first, or say where it is with --web.",
  );
  const files = parseJson(text) as ReleaseFiles;
  const key = await signingKey(values.key);
  const signed = await signRelease({ release: number, files }, key);
  const { publicKey } = key;
  process.stdout.write(
    values.json ? `${JSON.stringify({ release: number, key: publicKey, signed })}\n` : `${signed}\n`,
  );
  return 0;
}

async function read(path: string, advice: string): Promise<string> {
  return readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") throw new CommandError(`There is no ${path}. ${advice}`, 1, error);
    throw new CommandError(sentenceOf(error) ?? `${path} cannot be read.`, 1, error);
  });
}

async function signingKey(path: string) {
  const pem = await read(path, "Make one with `openssl ecparam -genkey -name prime256v1`.");
  try {
    const key = createPrivateKey(pem);
    const { x = "", y = "", crv }: JsonWebKey = createPublicKey(key).export({ format: "jwk" });
    if (crv !== "P-256") throw new TypeError("another curve");
    const publicKey = { kty: "EC" as const, crv: "P-256" as const, x, y };
    const dsaEncoding = "ieee-p1363";
    return {
      publicKey,
      sign: async (bytes: Uint8Array) => new Uint8Array(sign("sha256", bytes, { key, dsaEncoding })),
    };
  } catch (error) {
    throw new CommandError(`${path} is no private key of P-256 in PEM.`, 1, error);
  }
}
