import { ok, type Result } from "../../result.ts";
import type { ContractHandlers } from "../serve.ts";
import { applicant } from "../session.ts";

/** The KMS. */
export const keys = {
  makeDataKeys: ({ c, caller, body }) => c.env.KMS.dataKeys(caller, body),
  listKeys: ({ c, caller, input: { account, ...query } }) => c.env.KMS.listKeys({ caller, account }, query),
  describeKey: ({ c, caller, input: { account, key } }) => c.env.KMS.describeKey({ caller, account }, key),
  changeKey: ({ c, caller, input: { account, key }, body }) =>
    c.env.KMS.changeKey({ caller, account }, key, body),
  listOwnKeys: ({ c, caller, input: query }) => c.env.KMS.listKeys({ caller }, query),
  describeOwnKey: ({ c, caller, input: { key } }) => c.env.KMS.describeKey({ caller }, key),
  changeOwnKey: ({ c, caller, input: { key }, body }) => c.env.KMS.changeKey({ caller }, key, body),
  readKeptKeys: ({ c, caller, input: { account, instance } }) =>
    c.env.KMS.keptKeys(caller, account, instance),
  metadataKey: ({ c, caller, input: { account } }) => c.env.KMS.metadataKey(caller, account),
  readVersions: ({ c, caller, input: { account, after } }) =>
    c.env.KMS.readVersions(caller, account, Number(after ?? 0)),
  putVersions: ({ c, caller, input: { account }, body }) => c.env.KMS.putVersions(caller, account, body),
  makeShare: ({ c, caller, input: { account }, body }) => c.env.KMS.share(caller, account, body),
  listShares: ({ c, caller, input: { account, document } }) => c.env.KMS.shares(caller, account, document),
  withdrawShare: ({ c, caller, input: { account, share } }) =>
    c.env.KMS.withdrawShare(caller, account, share),
  rotateKey: ({ c, caller, body }) => c.env.KMS.rotateKey(caller, body),
  loadKey: ({ c, caller, body }) => c.env.KMS.load(caller, body),
  readRotation: async ({ c, caller }) => answered(await c.env.KMS.rotation(caller)),
  beginRotation: async ({ c, caller }) => answered(await c.env.KMS.beginRotation(caller)),
  grantKeys: ({ c, caller, body }) => c.env.KMS.grant(caller, body),
  async presentGrant({ c, body }) {
    const { tenant, requestId } = await applicant(c);
    return c.env.KMS.present({ tenant, requestId }, body);
  },
  async openSeedChannel({ c, body }) {
    const { tenant, requestId } = await applicant(c);
    return c.env.KMS.openSeedChannel({ tenant, requestId }, body);
  },
  async presentSeed({ c, body }) {
    const { tenant, requestId } = await applicant(c);
    return c.env.KMS.presentSeed({ tenant, requestId }, body);
  },
  async loadRetainedKeys({ c, body }) {
    const { tenant, requestId } = await applicant(c);
    return c.env.KMS.loadRetained({ tenant, requestId }, body);
  },
  orderExport: ({ c, caller, body }) => c.env.KMS.orderExport(caller, body),
} satisfies Partial<ContractHandlers>;

type Progress = { all: number; moved: number; failed: number };

/** Before the first rotation there is no key to name. */
function answered(
  result: Result<Progress & { master: string | null }>,
): Result<Progress & { master?: string }> {
  if (!result.ok) return result;
  const { master, ...counts } = result.value;
  return ok(master === null ? counts : { ...counts, master });
}
