import type { ContractHandlers } from "../serve.ts";

/** The audit log, for whom the IAM lets read it. */
export const audit = {
  readAudit: ({ c, caller, input: { subject, before } }) =>
    c.env.IAM.readAudit(caller, subject ?? null, before ?? null),
} satisfies Partial<ContractHandlers>;
