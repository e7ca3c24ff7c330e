/** Ports for what a test starts, on this machine's own addresses. */

export { freePorts, listen } from "#edge/loopback.ts";
