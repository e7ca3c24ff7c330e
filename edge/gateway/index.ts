/**
 * edge/gateway: all that the public network reaches: two origins, tokens and proofs, limits and shapes of requests,
 * errors, routing by the contract to the domains. It decides nothing about keys or documents. May import: protocol/*.ts,
 * protocol/contract, protocol/hierarchy, protocol/keys, edge/*.ts, types of edge/datastore, types of edge/iam, types of
 * edge/ra, cloudflare:workers, hono, jose. Imported by edge/index.ts.
 */
export { createApp } from "./app.ts";
export { GatewayObject } from "./object.ts";
