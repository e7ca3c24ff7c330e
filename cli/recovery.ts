import { createPrivateKey } from "node:crypto";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { digest } from "#protocol/digest.ts";
import { isKeyThumbprint, isTenantName } from "#protocol/hierarchy/index.ts";
import { appKeyFile, openAppKey } from "#web/hosts/node/index.ts";
import { lineIn } from "./client-key.ts";
import { CommandError } from "./command-error.ts";
import { documentPath } from "./document-path.ts";
import { expectOneInput, readNamed } from "./input.ts";
import { asOfficer, OFFICER_HELP, OFFICER_OPTIONS, officerFiles } from "./officer.ts";
import { tell } from "./output.ts";
import { COFFER } from "./parts/index.ts";
import { bringRecoveryKey, destroyMasterKey, removeRecoveryKey, thumbprintOf } from "./recovery-key.ts";
import { SESSION_HELP, sessionOptions, withClient } from "./session-options.ts";

export const RECOVERY_HELP = `coffer recovery: keep a tenant's master key outside of the HSM

For a tenant of release level master, at a KMIP 2.1 HSM that knows the strict variant, as the emulator does:
${documentPath("decisions/0037-master-key-outside-the-hsm.md")}

coffer recovery prepare   as a user: makes the recovery recipient's key where there is none, enrols with it, so that the
                          HSM keeps the master key for it, and prints the recipient's thumbprint
coffer recovery destroy   as the officer: destroys the master key in the HSM, for good, at once and not later, which
                          --immediately says. Every instance that is to go on has begun before
coffer recovery thumbprint
                          prints that of a key file: the recovery key's, or an application server's app-specific key's
coffer recovery begin     as the officer: brings the recovery key into the HSM, so that the KMS gives the master key to
                          the one instance with that app-specific key, and prints its identifier
coffer recovery end       as the officer: takes it away again

  --tenant NAME     destroy, begin: whose master key
  --recipient=THUMBPRINT
                    destroy: of the recovery key, as prepare has printed it; begin: of the app-specific key of the
                    instance that is to have the master key, as its operator has told you
  --recovery-key FILE
                    prepare, begin: the recovery recipient's private key, RSA, encrypted PEM; thumbprint: any such file
  --recovery-passphrase-file FILE
                    the passphrase of that key: at least 32 random characters
  --immediately     destroy: it cannot be cancelled
  --id ID           end: what begin has printed
  --json            one JSON object on standard output; - in the place of one FILE is standard input
prepare:
${SESSION_HELP}destroy, begin, end:
${OFFICER_HELP}

Example: ${COFFER} recovery begin --tenant acme --recipient=THUMBPRINT --recovery-key recovery.pem --recovery-passphrase-file secret.txt --ca hsm-ca.pem --cert officer.pem --key officer.key
`;

const OPTIONS = {
  tenant: { type: "string" },
  recipient: { type: "string" },
  "recovery-key": { type: "string" },
  "recovery-passphrase-file": { type: "string" },
  immediately: { type: "boolean", default: false },
  id: { type: "string" },
  json: { type: "boolean" },
  ...OFFICER_OPTIONS,
  ...sessionOptions,
} as const;

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>["values"];

/** What is told, to a person and to a program. */
type Answer = [text: string, value: object];

const COMMANDS: Record<string, (values: Values) => Promise<Answer>> = {
  async prepare(values) {
    const place = appKeyFile(resolve(needed(values, "recovery-key")));
    const key = await openAppKey(place, await passphraseOf(values));
    const instance = { appKey: async () => key };
    await withClient({ ...values, instance }, ({ microservice }) => microservice.use());
    const thumbprint = await digest(key.wrappingSpki);
    const next = `Next: ${COFFER} recovery destroy --immediately --recipient=${thumbprint}`;
    return [
      `The HSM keeps the master key for the recovery recipient: ${thumbprint}\n${next}`,
      { recipient: thumbprint },
    ];
  },
  async destroy(values) {
    const tenant = tenantOf(values);
    const recipient = recipientOf(values);
    if (!values.immediately)
      throw new CommandError(
        "This destroys the master key in the HSM at once, which cannot be cancelled: say --immediately.",
        2,
      );
    const destroyed = await asOfficer(values, (hsm) => destroyMasterKey(hsm, tenant, recipient));
    return [`The master key of ${tenant}, ${destroyed}, is destroyed in the HSM.`, { tenant, destroyed }];
  },
  async thumbprint(values) {
    const thumbprint = await thumbprintOf(await recoveryKey(values));
    return [thumbprint, { thumbprint }];
  },
  async begin(values) {
    const tenant = tenantOf(values);
    const restoredFor = recipientOf(values);
    const pkcs8 = await recoveryKey(values);
    const id = await asOfficer(values, (hsm) =>
      bringRecoveryKey(hsm, tenant, { pkcs8, restoredFor }, new Date()),
    );
    const next = `The instance with the key ${restoredFor} gets the master key when it next asks. Afterwards: ${COFFER} recovery end --id ${id}`;
    return [`The recovery key is in the HSM: ${id}\n${next}`, { tenant, id, restoredFor }];
  },
  async end(values) {
    const id = needed(values, "id");
    await asOfficer(values, (hsm) => removeRecoveryKey(hsm, id));
    return [`The recovery key ${id} is destroyed in the HSM.`, { id }];
  },
};

/** `coffer recovery prepare`, `destroy`, `thumbprint`, `begin` and `end` (W1, strict variant). */
export async function recovery([name = "", ...args]: string[]): Promise<number> {
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!command)
    throw new CommandError("coffer recovery: say prepare, destroy, thumbprint, begin or end. Try --help.", 2);
  const { values } = parseArgs({ args, options: OPTIONS });
  expectOneInput(values["recovery-key"], values["recovery-passphrase-file"], ...officerFiles(values));
  const [text, value] = await command(values);
  tell(values.json, text, value);
  return 0;
}

type Needed = "recipient" | "recovery-key" | "recovery-passphrase-file" | "id";

function needed(values: Values, name: Needed): string {
  const value = values[name];
  if (value === undefined) throw new CommandError(`--${name} is needed: --help tells what for.`, 2);
  return value;
}

function recipientOf(values: Values): string {
  const recipient = needed(values, "recipient");
  if (!isKeyThumbprint(recipient))
    throw new CommandError("--recipient takes a thumbprint as `coffer recovery thumbprint` prints it.", 2);
  return recipient;
}

function tenantOf({ tenant }: Values): string {
  if (tenant === undefined || !isTenantName(tenant))
    throw new CommandError("--tenant takes a name of up to 63 lower-case letters, digits and hyphens.", 2);
  return tenant;
}

async function passphraseOf(values: Values): Promise<string> {
  const path = needed(values, "recovery-passphrase-file");
  return lineIn(await readNamed(path, { option: "--recovery-passphrase-file" }));
}

/** The key in the file as PKCS#8 in DER. */
async function recoveryKey(values: Values): Promise<Uint8Array<ArrayBuffer>> {
  const path = needed(values, "recovery-key");
  const key = await readNamed(path, { option: "--recovery-key" });
  const passphrase = await passphraseOf(values);
  try {
    return new Uint8Array(createPrivateKey({ key, passphrase }).export({ format: "der", type: "pkcs8" }));
  } catch {
    throw new CommandError("--recovery-key: this is no private key in PEM that the passphrase opens.");
  }
}
