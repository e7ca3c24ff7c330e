/** What this browser promises of what is stored in it: of the app's own storage, and of the vault's, which is of another origin. */

import { formatBytes } from "./format.ts";
import { onPress, part } from "./part.ts";
import { t } from "./words.ts";

/** How long a vault's frame may take to answer, milliseconds. One of an earlier release does not. */
const PATIENCE = 2000;

export interface StorageHost {
  /** Origin of the vault, and where its frame is. */
  vault(): string;
  frames(): Iterable<HTMLIFrameElement>;
  say(words: string, failed?: boolean): void;
}

export class BrowserStorage {
  readonly #root: ParentNode;
  readonly #host: StorageHost;

  constructor(root: ParentNode, host: StorageHost) {
    this.#root = root;
    this.#host = host;
  }

  /** Once its parts are there. */
  listen(): void {
    onPress(this.#root, "persist", () => void this.#ask());
  }

  async show(): Promise<void> {
    const { storage } = navigator;
    part(this.#root, "storage").hidden = !storage?.persisted;
    if (!storage?.persisted) return;
    const [kept, estimate] = await Promise.all([
      storage.persisted(),
      storage.estimate().catch((): StorageEstimate => ({})),
    ]);
    const { usage, quota } = estimate;
    part(this.#root, "persisted").textContent = kept
      ? t("This browser keeps it until you delete it yourself.")
      : t(
          "This browser may delete it when space runs short. Documents are with the server; what waits for the network is here alone.",
        );
    part(this.#root, "persist").hidden = kept;
    const used = part(this.#root, "used");
    used.textContent =
      usage !== undefined && quota !== undefined
        ? t("about {bytes}, of {total} at most", { bytes: formatBytes(usage), total: formatBytes(quota) })
        : t("not known");
    const vault = await this.#askVault();
    part(this.#root, "vault-persisted").textContent =
      vault === undefined
        ? t("not known")
        : vault
          ? t("kept until you delete it")
          : t("may be deleted: the vault then makes other keys, and your documents open as before");
  }

  async #ask(): Promise<void> {
    const kept = await navigator.storage.persist().catch(() => false);
    await this.show();
    this.#host.say(
      kept
        ? t("This browser keeps it from now on.")
        : t(
            "This browser did not agree. Most do for a page that you use often, or have bookmarked or installed.",
          ),
      !kept,
    );
  }

  /** Undefined where no vault runs, or one that does not say. */
  async #askVault(): Promise<boolean | undefined> {
    const vault = this.#host.vault();
    const frames = [...this.#host.frames()].map(({ contentWindow }) => contentWindow);
    if (frames.length === 0) return undefined;
    const answer = Promise.withResolvers<boolean | undefined>();
    const hear = ({ source, origin, data }: MessageEvent) => {
      if (origin === vault && frames.includes(source as Window) && data?.type === "coffer-storage")
        answer.resolve(data.persisted === true);
    };
    addEventListener("message", hear);
    const timer = setTimeout(() => answer.resolve(undefined), PATIENCE);
    for (const frame of frames) frame?.postMessage({ type: "coffer-storage" }, vault);
    return answer.promise.finally(() => {
      clearTimeout(timer);
      removeEventListener("message", hear);
    });
  }
}
