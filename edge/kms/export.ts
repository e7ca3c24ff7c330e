import type { ExportRequest } from "#protocol/contract/index.ts";
import { digest } from "#protocol/digest.ts";
import { authorize } from "../authorize.ts";
import type { Caller } from "../caller.ts";
import { ok, type Result } from "../result.ts";
import { type Door, noMember } from "./context.ts";
import { checkLives } from "./shred.ts";

/**
 * An order to take documents out of Coffer's keeping. One audit row an order, whatever it names, so that nobody buries the
 * log. An order for one document names it; one for several tells their number and the SHA-256 of their ids (sorted, a line
 * each): anyone who has the list can show that it is what was ordered. No key leaves the HSM for it.
 */
export async function orderExport(
  { neighbours, enter, refuse }: Door,
  caller: Caller,
  request: ExportRequest,
): Promise<Result<{ order: string }>> {
  const { account } = request;
  const documents = [...new Set(request.documents)].sort();
  const order = crypto.randomUUID();
  const { tenant, requestId } = caller;
  const named =
    documents.length === 1
      ? `document/${documents[0]}`
      : `documents/${documents.length}/${await digest(documents.map((id) => `${id}\n`).join(""))}`;
  const resource = `account/${account}/export/${order}/${named}`;
  const about = { action: "kms:export", caller, resource, requestId };
  const member = await neighbours.IAM.member({ tenant, account, caller });
  if (!member.ok) return refuse(about, noMember(member.problem));
  const { store } = await enter();
  return authorize(store, about, (sql) => {
    const lives = checkLives(sql);
    return lives.ok ? ok({ order }) : lives;
  });
}
