/** The vault's own button for a passkey: browsers register one in a frame by a click inside that frame alone. */

/** What came of a press, or `ready` once the button is there. */
export type PasskeyOutcome = "ready" | "registered" | "refused" | "unsupported" | (string & {});

/**
 * Puts the vault's frame with its button into `container`, for the person to register a passkey, and tells what comes of it: `registered`, `refused`,
 * `unsupported`, or the code of a problem. Answers how to take it away. An instance is enrolled with the passkey by `coffer.renew("passkey")`.
 *
 * @example
 * const remove = offerPasskey(coffer.vault, container, (outcome) => {
 *   if (outcome === "registered") remove();
 * });
 */
export function offerPasskey(
  vault: string,
  container: Element,
  told: (outcome: PasskeyOutcome) => void,
): () => void {
  const frame = document.createElement("iframe");
  frame.title = "Coffer vault: add a passkey";
  frame.referrerPolicy = "origin";
  frame.allow = "publickey-credentials-create; publickey-credentials-get";
  frame.src = new URL("/#passkey", vault).href;
  const listen = ({ source, origin, data }: MessageEvent) => {
    if (source !== frame.contentWindow || origin !== vault) return;
    if (data?.type === "coffer-vault-refused") told("unsupported");
    if (data?.type === "coffer-passkey" && typeof data.outcome === "string") told(data.outcome);
  };
  addEventListener("message", listen);
  container.append(frame);
  return () => {
    removeEventListener("message", listen);
    frame.remove();
  };
}
