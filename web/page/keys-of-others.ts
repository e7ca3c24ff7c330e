/** In the administration's panel: keys of the organization itself that any person has ordered, to end what they cannot be trusted with any more. */

import type { Coffer, UserKey } from "#web/browser/index.ts";
import type { CofferConfirm } from "./confirm.ts";
import { formatDay } from "./format.ts";
import { addPage, panelRow } from "./panel-row.ts";
import { element, onPress, part } from "./part.ts";
import type { Panel } from "./vaults-of-others.ts";
import { t, type Words, wordFor } from "./words.ts";

const STATES: Readonly<Record<string, Words>> = { enabled: "enabled", disabled: "disabled" };
const DAY_SECONDS = 24 * 3600;
/** From the decision to the deletion of a key of another: long enough for them to say that it was wrong. */
const NOTICE_DAYS = 30;

type Shown = { user: string; state: UserKey["state"] | undefined };

export class KeysOfOthers {
  readonly #root: HTMLElement;
  readonly #coffer: () => Coffer;
  readonly #panel: Panel;
  /** Whose are shown, and which; another object once others are asked for. */
  #shown: Shown | undefined;
  #last: string | undefined;

  constructor(root: HTMLElement, coffer: () => Coffer, panel: Panel) {
    this.#root = root;
    this.#coffer = coffer;
    this.#panel = panel;
    part(root, "keys-ask").addEventListener("submit", (event) => {
      event.preventDefault();
      const state = part<HTMLSelectElement>(root, "keys-state").value as UserKey["state"] | "";
      const user = part<HTMLInputElement>(root, "keys-user").value.trim();
      void this.#show({ user, state: state === "" ? undefined : state });
    });
    onPress(root, "more-keys", () => void this.#panel.attempt(() => this.#more()));
  }

  clear(): void {
    this.#empty();
    element<HTMLFormElement>(this.#root, "[data-keys-ask]").reset();
  }

  #empty(): void {
    this.#shown = undefined;
    this.#last = undefined;
    part(this.#root, "keys").replaceChildren();
    for (const name of ["no-keys", "more-keys"]) part(this.#root, name).hidden = true;
  }

  async #show(shown: Shown): Promise<void> {
    this.#empty();
    this.#shown = shown;
    await this.#panel.attempt(() => this.#more());
  }

  /** A page at a time. */
  async #more(): Promise<void> {
    const shown = this.#shown;
    if (!shown) return;
    const { user, state } = shown;
    const after = this.#last;
    const query = { ...(state && { state }), ...(after !== undefined && { after }) };
    const { keys, more } = await this.#coffer().administer((admin) => admin.userKeys(user, query));
    if (shown !== this.#shown || after !== this.#last) return;
    this.#last = keys.at(-1)?.key;
    part(this.#root, "no-keys").hidden = after !== undefined || keys.length > 0;
    const items = keys.map((key) => this.#row(shown, key));
    const say = after === undefined ? undefined : (words: string) => this.#panel.say(words);
    addPage(part(this.#root, "keys"), part(this.#root, "more-keys"), { items, more, say });
  }

  #row(shown: Shown, { key, client, purpose, created, state, ends, lastReleased }: UserKey): HTMLElement {
    const at = key.lastIndexOf(".");
    const day = (seconds: number) => formatDay(new Date(seconds * 1000));
    const about = [
      t("version {version}", { version: key.slice(at + 1) }),
      ...[client, purpose],
      ends === undefined ? wordFor(STATES, state) : t("will be deleted {when}", { when: day(ends) }),
      t("made {when}", { when: day(created) }),
      lastReleased === undefined ? t("never used") : t("used {when}", { when: day(lastReleased) }),
    ].join(" · ");
    const button =
      ends === undefined
        ? {
            label: t("Delete…"),
            name: t("Delete the key {key}", { key }),
            run: () => this.#delete(shown, key),
          }
        : {
            label: t("Keep"),
            name: t("Keep the key {key}", { key }),
            run: () => this.#end(shown, key, null),
          };
    return panelRow(key.slice(0, at), about, button);
  }

  async #delete(shown: Shown, key: string): Promise<void> {
    const question = {
      ...{
        title: t("Delete this key of another?"),
        name: t("The key {key} of {user}", { key, user: shown.user }),
      },
      ...{ yes: t("Delete"), no: t("Cancel") },
      text: t(
        "is given to nobody from then on, and deleted in {days} days. The person who ordered it cannot call that off; an admin can.",
        { days: NOTICE_DAYS },
      ),
    };
    if (!(await element<CofferConfirm>(document, "coffer-confirm").ask(question))) return;
    await this.#end(shown, key, Math.floor(Date.now() / 1000) + NOTICE_DAYS * DAY_SECONDS);
  }

  async #end(shown: Shown, key: string, ends: number | null): Promise<void> {
    const end = () => this.#coffer().administer((admin) => admin.endUserKey(shown.user, key, ends));
    if (!(await this.#panel.attempt(end))) return;
    // Others may be asked for meanwhile: it is said, and theirs stay.
    const current = shown === this.#shown;
    if (current) await this.#show(shown);
    this.#panel.say(
      ends === null
        ? t("The key is kept.")
        : t("The key is given to nobody any more, and deleted in {days} days.", { days: NOTICE_DAYS }),
    );
    if (current) part(this.#root, "close").focus();
  }
}
