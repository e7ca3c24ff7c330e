import { createPrivateKey } from "node:crypto";
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { isTenantName } from "#protocol/hierarchy/index.ts";
import { CommandError } from "./command-error.ts";
import { documentPath } from "./document-path.ts";
import { bringRecoveryKey, destroyMasterKey, removeRecoveryKey } from "./master-key.ts";
import { asOfficer, OFFICER_HELP, OFFICER_OPTIONS } from "./officer.ts";
import { COFFER } from "./parts/index.ts";

export const RECOVERY_HELP = `coffer recovery: keep a tenant's master key outside of the HSM

For a tenant of release level master, as the officer, at a KMIP 2.1 HSM that knows the strict variant, as the emulator does:
${documentPath("decisions/0037-master-key-outside-the-hsm.md")}

coffer recovery destroy   destroys the master key in the HSM, for good: have it wrapped to the first instances and to the
                          recovery recipient before
coffer recovery begin     brings the recovery recipient's private key into the HSM, so that the KMS can give the master key
                          to a further instance, and prints its identifier
coffer recovery end       takes it away again

  --tenant NAME     whose master key
  --recovery-key FILE
                    begin: the recovery recipient's private key, RSA, PEM, not encrypted
  --id ID           end: what begin has printed
${OFFICER_HELP}

Example: ${COFFER} recovery begin --tenant acme --recovery-key recovery.key --ca hsm-ca.pem --cert officer.pem --key officer.key
`;

/** `coffer recovery destroy`, `begin` and `end` (W1, strict variant). */
export async function recovery([command, ...args]: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      tenant: { type: "string" },
      "recovery-key": { type: "string" },
      id: { type: "string" },
      ...OFFICER_OPTIONS,
    },
  });
  if (command === "end") {
    const { id } = values;
    if (id === undefined) throw new CommandError("--id is needed: what `coffer recovery begin` printed.", 2);
    await asOfficer(values, (hsm) => removeRecoveryKey(hsm, id));
    process.stdout.write(`The recovery key ${id} is destroyed in the HSM.\n`);
    return 0;
  }
  const { tenant } = values;
  if (command !== "destroy" && command !== "begin")
    throw new CommandError("coffer recovery: say destroy, begin or end. Try --help.", 2);
  if (tenant === undefined || !isTenantName(tenant))
    throw new CommandError("--tenant takes a name of up to 63 lower-case letters, digits and hyphens.", 2);
  if (command === "destroy") {
    const destroyed = await asOfficer(values, (hsm) => destroyMasterKey(hsm, tenant));
    process.stdout.write(`The master key of ${tenant}, ${destroyed}, is destroyed in the HSM.\n`);
    return 0;
  }
  const key = await recoveryKey(values["recovery-key"]);
  const id = await asOfficer(values, (hsm) => bringRecoveryKey(hsm, tenant, key, new Date()));
  process.stdout.write(
    `The recovery key is in the HSM: ${id}\nAfterwards: ${COFFER} recovery end --id ${id}\n`,
  );
  return 0;
}

/** The key in the file as PKCS#8 in DER. */
async function recoveryKey(path: string | undefined): Promise<Uint8Array<ArrayBuffer>> {
  if (path === undefined) throw new CommandError("--recovery-key is needed: --help tells what for.", 2);
  const text = await readFile(path, "utf8").catch(() => {
    throw new CommandError(`--recovery-key: ${path} cannot be read.`);
  });
  try {
    return new Uint8Array(createPrivateKey(text).export({ format: "der", type: "pkcs8" }));
  } catch {
    throw new CommandError("--recovery-key: this is no private key in PEM that is not encrypted.");
  }
}
