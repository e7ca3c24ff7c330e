import { parseArgs } from "node:util";
import type { ReEncryptProgress } from "#web/client/index.ts";
import { CommandError } from "./command-error.ts";
import { interruptSignal } from "./interrupt.ts";
import { ACCOUNT_HELP_LINE, accountOf, exactly, JSON_HELP_LINE, LIFE_OPTIONS } from "./life.ts";
import { tell } from "./output.ts";
import { COFFER } from "./parts/index.ts";
import { SESSION_HELP, withClient } from "./session-options.ts";

export const RE_ENCRYPT_HELP = `coffer re-encrypt DOCUMENT   seals a document again under a new key, and prints its new id
coffer re-encrypt --all      all documents of an account, one after the other

At level data each gets a key of its own again; at levels account and master the newest version (\`${COFFER} key rotate\`). The old
document is deleted when the new one is complete, and its id goes with it. Ctrl-C stops after the one under way is whole or as it was;
to go on, run it again with the --before that it prints.

  --before TIME with --all: documents sealed later have new keys already
${ACCOUNT_HELP_LINE}
${JSON_HELP_LINE}
${SESSION_HELP}
Exit code: 0 all done, 1 not, 2 the command line is wrong.

Example: ${COFFER} re-encrypt --all --user ada
`;

/** `coffer re-encrypt` */
export async function reEncrypt(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { ...LIFE_OPTIONS, all: { type: "boolean", default: false }, before: { type: "string" } },
  });
  const { all, json, before } = values;
  const [id = ""] = exactly("re-encrypt", positionals, ...(all ? [] : ["a document"]));
  if (before !== undefined && (!all || Number.isNaN(Date.parse(before))))
    throw new CommandError("--before goes with --all, and takes a time as that prints it.", 2);
  const signal = interruptSignal();
  return withClient(values, async (client) => {
    const { documents } = client;
    if (!all) {
      const account = values.account === undefined ? {} : { account: accountOf(client, values.account) };
      const sealed = await documents.reEncrypt(id, account);
      tell(json, sealed.id, { old: id, id: sealed.id });
      return 0;
    }
    const account = accountOf(client, values.account);
    let told: ReEncryptProgress | undefined;
    const options = {
      ...(before !== undefined && { before: new Date(before) }),
      signal,
      onProgress(progress: ReEncryptProgress) {
        told = progress;
        if (process.stderr.isTTY)
          process.stderr.write(`\r${progress.done} of ${progress.all} documents`.padEnd(60));
      },
    };
    const progress = await documents.reEncryptAll(account, options).catch((error: unknown) => {
      if (!signal.aborted || told === undefined) throw error;
      const { done, all, before } = told;
      throw new CommandError(
        `Stopped: ${done} of ${all} documents have new keys. To go on: ${COFFER} re-encrypt --all --account ${account} --before ${before.toISOString()}`,
      );
    });
    if (process.stderr.isTTY) process.stderr.write("\n");
    const { all: number, done, failed } = progress;
    const text = `${done} of ${number} documents have new keys${failed > 0 ? `; ${failed} stay as they were` : ""}.`;
    tell(json, text, { ...progress, before: progress.before.toISOString() });
    return failed > 0 ? 1 : 0;
  });
}
