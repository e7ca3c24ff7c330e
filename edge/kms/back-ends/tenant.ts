/** What keeps a tenant's data keys, as its entry says. */

import { type BackEndSettings, DEFAULT_BACK_END, type TenantBackEnd } from "#protocol/hierarchy/index.ts";
import type { Hsm } from "../../hsm/index.ts";
import type { Ledger } from "../../hsm/keys/index.ts";
import { awsBackEnd } from "./aws-kms.ts";
import type { DataKeyBackEnd } from "./back-end.ts";
import { kmipBackEnd } from "./kmip.ts";

type At = { hsm: Hsm; ledger: Ledger; tenant: string; env: object };

export function tenantBackEnd({ env, ...at }: At, settings: TenantBackEnd): DataKeyBackEnd {
  const hsm = kmipBackEnd({ ...at, without: ofHsm(settings).without });
  return settings.kind === "kmip" ? hsm : awsBackEnd({ tenant: at.tenant, settings, env, hsm });
}

/** Of the HSM that the KMS works with: what a tenant goes without where AWS KMS keeps its data keys, it does not go without here. */
export function ofHsm(settings: TenantBackEnd): BackEndSettings {
  return settings.kind === "kmip" ? settings : { ...DEFAULT_BACK_END, ...settings.hsm };
}
