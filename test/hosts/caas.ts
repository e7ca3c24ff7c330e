/** The centralized CaaS as a host of the service contract: an app that moves there changes the address, and shows a token. */

import { allowOperations } from "#cli/allow-operations.ts";
import { CAAS_PATH } from "#protocol/contract/index.ts";
import { IDENTITY } from "#protocol/hierarchy/index.ts";
import type { EdgeClient } from "../support/edge-client.ts";
import { json, send } from "../support/http.ts";
import type { System } from "../support/start.ts";
import { hsmClient } from "../system/hsm.ts";
import type { ContractHost } from "./contract.ts";
import { kindOf } from "./kind.ts";

/** Of that person's account. */
export function caasHost(client: EdgeClient): ContractHost {
  return {
    async send(method, path, { body, bytes } = {}) {
      const whole = CAAS_PATH + path;
      const type = bytes ? "application/octet-stream" : "application/json";
      const payload = bytes ?? (body === undefined ? undefined : JSON.stringify(body));
      return send(client.app + whole, {
        method,
        headers: { ...(await client.headers(method, whole)), ...(payload && { "content-type": type }) },
        ...(payload && { body: payload }),
      });
    },
    async key(algorithm) {
      const order = { account: client.account, count: 1, ...kindOf(algorithm) };
      const { edks } = json<{ edks: string[] }>(await client.rest("POST", "/kms/data-keys", order));
      return edks[0] ?? "";
    },
    // Whoever asks brings the EDK.
    take: async () => undefined,
    context: () => ({ tenant: client.tokens.tenant, account: client.account, purpose: "data" }),
  };
}

/** The officer's word on the tenant, as `coffer operations` says it. */
export async function sayOperations(system: System, allowed: boolean, tenant = "development"): Promise<void> {
  const officer = await hsmClient(system, IDENTITY.officer);
  try {
    await allowOperations(officer, tenant, allowed);
  } finally {
    officer.close();
  }
}
