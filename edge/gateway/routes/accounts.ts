import { ok } from "../../result.ts";
import type { ContractHandlers } from "../serve.ts";

/** Accounts of the user who is signed in, and their keys: the IAM. */
export const accounts = {
  createAccount: ({ c, caller, body }) => c.env.IAM.createAccount(caller, body),
  async readAccount({ c, caller, input: { account } }) {
    const read = await c.env.IAM.readAccount(caller, account);
    return read.ok ? ok(withEnd(read.value)) : read;
  },
  async listAccountStates({ c, caller, input: { after } }) {
    const read = await c.env.IAM.accountStates(caller, after);
    return read.ok ? ok({ ...read.value, accounts: read.value.accounts.map(withEnd) }) : read;
  },
  scheduleAccountDeletion: ({ c, caller, input: { account }, body }) =>
    c.env.IAM.scheduleDeletion(caller, account, body),
  cancelAccountDeletion: ({ c, caller, input: { account } }) => c.env.IAM.cancelDeletion(caller, account),
  async renewAccountKey({ c, caller, input: { account } }) {
    const renewed = await c.env.IAM.renewAccountKey(caller, account);
    return renewed.ok ? ok({ id: renewed.value.id, version: renewed.value.version }) : renewed;
  },
  async listKeyVersions({ c, caller, input: { account } }) {
    const listed = await c.env.IAM.listVersions(caller, account);
    return listed.ok ? ok({ versions: listed.value.map(withEnd) }) : listed;
  },
  addKeyVersion: ({ c, caller, input: { account } }) => c.env.IAM.addVersion(caller, account),
  scheduleKeyDeletion: ({ c, caller, input: { account, key }, body }) =>
    c.env.IAM.scheduleVersion(caller, account, key, body),
  cancelKeyDeletion: ({ c, caller, input: { account, key } }) => c.env.IAM.keepVersion(caller, account, key),
} satisfies Partial<ContractHandlers>;

/** What is not scheduled has no end. */
function withEnd<T extends { ends: number | null }>({
  ends,
  ...rest
}: T): Omit<T, "ends"> & { ends?: number } {
  return ends === null ? rest : { ...rest, ends };
}
