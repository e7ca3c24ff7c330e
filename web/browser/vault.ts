/** The vault: a frame on an origin of its own, in which the microservice runs. It hands one message port over and stays out of the way. */

import { CofferError } from "#protocol/error.ts";
import type { Vault } from "../client/index.ts";
import { hasNetwork, keepAddress, keptAddress, newAddress } from "./vault-address.ts";

/** How long a vault may take to answer, milliseconds. */
const PATIENCE = 20_000;

/**
 * Puts the vault's frame into `container` and waits for the microservice to answer on its port.
 * Errors: `vault-unreachable`, `foreign-origin` when the vault does not serve this page.
 */
export async function openVault(
  origin: string,
  container: Element,
  patience: number = PATIENCE,
): Promise<Vault> {
  let frame = frameAt(newAddress(origin));
  // M4: a person unlocks the vault by a press inside its frame.
  const listen = ({ source, origin: from, data }: MessageEvent) => {
    if (source === frame.contentWindow && from === origin && data?.type === "coffer-vault-shown")
      show(frame, data.shown === true);
  };
  addEventListener("message", listen);
  const remove = () => {
    removeEventListener("message", listen);
    frame.remove();
  };
  try {
    let waits = true;
    const port = await handOver(
      () => frame,
      origin,
      patience,
      () => {
        container.append(frame);
        const kept = keptAddress(origin);
        if (!kept) return;
        void hasNetwork().then((has) => {
          if (has || !waits) return;
          // In a frame of its own: a document that comes late in the first one gets no port.
          const first = frame;
          frame = frameAt(kept);
          first.replaceWith(frame);
        });
      },
    ).finally(() => {
      waits = false;
    });
    keepAddress(origin, frame.src);
    return { port, mutual: true, remove };
  } catch (error) {
    remove();
    throw error;
  }
}

function frameAt(address: string): HTMLIFrameElement {
  const frame = document.createElement("iframe");
  show(frame, false);
  frame.referrerPolicy = "origin";
  // The vault's document asks for passkeys, where a person has one.
  frame.allow = "publickey-credentials-get";
  frame.src = address;
  return frame;
}

/** A bar below all else of the page, while there is something to press in it. */
const BAR =
  "position:fixed;inset:auto 0 0;width:100%;height:9rem;border:0;border-top:2px solid;background:Canvas;z-index:2147483647";

function show(frame: HTMLIFrameElement, shown: boolean): void {
  frame.title = shown ? "Coffer vault: unlock with your passkey" : "Coffer vault: holds keys, shows nothing";
  frame.tabIndex = shown ? 0 : -1;
  frame.ariaHidden = shown ? null : "true";
  frame.hidden = !shown;
  frame.style.cssText = shown ? BAR : "";
}

/** The vault says `ready` when it listens; it gets a port, and answers on it when the microservice runs. */
function handOver(
  frame: () => HTMLIFrameElement,
  origin: string,
  patience: number,
  start: () => void,
): Promise<MessagePort> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => fail(new CofferError("vault-unreachable")), patience);
    const done = () => {
      clearTimeout(timer);
      removeEventListener("message", listen);
    };
    const fail = (error: unknown) => {
      done();
      reject(error);
    };
    const listen = (event: MessageEvent) => {
      const { contentWindow } = frame();
      if (!contentWindow || event.source !== contentWindow || event.origin !== origin) return;
      const message: unknown = event.data;
      if (typeof message !== "object" || message === null || !("type" in message)) return;
      if (message.type === "coffer-vault-refused") fail(new CofferError("foreign-origin"));
      if (message.type !== "coffer-vault-ready") return;
      const { port1, port2 } = new MessageChannel();
      contentWindow.postMessage({ type: "coffer-connect", version: 1, unlocks: true }, origin, [port2]);
      done();
      resolve(port1);
    };
    addEventListener("message", listen);
    start();
  });
}
