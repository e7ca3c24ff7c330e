import { parseArgs } from "node:util";
import { codeOf } from "#protocol/error.ts";
import type { ReceivedDocument, Share } from "#web/client/index.ts";
import type { Client } from "./client.ts";
import { CommandError } from "./command-error.ts";
import { jsonLine } from "./json-line.ts";
import { ACCOUNT_HELP_LINE, accountOf, exactly, JSON_HELP_LINE, LIFE_OPTIONS } from "./life.ts";
import { print, tell } from "./output.ts";
import { COFFER } from "./parts/index.ts";
import { SESSION_HELP, withClient } from "./session-options.ts";
import { shown } from "./shown.ts";

const REST = `${ACCOUNT_HELP_LINE}
${JSON_HELP_LINE}
${SESSION_HELP}
Exit code: 0 done, 1 not, 2 the command line is wrong.
`;

export const SHARE_HELP = `coffer share DOCUMENT ACCOUNT: let another account of the tenant open a document

Its key, and no other, goes under that account's key within the HSM. The account has the document in its list, and opens it until
the share ends or is withdrawn; it changes nothing of it.

Above level data it is refused, since one key opens all that an account has there: make an account that both are members of
(\`coffer account create\`, \`coffer member add\`), and seal the document in that one.

  --until TIME  the end, as 2027-01-31 or 2027-01-31T12:00Z; 366 days from now at most   (in 90 days)
${REST}
Example: ${COFFER} share 7b0c6c1e-6d5f-8c93-9a3e-0d3c5b1f2a77 q3v7… --user ada
`;

export const UNSHARE_HELP = `coffer unshare DOCUMENT SHARE: end a share, as \`coffer shares\` lists it

From now on neither document nor key is given to the other account. A key that one of its devices has loaded ends within the hour.

${REST}
Example: ${COFFER} unshare 7b0c6c1e-6d5f-8c93-9a3e-0d3c5b1f2a77 1f0e… --user ada
`;

export const SHARES_HELP = `coffer shares [DOCUMENT]     whom documents of an account are shared with, or one of them
coffer shares --received     what other accounts have shared with the user's

Prints share, document, the other account with its name, and when the share ends; of what was received the document's name too. With --received it is of
all accounts of the user; --account says one, which may have been given the same document as another of them, by another share.

  --received    what others have shared; \`coffer shares --received --open SHARE\` writes one to standard output
  --open SHARE  with --received: open that one, on standard output. What came is complete only when the command ends with 0
  --decline SHARE  with --received: take that one out of the account's list; it opens no more
${REST}
Example: ${COFFER} shares --received --user grace
`;

/** `coffer share` */
export async function share(args: string[]): Promise<number> {
  const options = { ...LIFE_OPTIONS, until: { type: "string" } } as const;
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options });
  const [document = "", to = ""] = exactly("share", positionals, "a document", "an account");
  const expires = values.until === undefined ? undefined : new Date(values.until);
  if (expires && Number.isNaN(expires.getTime()))
    throw new CommandError(`'${shown(values.until ?? "")}' is no time.`, 2);
  return withClient(values, async (client) => {
    const account = accountOf(client, values.account);
    const sharing = client.sharing;
    const made = await sharing.share(document, to, { account, ...(expires && { expires }) });
    tell(values.json, lineOf(made), made);
    return 0;
  });
}

/** `coffer unshare` */
export async function unshare(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: LIFE_OPTIONS });
  const [document = "", id = ""] = exactly("unshare", positionals, "a document", "a share");
  return withClient(values, async (client) => {
    await client.sharing.withdraw({ document, share: id }, accountOf(client, values.account));
    tell(values.json, "", { share: id });
    return 0;
  });
}

/** `coffer shares` */
export async function shares(args: string[]): Promise<number> {
  const options = {
    ...LIFE_OPTIONS,
    received: { type: "boolean", default: false },
    open: { type: "string" },
    decline: { type: "string" },
  } as const;
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options });
  const { received, open, decline, json } = values;
  const [document, ...more] = positionals;
  const one = open !== undefined || decline !== undefined;
  if (
    more.length > 0 ||
    (received && document !== undefined) ||
    (one && !received) ||
    (open !== undefined && (json || decline !== undefined))
  )
    throw new CommandError(
      "coffer shares takes a document, or --received with or without --open or --decline. Try --help.",
      2,
    );
  return withClient(values, async (client) => {
    const sharing = client.sharing;
    // Of one account where it is said, else of all.
    const at = values.account === undefined ? {} : { account: accountOf(client, values.account) };
    if (open !== undefined) return write(client, { share: open, ...at });
    if (decline !== undefined) {
      await sharing.decline(await receivedBy(client, decline, at));
      tell(json, `${decline} is declined.`, { share: decline });
      return 0;
    }
    const all = received
      ? await sharing.received(at)
      : await sharing.shares({
          account: accountOf(client, values.account),
          ...(document !== undefined && { document }),
        });
    if (json) await print(jsonLine(all.map((each) => ({ ...each, error: undefined }))));
    else for (const each of all) await print(`${lineOf(each)}\n`);
    return 0;
  });
}

async function write(client: Client, wanted: { share: string; account?: string }): Promise<number> {
  const sharing = client.sharing;
  const { stream } = await sharing.open(wanted).catch((error: unknown) => {
    if (codeOf(error) !== "share-ended") throw error;
    throw new CommandError(`Nothing was received by the share '${shown(wanted.share)}', or it has ended.`);
  });
  for await (const chunk of stream) await print(chunk);
  return 0;
}

async function receivedBy(
  client: Client,
  wanted: string,
  at: { account?: string },
): Promise<ReceivedDocument> {
  const found = (await client.sharing.received(at)).find(({ share }) => share === wanted);
  if (!found) throw new CommandError(`Nothing was received by the share '${shown(wanted)}'.`);
  return found;
}

function lineOf(each: Share | ReceivedDocument): string {
  const until = each.expires.toISOString().slice(0, 16);
  if ("to" in each)
    return `${each.share}  ${each.document}  ${each.to.account}  ${until}  ${shown(each.to.name)}`;
  const name = each.metadata ? shown(each.metadata.name) : "(cannot be opened)";
  return `${each.share}  ${each.id}  ${each.from.account}  ${until}  ${shown(each.from.name)}  ${name}`;
}
