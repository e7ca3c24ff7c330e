/** Rewrap (M8): one batch that turns Enc(data key) under the account key into Enc(data key) under a recipient's key. */

import { type Hsm, UnexpectedAnswer } from "../../hsm/index.ts";
import {
  checkResident,
  getResident,
  getWrapped,
  importAccountKey,
  importWrapped,
  type Ledger,
  type Resident,
  recipientKeyOf,
  retire,
  runBatch,
  toHybridRecipient,
  toRecipient,
  underMasterAs,
  underPair,
  underParent,
  wrappedKeys,
} from "../../hsm/keys/index.ts";
import type { AccountKey } from "../../iam/types.ts";
import type { Recipient } from "../../ra/types.ts";

/** What a data key is encrypted under: an account's key, or a master key (its identifier at the HSM). */
export type Under = AccountKey | { master: string; wrapped?: undefined };

/** A data key. `resident`: what it is at the HSM, where it lives there and is under nothing. */
export type Key = { under: Under; wrappedDataKey: Uint8Array<ArrayBuffer>; resident?: Resident };

/** Whom a key is wrapped to. */
export type To = Pick<Recipient, "hsmKey" | "hybridKey">;

function wrappedTo({ hsmKey, hybridKey }: To) {
  return hybridKey ? toHybridRecipient(hybridKey) : toRecipient(hsmKey);
}

/**
 * Import the account key and, under it, the data key; Get the data key wrapped to the recipient (hybrid where it has keys for it, else
 * RSA-OAEP of the raw 32 bytes); Revoke and Destroy both. A key of the tenant itself is imported under the master
 * key. Never a Decrypt: no key byte reaches the edge. `to`: the recipient's public keys
 * at the HSM, from the RA's registry and never from a request.
 */
export async function rewrapDataKey(
  hsm: Pick<Hsm, "batch">,
  ledger: Ledger,
  { under, wrappedDataKey: wrapped, resident, to }: Key & { to: To },
  now: number,
): Promise<Uint8Array<ArrayBuffer>> {
  if (resident !== undefined) {
    const answers = await runBatch(hsm, ledger, () => getResident(resident, toRecipient(to.hsmKey)));
    checkResident(answers, [resident]);
    return recipientKeyOf(answers.find(({ operation }) => operation === "Get"));
  }
  const account = crypto.randomUUID();
  const data = crypto.randomUUID();
  const answers = await runBatch(hsm, ledger, (name) => {
    const imported = { id: data, class: "data" as const, wrapped, now };
    const items = [getWrapped(wrappedTo(to), data), ...retire(data)];
    if (under.wrapped === undefined) {
      const { master } = under;
      const by = underMasterAs(master, wrapped);
      return [importWrapped({ ...imported, wrappedBy: master, by, name: name() }), ...items];
    }
    const byPair = under.publicKey !== null;
    return [
      ...importAccountKey(under, { id: account, name, now }),
      importWrapped({ ...imported, wrappedBy: account, byPair, name: name() }),
      ...items,
      ...retire(account),
    ];
  });
  return recipientKeyOf(
    answers.find(({ operation }) => operation === "Get"),
    Boolean(to.hybridKey),
  );
}

/**
 * The same for an account that a document is shared with: the data key wrapped under its account key, 40 bytes, or 384 where that is a pair. Whether the one
 * may go under the other is the HSM's to say too.
 */
export async function rewrapToAccount(
  hsm: Pick<Hsm, "batch">,
  ledger: Ledger,
  { under, wrappedDataKey: wrapped, to }: { under: AccountKey; to: AccountKey } & Pick<Key, "wrappedDataKey">,
  now: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const [account, data, other] = [crypto.randomUUID(), crypto.randomUUID(), crypto.randomUUID()];
  const toPair = to.publicKey !== null;
  const answers = await runBatch(hsm, ledger, (name) => [
    ...importAccountKey(under, { id: account, name, now }),
    importWrapped({
      ...{ id: data, class: "data", wrapped, wrappedBy: account, byPair: under.publicKey !== null },
      ...{ name: name(), now },
    }),
    ...importAccountKey(to, { id: other, name, now }),
    getWrapped(toPair ? underPair(other) : underParent(other), data),
    ...[other, data, account].flatMap((id) => retire(id)),
  ]);
  const [key, ...more] = wrappedKeys(answers, toPair);
  if (key === undefined || more.length > 0) throw new UnexpectedAnswer("the HSM wrapped no key");
  return key;
}

/** Keys of one KMIP message: a recipient's wrapping takes the HSM tens of milliseconds each. */
const AT_ONCE = 25;

/** The same of several keys, in their order; each account key is brought in once a message. */
export async function rewrapDataKeys(
  hsm: Pick<Hsm, "batch">,
  ledger: Ledger,
  { keys, to }: { keys: readonly Key[]; to: To },
  now: number,
): Promise<Uint8Array<ArrayBuffer>[]> {
  const rewrapped: Uint8Array<ArrayBuffer>[] = [];
  for (let at = 0; at < keys.length; at += AT_ONCE) {
    const some = keys.slice(at, at + AT_ONCE);
    const accounts = new Map<string, { id: string; key: AccountKey }>();
    for (const { under, resident } of some)
      if (under.wrapped !== undefined && resident === undefined)
        accounts.set(under.id, { key: under, id: crypto.randomUUID() });
    const answers = await runBatch(hsm, ledger, (name) => [
      ...[...accounts.values()].flatMap(({ id, key }) => importAccountKey(key, { id, name, now })),
      ...some.flatMap(({ under, wrappedDataKey: wrapped, resident }) => {
        if (resident !== undefined) return getResident(resident, toRecipient(to.hsmKey));
        const id = crypto.randomUUID();
        const account = under.wrapped === undefined ? undefined : accounts.get(under.id);
        const wrappedBy = account?.id ?? under.master;
        const by = account
          ? { byPair: account.key.publicKey !== null }
          : { by: underMasterAs(wrappedBy, wrapped) };
        return [
          importWrapped({ id, class: "data", wrapped, wrappedBy, ...by, name: name(), now }),
          getWrapped(wrappedTo(to), id),
          ...retire(id),
        ];
      }),
      ...[...accounts.values()].flatMap(({ id }) => retire(id)),
    ]);
    checkResident(
      answers,
      some.flatMap(({ resident }) => resident ?? []),
    );
    rewrapped.push(
      ...answers
        .filter(({ operation }) => operation === "Get")
        .map((answer, n) => recipientKeyOf(answer, Boolean(to.hybridKey) && some[n]?.resident === undefined)),
    );
  }
  return rewrapped;
}
