import type { Hono } from "hono";
import { AT_CAAS, CAAS_PATH, caasDocument, type lifeCycle, service } from "#protocol/contract/index.ts";
import { ok } from "../../result.ts";
import type { GatewayEnv } from "../context.ts";
import { Refused } from "../problem.ts";
import type { ContractHandlers } from "../serve.ts";

/** The CaaS (M16). What it is asked for without a key and without the HSM is answered here. */
export const caas = {
  caasEncrypt: ({ c, caller, body }) => c.env.CAAS.encrypt(caller, body),
  caasDecrypt: ({ c, caller, body }) => c.env.CAAS.decrypt(caller, body),
  caasMac: ({ c, caller, body }) => c.env.CAAS.mac(caller, body),
  caasMacVerify: ({ c, caller, body }) => c.env.CAAS.macVerify(caller, body),
  caasSign: ({ c, caller, body }) => c.env.CAAS.sign(caller, body),
  caasVerify: ({ c, caller, body }) => c.env.CAAS.verify(caller, body),
  caasPublicKey: ({ c, caller, body }) => c.env.CAAS.publicKey(caller, body),
  caasHash: ({ c, caller, body }) => c.env.CAAS.hash(caller, body),
  caasRandom: ({ c, caller, body }) => c.env.CAAS.random(caller, body),
  caasOpenApi: ({ c }) => c.json(caasDocument(c.var.site.origin + CAAS_PATH)),
  caasDescribe: async () => ok({ measurement: "", instance: null, centralized: true }),
  caasLock: async () => ok({}),
} satisfies Partial<ContractHandlers>;

/** What of the service contract it does not do: said as such to who has shown a token, so that nobody takes it for a wrong address. */
export function withoutInstance(site: Hono<GatewayEnv>): Hono<GatewayEnv> {
  for (const [id, offered] of Object.entries(AT_CAAS)) {
    const { method, path } = service[id as keyof typeof lifeCycle];
    if (!offered)
      site.on(method, CAAS_PATH + path, () => {
        throw new Refused("not-offered");
      });
  }
  return site;
}
