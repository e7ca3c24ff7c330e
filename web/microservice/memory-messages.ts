import { encodeBase64url } from "#protocol/base64url.ts";
import { equalConstantTime } from "#protocol/bytes.ts";
import { MAX_MESSAGES, MESSAGE_LIFE, type MessageName, type MessageRecord, type Store } from "./store.ts";

type Messages = Pick<Store, "keepMessage" | "settle" | "messages" | "deleteMessage">;

/** Messages that may be gone on with as long as this process lives. `remove` deletes those that end. */
export function memoryMessages(): Messages & {
  remove(ended: (record: MessageRecord) => boolean): void;
  removeEnded(ended: { live: string | null | undefined; now: number }): void;
} {
  const messages = new Map<string, MessageRecord>();
  const tags = new Map<string, Uint8Array>();
  const keyOf = ({ origin, custodian, context }: MessageName) => JSON.stringify([origin, custodian, context]);

  function drop(key: string): void {
    const kept = messages.get(key);
    messages.delete(key);
    if (!kept) return;
    const id = encodeBase64url(kept.messageId);
    for (const name of tags.keys()) if (name.startsWith(`${id} `)) tags.delete(name);
  }

  function remove(ended: (record: MessageRecord) => boolean): void {
    for (const [key, record] of messages) if (ended(record)) drop(key);
  }

  return {
    remove,
    removeEnded: ({ live, now }) =>
      remove(({ session, begun }) => begun <= now - MESSAGE_LIFE || (live !== undefined && session !== live)),
    async keepMessage(record) {
      const key = keyOf(record);
      const kept = messages.get(key);
      if (kept) return kept;
      messages.set(key, record);
      const [oldest] = messages.keys();
      if (messages.size > MAX_MESSAGES && oldest !== undefined) drop(oldest);
      return record;
    },
    async settle(name, messageId, first, given) {
      const kept = messages.get(keyOf(name));
      if (!kept || !equalConstantTime(kept.messageId, messageId)) return false;
      const key = `${encodeBase64url(messageId)} ${first}`;
      const there = tags.get(key);
      if (!there) tags.set(key, given);
      return !there || equalConstantTime(there, given);
    },
    messages: async (of) =>
      [...messages.values()].filter((one) => one.origin === of.origin && one.custodian === of.custodian),
    deleteMessage: async (name) => drop(keyOf(name)),
  };
}
