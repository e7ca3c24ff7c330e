/**
 * web/msw: handlers of Mock Service Worker that answer the contract, for tests of an app's parts without an edge, `@coffer/kit/msw`. Each route of the contract has
 * one: it takes what the gateway would take and answers in the route's shape. May import: protocol/*.ts, protocol/contract, msw. Imported by apps' tests.
 */
export { type Answers, type Asked, cofferHandlers, type HandlerOptions, problem } from "./handlers.ts";
