import { isUtf8 } from "node:buffer";
import { readFileSync, statSync } from "node:fs";
import { CommandError } from "./command-error.ts";
import { COFFER } from "./parts/index.ts";
import { report, reportLostOutput } from "./report.ts";
import { shown } from "./shown.ts";

const HELP = `coffer: client-side encryption with keys from a KMIP HSM

Usage: ${COFFER} COMMAND [options]

  start           run everything on this machine: HSM emulator, edge worker, document page
  init            make a deployment's keys in its HSM
  rotate          give a tenant a new master key
  recovery        keep a tenant's master key outside of the HSM
  operations      say whether a tenant's data keys work inside the HSM
  hsm             run the HSM emulator alone, for any KMIP client
  seal FILE …     encrypt files here and store the result
  open DOCUMENT   fetch a document, decrypt it here and write it to a file
  list            the documents, newest first
  re-encrypt      seal documents again under new keys
  share           let another account open a document
  unshare         end that
  shares          whom documents are shared with, and what others have shared
  account         accounts: list, create, rotate their key, delete them
  key             data keys: make, list, tag, disable, rotate, delete them
  instance        the user's microservices, and the end of one
  export          take all documents out, plain or under a key of your own
  member          say who may act for an account
  admin           say who administers the tenant, and who is in its groups
  client          application servers as clients of their own
  launch          start a microservice as a process of its own
  release         sign what a build is made of, log it, and check a vault by it
  secret-zero     a credential by which one microservice may enrol
  microservice    run a microservice behind REST, for one custodian
  sidecar         run the one process that reaches a microservice
  audit           export the log of all decisions, and verify an export
  policy          check policies, explain what they decide, and put one on the tenant
  doctor          say what is wrong with a deployment, and what to do
  completion      completion of this command for bash, zsh or fish

${COFFER} COMMAND --help tells a command's options and gives examples.
Exit code: 0 done; 1 failed, and a sentence on standard error says why; 2 the command line is wrong;
130 ended by a second Ctrl-C. A command that has more of them says so.
`;

type Command = { run: (args: string[]) => Promise<number>; help: string };

/** Each command is loaded when it is called: \`--help\` needs none of what they import. */
const COMMANDS: Record<string, () => Promise<Command>> = {
  start: async () => {
    const { start, START_HELP } = await import("./start.ts");
    return { run: start, help: START_HELP };
  },
  init: async () => {
    const { init, INIT_HELP } = await import("./init.ts");
    return { run: init, help: INIT_HELP };
  },
  rotate: async () => {
    const { rotate, ROTATE_HELP } = await import("./rotate.ts");
    return { run: rotate, help: ROTATE_HELP };
  },
  recovery: async () => {
    const { recovery, RECOVERY_HELP } = await import("./recovery.ts");
    return { run: recovery, help: RECOVERY_HELP };
  },
  operations: async () => {
    const { operations, OPERATIONS_HELP } = await import("./operations.ts");
    return { run: operations, help: OPERATIONS_HELP };
  },
  hsm: async () => {
    const { hsm, HSM_HELP } = await import("./hsm.ts");
    return { run: hsm, help: HSM_HELP };
  },
  seal: async () => {
    const { seal, SEAL_HELP } = await import("./seal.ts");
    return { run: seal, help: SEAL_HELP };
  },
  open: async () => {
    const { open, OPEN_HELP } = await import("./open.ts");
    return { run: open, help: OPEN_HELP };
  },
  list: async () => {
    const { list, LIST_HELP } = await import("./list.ts");
    return { run: list, help: LIST_HELP };
  },
  "re-encrypt": async () => {
    const { reEncrypt, RE_ENCRYPT_HELP } = await import("./re-encrypt.ts");
    return { run: reEncrypt, help: RE_ENCRYPT_HELP };
  },
  share: async () => {
    const { share, SHARE_HELP } = await import("./share.ts");
    return { run: share, help: SHARE_HELP };
  },
  unshare: async () => {
    const { unshare, UNSHARE_HELP } = await import("./share.ts");
    return { run: unshare, help: UNSHARE_HELP };
  },
  shares: async () => {
    const { shares, SHARES_HELP } = await import("./share.ts");
    return { run: shares, help: SHARES_HELP };
  },
  account: async () => {
    const { account, ACCOUNT_HELP } = await import("./account.ts");
    return { run: account, help: ACCOUNT_HELP };
  },
  key: async () => {
    const { key, KEY_HELP } = await import("./key.ts");
    return { run: key, help: KEY_HELP };
  },
  instance: async () => {
    const { instance, INSTANCE_HELP } = await import("./instance.ts");
    return { run: instance, help: INSTANCE_HELP };
  },
  export: async () => {
    const { exportAll, EXPORT_HELP } = await import("./export.ts");
    return { run: exportAll, help: EXPORT_HELP };
  },
  member: async () => {
    const { member, MEMBER_HELP } = await import("./member.ts");
    return { run: member, help: MEMBER_HELP };
  },
  admin: async () => {
    const { admin, ADMIN_HELP } = await import("./admin.ts");
    return { run: admin, help: ADMIN_HELP };
  },
  client: async () => {
    const { client, CLIENT_HELP } = await import("./registered-client.ts");
    return { run: client, help: CLIENT_HELP };
  },
  launch: async () => {
    const { launchMicroservice, LAUNCH_HELP } = await import("./launch.ts");
    return { run: launchMicroservice, help: LAUNCH_HELP };
  },
  release: async () => {
    const { release, RELEASE_HELP } = await import("./release.ts");
    return { run: release, help: RELEASE_HELP };
  },
  "secret-zero": async () => {
    const { secretZero, SECRET_ZERO_HELP } = await import("./secret-zero.ts");
    return { run: secretZero, help: SECRET_ZERO_HELP };
  },
  microservice: async () => {
    const { microservice, MICROSERVICE_HELP } = await import("./microservice.ts");
    return { run: microservice, help: MICROSERVICE_HELP };
  },
  sidecar: async () => {
    const { sidecar, SIDECAR_HELP } = await import("./sidecar.ts");
    return { run: sidecar, help: SIDECAR_HELP };
  },
  audit: async () => {
    const { audit, AUDIT_HELP } = await import("./audit.ts");
    return { run: audit, help: AUDIT_HELP };
  },
  policy: async () => {
    const { policy, POLICY_HELP } = await import("./policy.ts");
    return { run: policy, help: POLICY_HELP };
  },
  doctor: async () => {
    const { doctor, DOCTOR_HELP } = await import("./doctor/index.ts");
    return { run: doctor, help: DOCTOR_HELP };
  },
  completion: async () => {
    const { completion, COMPLETION_HELP } = await import("./completion.ts");
    return { run: (args) => completion(args, helps), help: COMPLETION_HELP };
  },
};

/** The help of each command. */
async function helps(): Promise<Map<string, string>> {
  const each = Object.entries(COMMANDS).map(async ([name, load]) => [name, (await load()).help] as const);
  return new Map(await Promise.all(each));
}

/** Runs one command line; resolves with the exit code: 0 done, 1 failed, 2 the command line is wrong. */
export async function main(args: string[]): Promise<number> {
  reportLostOutput();
  const [name, ...rest] = args;
  if (name === undefined || name === "help" || name === "--help" || name === "-h") {
    process.stdout.write(HELP);
    return name === undefined ? 2 : 0;
  }
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!load) {
    process.stderr.write(`coffer: there is no command '${shown(name)}'.\n\n${HELP}`);
    return 2;
  }
  try {
    const command = await load();
    if (rest.includes("--help") || rest.includes("-h")) {
      process.stdout.write(command.help);
      return 0;
    }
    refuseUnreadableNames(args);
    return await command.run(rest);
  } catch (error) {
    return report(error);
  }
}

/**
 * Names that are not UTF-8 reach us with replacement characters in them, and would be those of other files. What was
 * typed is told from what was replaced by the bytes of the command line, where the system shows them.
 */
function refuseUnreadableNames(args: readonly string[]): void {
  const replaced = args.find((argument) => argument.includes("\ufffd"));
  if (replaced !== undefined && !isUtf8(commandLine()))
    throw new CommandError(
      `'${shown(replaced)}' is not UTF-8: give the file a name that is, and try again.`,
      2,
    );
  const here = process.cwd();
  if (here.includes("\ufffd") && statSync(here, { throwIfNoEntry: false })?.ino !== statSync(".").ino)
    throw new CommandError(`The name of the folder ${shown(here)} is not UTF-8: work in another one.`);
}

function commandLine(): Buffer {
  try {
    return readFileSync("/proc/self/cmdline");
  } catch {
    return Buffer.of();
  }
}
