/** `<coffer-vaults>`: the user's vaults, in which browsers and programs they are; to renew this one and to revoke any. And what this browser is to do by itself. Fires `coffer-lock-after`. */

import { type Instance, offerPasskey, type Passkey } from "#web/browser/index.ts";
import type { CofferConfirm } from "./confirm.ts";
import { formatMeasurement, formatMoment, formatRemaining } from "./format.ts";
import { PanelElement } from "./panel.ts";
import { element, onPress, part } from "./part.ts";
import { BrowserStorage } from "./storage.ts";
import { METHODS, PASSKEY_OUTCOMES, STANDINGS, TIERS } from "./vault-words.ts";
import { t, type Words, wordFor } from "./words.ts";

const REVOCATION: Words =
  "is given no key from then on. What it has loaded ends within 8 hours; whoever uses it is asked to enrol it again, and has to be signed in for that.";

export class CofferVaults extends PanelElement {
  protected override readonly sentences = { "not-found": "It has ended meanwhile." } as const;

  #remove: (() => void) | undefined;
  readonly #storage = new BrowserStorage(this, {
    vault: () => this.coffer.vault,
    frames: () => document.querySelectorAll<HTMLIFrameElement>("[data-vault] iframe"),
    say: (...words) => this.say(...words),
  });
  /** Minutes without use after which this browser locks; 0: never. */
  lockAfter: () => number = () => 0;

  protected override ready(): void {
    super.ready();
    this.#storage.listen();
    part(this, "lock-after").addEventListener("change", ({ target }) => {
      const minutes = Number((target as HTMLSelectElement).value);
      this.dispatchEvent(new CustomEvent("coffer-lock-after", { bubbles: true, detail: minutes }));
      this.say(
        minutes === 0
          ? t("It locks when you press Lock.")
          : t("It locks after {minutes} minutes without use.", { minutes }),
      );
    });
    onPress(this, "rotate", () => void this.#rotate());
    onPress(this, "renew", () => void this.#renew("renew"));
    onPress(this, "renew-passkey", () => void this.#renew("renew-passkey", "passkey"));
    // The vault's frame is there while the panel is.
    this.dialog.addEventListener("close", () => this.#endOffer());
  }

  protected override clear(): void {
    for (const name of ["list", "ended", "passkeys"]) part(this, name).replaceChildren();
    part(this, "past").hidden = true;
    part(this, "this").hidden = true;
  }

  protected override read(): Promise<void> {
    part<HTMLSelectElement>(this, "lock-after").value = String(this.lockAfter());
    void this.attempt(() => this.#storage.show());
    return this.latest(
      () => this.coffer.manage((life) => Promise.all([life.instances(), life.passkeys()])),
      ([instances, passkeys]) => {
        this.#draw(instances);
        this.#drawPasskeys(passkeys);
      },
    );
  }

  #drawPasskeys(passkeys: readonly Passkey[]): void {
    part(this, "renew-passkey").hidden = passkeys.length === 0;
    part(this, "passkeys").replaceChildren(...passkeys.map((passkey) => this.#passkey(passkey)));
    if (!this.dialog.open || this.#remove) return;
    this.#remove = offerPasskey(this.coffer.vault, part(this, "passkey-frame"), (outcome) => {
      if (outcome === "ready") return;
      const said = PASSKEY_OUTCOMES[outcome] ?? "That did not work. Try again.";
      this.say(t(said), outcome !== "registered");
      if (outcome === "registered") void this.attempt(() => this.read());
    });
  }

  #endOffer(): void {
    this.#remove?.();
    this.#remove = undefined;
  }

  #passkey({ id, tier, synced, registered, used, app }: Passkey): HTMLElement {
    const item = document.createElement("li");
    const about = document.createElement("div");
    about.className = "about";
    const name = document.createElement("span");
    name.className = "name";
    const since = formatMoment(new Date(registered * 1000));
    name.textContent = t("Passkey of {when}", { when: since });
    const meta = document.createElement("span");
    meta.className = "meta";
    const last =
      used === undefined
        ? t("not used yet")
        : t("used {when}", { when: formatMoment(new Date(used * 1000)) });
    // What it vouches for later is as the policy of that moment says.
    const worth = t("{tier} when it was added", { tier: wordFor(TIERS, tier) });
    const whose =
      app === undefined || app === location.origin ? [] : [t("added in {app}", { app: nameOf(app) })];
    meta.textContent = [worth, synced ? t("synced") : t("of one device"), last, ...whose].join(" · ");
    about.append(name, meta);
    item.append(about);
    // Another app of the organization would be refused.
    if (whose.length > 0) return item;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.textContent = t("Remove");
    button.setAttribute("aria-label", t("Remove the passkey of {when}", { when: since }));
    button.addEventListener("click", () => void this.#removePasskey(id));
    item.append(button);
    return item;
  }

  async #removePasskey(id: string): Promise<void> {
    this.overtake();
    const done = await this.attempt(async () => {
      await this.coffer.manage((life) => life.removePasskey(id));
      await this.read();
    });
    if (!done) return;
    this.say(t("The passkey is removed: it vouches for no vault any more."));
    part(this, "close").focus();
  }

  #draw(instances: readonly Instance[]): void {
    this.#showThis(instances);
    const own = this.#own;
    const active = instances.filter(({ id, status }) => status === "active" && id !== own);
    const ended = instances.filter(({ status }) => status !== "active");
    part(this, "list").replaceChildren(...active.map((instance) => this.#item(instance)));
    part(this, "none").hidden = active.length > 0;
    part(this, "ended").replaceChildren(...ended.map((instance) => this.#item(instance)));
    part(this, "past").hidden = ended.length === 0;
    part(this, "past-title").textContent = t("{count} that ended", { count: ended.length });
  }

  /** What the microservice of this page says of itself, and the registration authority of it. */
  #showThis(instances: readonly Instance[]): void {
    const { microservice } = this.coffer;
    const ready = microservice.phase === "ready" ? microservice : undefined;
    const registered = instances.find(({ id }) => id === this.#own);
    part(this, "this").hidden = ready === undefined || registered === undefined;
    if (ready === undefined || registered === undefined) return;
    // The one that the organization's master key is released to.
    part(this, "rotate").hidden = ready.instance.level !== "master";
    const { method, tier, status } = registered;
    const notAfter = new Date(ready.instance.notAfter);
    part(this, "tier").textContent = wordFor(TIERS, tier);
    part(this, "method").textContent = wordFor(METHODS, method);
    part(this, "until").textContent = `${formatMoment(notAfter)} (${formatRemaining(notAfter)})`;
    part(this, "standing").textContent = wordFor(STANDINGS, status);
    part(this, "certificate").textContent = registered.id;
    const measurement = part(this, "measurement");
    measurement.textContent = formatMeasurement(ready.measurement);
    measurement.title = ready.measurement;
  }

  #item(instance: Instance): HTMLElement {
    const { id, origin, method, tier, enrolled, notAfter, status } = instance;
    const item = document.createElement("li");
    const about = document.createElement("div");
    about.className = "about";
    const name = document.createElement("span");
    name.className = "name";
    name.textContent = nameOf(origin);
    const meta = document.createElement("span");
    meta.className = "meta";
    const until = new Date(notAfter * 1000);
    const end =
      status === "active"
        ? t("certified until {when}", { when: formatMoment(until) })
        : wordFor(STANDINGS, status);
    const since = t("enrolled {when}", { when: formatMoment(new Date(enrolled * 1000)) });
    meta.textContent = [wordFor(TIERS, tier), wordFor(METHODS, method), since, end].join(" · ");
    const code = document.createElement("code");
    code.textContent = id;
    about.append(name, meta, code);
    item.append(about);
    if (status === "active") item.append(this.#button(id, origin));
    return item;
  }

  #button(id: string, origin: string): HTMLElement {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.textContent = t("Revoke…");
    button.setAttribute("aria-label", t("Revoke the vault {id} of {origin}", { id, origin: nameOf(origin) }));
    button.addEventListener("click", () => void this.#revoke(id, origin));
    return button;
  }

  async #revoke(id: string, origin: string): Promise<void> {
    const ask = element<CofferConfirm>(document, "coffer-confirm");
    const name = t("The vault of {origin}", { origin: nameOf(origin) });
    const question = {
      ...{ title: t("Revoke this vault?"), name, text: t(REVOCATION) },
      ...{ yes: t("Revoke"), no: t("Cancel") },
    };
    if (!(await ask.ask(question))) return;
    this.overtake();
    const done = await this.attempt(async () => {
      await this.coffer.manage((life) => life.revokeInstance(id));
      await this.read();
    });
    if (!done) return;
    this.say(t("The vault is revoked: no key is released to it any more."));
    part(this, "close").focus();
  }

  #renew(name: "renew" | "renew-passkey", by?: "passkey"): Promise<void> {
    return this.#change(name, () => this.coffer.renew(by), {
      before: t("Making new keys and enrolling again…"),
      after: t("This vault has new keys and a new certificate; the ones before are revoked."),
    });
  }

  #rotate(): Promise<void> {
    return this.#change("rotate", () => this.coffer.manage((life) => life.rotateAppKey()), {
      before: t("Replacing the app-specific key…"),
      after: t("This vault has another app-specific key; nothing is released to the one before."),
    });
  }

  async #change(
    name: string,
    work: () => Promise<void>,
    said: { before: string; after: string },
  ): Promise<void> {
    const button = part<HTMLButtonElement>(this, name);
    button.disabled = true;
    this.say(said.before);
    this.overtake();
    const done = await this.attempt(async () => {
      await work();
      await this.read();
    });
    button.disabled = false;
    if (done) this.say(said.after);
    button.focus();
  }

  get #own(): string {
    const { microservice } = this.coffer;
    return microservice.phase === "ready" ? microservice.instance.id : "";
  }
}

/** An origin as people read it. */
function nameOf(origin: string): string {
  return origin.replace(/^https?:\/\//, "");
}
