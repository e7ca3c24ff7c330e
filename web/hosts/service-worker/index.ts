/**
 * web/hosts/service-worker: the Service Worker of an app (M15), which answers the service contract by the microservice that a page has lent it,
 * and keeps the files of Coffer's own page (M18).
 * May import: protocol/*.ts, web/hosts/service. Imported by nothing: web/build.ts compiles it.
 */
export { type KeptFile, KeptPage } from "./kept.ts";
export { Lenders, type PageClient, type Pages } from "./lenders.ts";
export { PlayingMedia } from "./media.ts";
