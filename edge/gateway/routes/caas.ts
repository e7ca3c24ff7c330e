import type { ContractHandlers } from "../serve.ts";

/** The CaaS (M16). */
export const caas = {
  caasEncrypt: ({ c, caller, body }) => c.env.CAAS.encrypt(caller, body),
  caasDecrypt: ({ c, caller, body }) => c.env.CAAS.decrypt(caller, body),
  caasMac: ({ c, caller, body }) => c.env.CAAS.mac(caller, body),
  caasMacVerify: ({ c, caller, body }) => c.env.CAAS.macVerify(caller, body),
  caasHash: ({ c, caller, body }) => c.env.CAAS.hash(caller, body),
  caasRandom: ({ c, caller, body }) => c.env.CAAS.random(caller, body),
} satisfies Partial<ContractHandlers>;
