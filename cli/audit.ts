import { auditExport } from "./audit-export.ts";
import { auditVerify } from "./audit-verify.ts";
import { CommandError } from "./command-error.ts";
import { documentPath } from "./document-path.ts";
import { COFFER } from "./parts/index.ts";
import { ROOT_KEY_FILE } from "./root-key.ts";

export const AUDIT_HELP = `coffer audit verify FILE: check an export of a tenant's audit log

Reads nothing but the export and the root key. Checks who signed the log, that it only grew, that each chain of decisions
links up and has all that the log says, and that no source is missing. What is under no signed root yet is told apart.

  --since FILE      an earlier export of the same tenant: nothing of it may be gone
  --root-key FILE   the root CA's public key or certificate, PEM, as \`coffer init\` writes it
                    (${ROOT_KEY_FILE} in --dir, else that of the server which runs there)

coffer audit export: take the audit log out of the folder of a server on this machine

The server must have ended: this starts it for a moment, on other ports. What was decided in the last minute may be
missing. Writes the root key beside it, into ${ROOT_KEY_FILE} in --dir. How an operator exports from a deployment:
${documentPath("operations.md")}

  --to FILE         where to write it; - for standard output   (TENANT-audit.ndjson)
  --tenant NAME     whose                                      (development)
  --force           replace a file that is there

  --dir PATH        where \`coffer start\` keeps documents       (.coffer)

Exit code: 0 verified or exported, 1 not, 2 the command line is wrong.

Examples: ${COFFER} audit export --to today.ndjson
          ${COFFER} audit verify today.ndjson --since yesterday.ndjson
`;

/** `coffer audit export` and `coffer audit verify` */
export async function audit([command, ...args]: string[]): Promise<number> {
  if (command === "export") return auditExport(args);
  if (command === "verify") return auditVerify(args);
  throw new CommandError("coffer audit: say export, or verify and a file. Try --help.", 2);
}
