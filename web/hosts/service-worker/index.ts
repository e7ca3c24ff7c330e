/**
 * web/hosts/service-worker: the Service Worker of an app (M15), which answers the service contract by the microservice that a page has lent it.
 * May import: protocol/*.ts, web/hosts/service. Imported by nothing: web/build.ts compiles it.
 */
export { Lenders, type PageClient, type Pages } from "./lenders.ts";
export { PlayingMedia } from "./media.ts";
