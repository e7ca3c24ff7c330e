/**
 * Where a vault's document is asked for (M18). A browser keeps it under each address for a day without asking. So it is asked for at a new one each
 * time, where nothing can be kept: with a network it is always the server's. Without one it is that of the last time, out of the browser's cache.
 */

import type { protectedResource } from "#protocol/contract/discovery.ts";

/** Of the edge, on every app's origin. By type alone: this carries no shapes. */
const ASKED: (typeof protectedResource)["path"] = "/.well-known/oauth-protected-resource";
/** How long this page's own server has to answer, milliseconds. */
const PATIENCE = 3_000;

/** An address of the vault's document that was never asked for. */
export function newAddress(vault: string): string {
  return addressOf(vault, crypto.randomUUID());
}

/** The address at which this vault has answered last; undefined where none is known. */
export function keptAddress(vault: string): string | undefined {
  try {
    const kept = localStorage.getItem(nameOf(vault));
    return kept === null ? undefined : addressOf(vault, kept);
  } catch {
    return undefined;
  }
}

/** The vault has answered at this address. Where nothing can be kept, there is no vault without a network. */
export function keepAddress(vault: string, address: string): void {
  try {
    localStorage.setItem(nameOf(vault), new URL(address).search.slice(1));
  } catch {}
}

/** Whether the edge answers on this page's own origin, whatever it says: a page is not told what a frame of another origin has failed to load. */
export function hasNetwork(patience: number = PATIENCE): Promise<boolean> {
  const init: RequestInit = { method: "HEAD", cache: "no-store", credentials: "omit", redirect: "manual" };
  return fetch(ASKED, { ...init, signal: AbortSignal.timeout(patience) }).then(
    ({ status }) => status < 500,
    () => false,
  );
}

function nameOf(vault: string): string {
  return `coffer vault ${vault}`;
}

function addressOf(vault: string, kept: string): string {
  return new URL(`/?${encodeURIComponent(kept)}`, vault).href;
}
