/**
 * edge/gateway: all that the public network reaches: two origins, tokens and proofs, limits and shapes of requests, errors,
 * routing by the contract to the domains. It decides nothing about keys or documents. May import protocol/ and the shared
 * files of edge/, and types only of its domains. Imported by edge/index.ts.
 */
export { createApp } from "./app.ts";
export { GatewayObject } from "./object.ts";
