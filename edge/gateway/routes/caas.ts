import type { ContractHandlers } from "../serve.ts";

/** The CaaS (M16). */
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
} satisfies Partial<ContractHandlers>;
