import { createPrivateKey, createPublicKey, type JsonWebKey, sign } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { sentenceOf, writeWhole } from "#files/index.ts";
import { decodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import { type ReleaseFiles, signRelease, verifyRelease } from "#protocol/evidence/index.ts";
import { parseJson } from "#protocol/json.ts";
import type { EcPublicJwk } from "#protocol/keys/index.ts";
import { type NoteSigner, noteKeyText } from "#protocol/log/index.ts";
import { MANIFEST } from "#web/pin.ts";
import { CommandError } from "./command-error.ts";
import { expectOneInput, INPUT, readInput } from "./input.ts";
import { tell } from "./output.ts";
import { COFFER } from "./parts/index.ts";
import { appendEntry, signAgain } from "./release-log.ts";
import { webcatManifest } from "./webcat.ts";

export const RELEASE_HELP = `coffer release: sign what a build is made of, and check a vault by it

  ${COFFER} release --number N --key FILE [options]
  ${COFFER} release sign-log --log DIR --log-name NAME --log-key FILE
  ${COFFER} release verify VAULT --log PLACE --log-key KEY --key FILE [options]

Reads the manifest that a build has written (path, length and SHA-384 of each file of vault and microservice) and signs it
under a number. The verifier takes evidence of releases that its policy has the key of, from its floor up.

  --number N       the release's number, higher than that of the one before
  --key FILE       private key that signs releases, PEM, P-256; - is standard input, for it or for --log-key
  --web PATH       where the build is                                 (dist/web)
  --json           one JSON object on standard output: release, key, signed
  --log DIR        add it to a log of releases, files for anyone to serve (c2sp.org/tlog-tiles)
  --log-name NAME  name of the log, as a rule where it is served: host and path
  --log-key FILE   private key that signs the log's checkpoints, PEM, Ed25519
  --webcat FILE    write the manifest in WEBCAT's form too, with --app for each origin that may frame the vault

sign-log signs the log's checkpoint again, as of now: for who verifies with --max-age while there is no new release. With --json it
prints one JSON object: entries, logKey.

verify fetches a vault's files as a browser does, and holds them against the newest release in the log.

  --log PLACE      folder or address of the log
  --log-key KEY    the log's key, as \`release --log\` prints it on standard error
  --key FILE       public key that signs releases, PEM or JWK
  --app ORIGIN     an origin that may frame the vault; more than one is fine. Without it the list is
                   printed, and each of it must be one origin
  --checkpoint F   the checkpoint that was kept earlier, which the log has to go on from; the new one is written there.
                   Without one the log may be an old state of itself, and the output says so
  --max-age DAYS   how old the log's word may be that this is its newest tree; by default it may be of any age, and an old
                   log with an old vault passes where no checkpoint was kept
  --json           one JSON object on standard output: vault, release, found, framedBy, since (entries in the checkpoint that
                   was kept; null: none was)

Exit code: 0 the signed release is on standard output, or the vault is as it says; 1 it is not; 2 the command line is wrong.

Examples: ${COFFER} release --number 7 --key release.pem --log releases --log-name acme.example/log --log-key log.pem
          ${COFFER} release verify https://vault.acme.example --log https://acme.example/log --log-key acme.example/log+1a2b3c4d+AQ… --key release-public.pem --checkpoint seen
`;

/** `coffer release` (M21). */
export async function release(args: string[]): Promise<number> {
  if (args[0] === "verify") {
    const { releaseVerify } = await import("./release-verify.ts");
    return releaseVerify(args.slice(1));
  }
  if (args[0] === "sign-log") return signLog(args.slice(1));
  const { values } = parseArgs({
    args,
    options: {
      number: { type: "string" },
      key: { type: "string" },
      web: { type: "string", default: "dist/web" },
      json: { type: "boolean" },
      log: { type: "string" },
      "log-name": { type: "string" },
      "log-key": { type: "string" },
      webcat: { type: "string" },
      app: { type: "string", multiple: true, default: [] },
    },
  });
  const number = Number(values.number ?? "");
  if (!/^[1-9]\d{0,8}$/.test(values.number ?? ""))
    throw new CommandError("--number takes a number from 1 up.", 2);
  if (values.key === undefined) throw new CommandError("--key takes the key that signs releases.", 2);
  expectOneInput(values.key, values["log-key"]);
  if (values.webcat !== undefined && values.app.length === 0)
    throw new CommandError("--webcat takes --app, the origins that may frame the vault.", 2);
  const text = await read(
    join(resolve(values.web), MANIFEST),
    "Build it first, or say where it is with --web.",
  );
  const files = parseJson(text) as ReleaseFiles;
  const key = await signingKey(values.key);
  const signed = await signRelease({ release: number, files }, key);
  const { publicKey } = key;
  const manifest =
    values.webcat === undefined
      ? undefined
      : {
          path: values.webcat,
          text: await webcatManifest({ release: number, files }, resolve(values.web), values.app),
        };
  // What is in the log stays there: it comes once all that is asked for has been made.
  if (values.log !== undefined)
    await log(
      values.log,
      { number, signed, publicKey },
      await logSigner(values["log-name"], values["log-key"]),
    );
  if (manifest !== undefined) await writeWhole(manifest.path, manifest.text, { replace: true, mode: 0o644 });
  tell(values.json, signed, { release: number, key: publicKey, signed });
  return 0;
}

/** Adds a release to the log: its number must be above all that are there. */
async function log(
  folder: string,
  { number, signed, publicKey }: { number: number; signed: string; publicKey: EcPublicJwk },
  signer: NoteSigner,
): Promise<void> {
  const follows = async (last: Uint8Array | undefined) => {
    const highest = last && (await verifyRelease(new TextDecoder().decode(last), publicKey)).release;
    if (highest !== undefined && number <= highest)
      throw new CommandError(`The log has release ${highest}: the next one has a higher number.`);
  };
  const { size } = await appendEntry(folder, { entry: utf8(signed), follows }, signer);
  process.stderr.write(`Release ${number} is entry ${size - 1} of ${await noteKeyText(signer)}\n`);
}

async function signLog(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      log: { type: "string" },
      "log-name": { type: "string" },
      "log-key": { type: "string" },
      json: { type: "boolean" },
    },
  });
  const signer = await logSigner(values["log-name"], values["log-key"]);
  if (values.log === undefined) throw new CommandError("--log takes the folder of the log.", 2);
  const { size } = await signAgain(values.log, signer).catch((error: Error) => {
    throw new CommandError(`${values.log}: ${error.message}.`, 1, error);
  });
  const logKey = await noteKeyText(signer);
  if (values.json) tell(true, "", { entries: size, logKey });
  else process.stderr.write(`The log has ${size} entries, as of now: ${logKey}\n`);
  return 0;
}

async function logSigner(name: string | undefined, path: string | undefined): Promise<NoteSigner> {
  if (name === undefined || path === undefined || !/^[^\s+]{1,128}$/.test(name))
    throw new CommandError("--log takes --log-name, without spaces or plus signs, and --log-key.", 2);
  const pem = await readKey(path, "Make one with `openssl genpkey -algorithm ed25519`.");
  try {
    const key = createPrivateKey(pem);
    const { x = "", crv }: JsonWebKey = createPublicKey(key).export({ format: "jwk" });
    if (crv !== "Ed25519") throw new TypeError("another curve");
    return { name, key: decodeBase64url(x), sign: async (bytes) => new Uint8Array(sign(null, bytes, key)) };
  } catch (error) {
    throw new CommandError(`${path} is no private key of Ed25519 in PEM.`, 1, error);
  }
}

async function readKey(path: string, advice: string): Promise<string> {
  return path === INPUT ? readInput() : read(path, advice);
}

async function read(path: string, advice: string): Promise<string> {
  return readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") throw new CommandError(`There is no ${path}. ${advice}`, 1, error);
    throw new CommandError(sentenceOf(error) ?? `${path} cannot be read.`, 1, error);
  });
}

async function signingKey(path: string) {
  const pem = await readKey(path, "Make one with `openssl ecparam -genkey -name prime256v1`.");
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
