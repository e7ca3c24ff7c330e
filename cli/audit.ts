import { auditExport } from "./audit-export.ts";
import { auditList } from "./audit-list.ts";
import { auditVerify } from "./audit-verify.ts";
import { CommandError } from "./command-error.ts";
import { documentPath } from "./document-path.ts";
import { COFFER } from "./parts/index.ts";
import { ROOT_KEY_FILE } from "./root-key.ts";
import { SESSION_HELP } from "./session-options.ts";

export const AUDIT_HELP = `coffer audit verify FILE: check an export of a tenant's audit log

Reads nothing but the export and the root key. Checks who signed the log, that it only grew, that each chain of decisions
links up and has all that the log says, and that no source is missing. What is under no signed root yet is told apart.

  FILE              the export; - is standard input, for it or for one of the next two
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
  --json            one JSON object on standard output: of verify tenant, decisions, chains, checkpoints, roots, signed, unsigned and
                    since, of export tenant, path and rootKey

coffer audit list: what was decided about you, newest first

  --subject ID      about an account of yours instead; for auditors about anybody
  --all             for auditors: what concerns the tenant itself
  --before CURSOR   what is older than that; standard error tells where there is more, --json has it as before
${SESSION_HELP}
Exit code: 0 verified, exported or listed, 1 not, 2 the command line is wrong.

Examples: ${COFFER} audit export --to today.ndjson
          ${COFFER} audit verify today.ndjson --since yesterday.ndjson
`;

/** `coffer audit export`, `coffer audit verify` and `coffer audit list` */
export async function audit([command, ...args]: string[]): Promise<number> {
  if (command === "export") return auditExport(args);
  if (command === "verify") return auditVerify(args);
  if (command === "list") return auditList(args);
  throw new CommandError("coffer audit: say list, export, or verify and a file. Try --help.", 2);
}
