import { randomBytes } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { parseArgs } from "node:util";
import {
  DEVICE_FIELDS,
  type Device,
  encodeBase32,
  formatPrincipals,
  MAX_PASSWORD,
  type Principal,
  parsePrincipals,
  principalOf,
} from "#emulator/hsm/index.ts";
import { makeFolder, writeWhole } from "#files/index.ts";
import { lineIn } from "./client-key.ts";
import { CommandError } from "./command-error.ts";
import { INPUT, readInput } from "./input.ts";
import { tell } from "./output.ts";
import { COFFER } from "./parts/index.ts";

const KINDS = ["password", "hashed-password", "one-time-password", "device", "certificate"] as const;
type Kind = (typeof KINDS)[number];

/** `coffer hsm principal NAME`: writes an entry into the principals' file. The password comes from standard input. */
export async function hsmPrincipal(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      kind: { type: "string", default: "password" },
      device: { type: "string", multiple: true, default: [] },
      group: { type: "string", multiple: true, default: [] },
      principals: { type: "string" },
      dir: { type: "string", default: ".coffer/kmip" },
      force: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
    },
  });
  const [name, ...others] = positionals;
  if (name === undefined || others.length > 0)
    throw new CommandError(
      "coffer hsm principal: name one principal; the password is read from standard input.",
      2,
    );
  const kind = kindIn(values.kind);
  const device = deviceIn(values.device, kind);
  const file = resolve(values.principals ?? join(values.dir, PRINCIPALS_FILE));
  if (kind === "certificate" && values.group.length === 0)
    throw new CommandError("--kind certificate takes --group NAME, once or more", 2);
  const before = await readPrincipals(file, { absent: [] });
  // Whom a certificate names and who names themselves are two, though their names be one.
  const isOther = (one: Principal) =>
    one.name !== name || (one.kind === "certificate") !== (kind === "certificate");
  if (!before.every(isOther) && !values.force)
    throw new CommandError(
      `${file} has a principal '${name}' already: --force puts the new one in its place.`,
    );
  const oneTimeSecret = kind === "one-time-password" ? new Uint8Array(randomBytes(20)) : undefined;
  const groups = values.group.length > 0 ? { groups: values.group } : {};
  const principal =
    kind === "certificate"
      ? { name, kind, ...groups }
      : principalOf(name, await passwordFor(name), {
          hashed: kind === "hashed-password",
          ...groups,
          ...(oneTimeSecret ? { oneTimeSecret } : {}),
          ...(device ? { device } : {}),
        });
  await writePrincipals(file, [...before.filter(isOther), principal]);
  const address = oneTimeSecret && enrolment(name, oneTimeSecret);
  const said = `${name} is in ${file}; a server takes it when it starts.`;
  tell(values.json, address ? `${said}\nFor the authenticator: ${address}` : said, {
    ...{ principal: name, kind, groups: values.group, file },
    ...(address && { authenticator: address }),
  });
  return 0;
}

/** In the folder of keys and objects, where no other file is named. */
export const PRINCIPALS_FILE = "principals.json";

/** Reads a file of principals. `absent` is what to take where there is none. */
export async function readPrincipals(
  file: string,
  { absent }: { absent?: Principal[] } = {},
): Promise<Principal[]> {
  let text: string;
  try {
    if (file === INPUT) return parsed(await readInput(), "standard input");
    text = await readFile(file, "utf8");
  } catch (error) {
    if (absent && isMissing(error)) return absent;
    if (!isMissing(error)) throw error;
    throw new CommandError(`${file}: there is no such file. \`${COFFER} hsm principal NAME\` makes one.`);
  }
  // What stands in it is as good as a password, for some kinds; Windows has no such modes.
  const { mode } = await stat(file);
  if (process.platform !== "win32" && (mode & 0o077) !== 0)
    throw new CommandError(`${file} can be read by others: chmod 600 ${file}`);
  return parsed(text, file);
}

function parsed(text: string, file: string): Principal[] {
  try {
    return parsePrincipals(text);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new CommandError(`${file}: ${error.message}. \`${COFFER} hsm principal NAME\` makes entries.`);
  }
}

async function writePrincipals(file: string, principals: readonly Principal[]): Promise<void> {
  const text = formatPrincipals(principals);
  try {
    parsePrincipals(text);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new CommandError(`That cannot be: ${error.message}.`, 2);
  }
  makeFolder(dirname(file));
  await writeWhole(file, text, { replace: true });
}

function kindIn(text: string): Kind {
  const kind = KINDS.find((one) => one === text);
  if (!kind) throw new CommandError(`--kind takes ${KINDS.join(", ")}`, 2);
  return kind;
}

/** `--device deviceSerialNumber=1234`, as often as there are marks. */
function deviceIn(given: readonly string[], kind: Kind): Device | undefined {
  const fields: readonly string[] = DEVICE_FIELDS;
  const marks = given.map(
    (text) => [text.slice(0, text.indexOf("=")), text.slice(text.indexOf("=") + 1)] as const,
  );
  if (
    (kind === "device") !== marks.length > 0 ||
    marks.some(([field, mark]) => !fields.includes(field) || !mark)
  )
    throw new CommandError(
      `--kind device takes --device FIELD=TEXT, where FIELD is one of ${fields.join(", ")}`,
      2,
    );
  return marks.length > 0 ? Object.fromEntries(marks) : undefined;
}

/** Asks for it unseen at a terminal; else takes standard input, which is one line. */
async function passwordFor(name: string): Promise<string> {
  const text = process.stdin.isTTY ? await askUnseen(`Password of ${name}: `) : await standardInput();
  const password = lineIn(text);
  if (password === "") throw new CommandError("There is no password on standard input.", 2);
  if (/[\r\n]/.test(password)) throw new CommandError("The password on standard input has several lines.", 2);
  if (password.length > MAX_PASSWORD)
    throw new CommandError(`The password is longer than ${MAX_PASSWORD} characters.`, 2);
  return password;
}

async function askUnseen(question: string): Promise<string> {
  process.stderr.write(question);
  const unseen = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: unseen, terminal: true });
  const stopped = new Promise<never>((_, reject) => {
    lines.once("SIGINT", () => reject(new CommandError("Cancelled; nothing was written.")));
    lines.once("close", () => reject(new CommandError("There is no password on standard input.", 2)));
  });
  try {
    return await Promise.race([lines.question(""), stopped]);
  } finally {
    lines.close();
    process.stderr.write("\n");
  }
}

async function standardInput(): Promise<string> {
  let text = "";
  for await (const chunk of process.stdin.setEncoding("utf8")) {
    text += chunk as string;
    if (text.length > 2 * MAX_PASSWORD) break;
  }
  return text;
}

/** What an authenticator app takes, by hand or as a QR code. */
function enrolment(name: string, secret: Uint8Array): string {
  return `otpauth://totp/Coffer:${encodeURIComponent(name)}?secret=${encodeBase32(secret)}&issuer=Coffer`;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
