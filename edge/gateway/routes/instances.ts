import { encodeBase64url } from "#protocol/base64url.ts";
import { ok } from "../../result.ts";
import type { ContractHandlers } from "../serve.ts";
import { instanceToken } from "./instance-token.ts";

/** What instances ask for themselves. */
export const instances = {
  instanceToken,
  loadMasterKey: ({ c, caller, body }) => c.env.KMS.masterKey(caller, body),
  loadAccountKey: ({ c, caller, body }) => c.env.KMS.releaseAccountKey(caller, body),
  findKeyIdentifier: ({ c, caller, body }) => c.env.IAM.keyIdentifier(caller, body),
  async readAccountKey({ c, caller, input: { account, id } }) {
    const read = await c.env.IAM.encryptedAccountKey(caller, account, id);
    if (!read.ok) return read;
    const { wrapped, publicKey, ...key } = read.value;
    return ok({
      ...key,
      wrapped: encodeBase64url(wrapped),
      ...(publicKey && { publicKey: encodeBase64url(publicKey) }),
    });
  },
  async rotateAccountKey({ c, caller, input: { account } }) {
    const rotated = await c.env.IAM.rotateAccountKey(caller, account);
    return rotated.ok ? ok({ id: rotated.value.id, version: rotated.value.version }) : rotated;
  },
  async keepAccountKey({ c, caller, input: { account }, body }) {
    const kept = await c.env.IAM.keepAccountKey(caller, account, body);
    return kept.ok ? ok({ id: kept.value.id, version: kept.value.version }) : kept;
  },
  listDataKeys: ({ c, caller, input: { account } }) => c.env.KMS.listDataKeys(caller, account),
  readDataKey: ({ c, caller, input: { account, key } }) => c.env.KMS.readDataKey(caller, account, key),
  renewDataKey: ({ c, caller, input: { account }, body }) => c.env.IAM.renewDataKey(caller, account, body),
  deleteDataKey: ({ c, caller, input: { account, key } }) => c.env.IAM.deleteDataKey(caller, account, key),
} satisfies Partial<ContractHandlers>;
