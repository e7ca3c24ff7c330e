/** `<coffer-activity>`: what was decided about an account, or about the user: the audit log as a person reads it. */

import type { AuditPage } from "#web/browser/index.ts";
import { outcomeOf, titleOf } from "./activity-words.ts";
import { formatStamp } from "./format.ts";
import { nameInWords, shownName } from "./names.ts";
import { PanelElement } from "./panel.ts";
import { onPress, part } from "./part.ts";
import { t } from "./words.ts";

type AuditEntry = AuditPage["entries"][number];

/** Of what the choice of the subject offers beside accounts. */
const SELF = "self";
const TENANT = "tenant";

export class CofferActivity extends PanelElement {
  protected override readonly sentences = {
    forbidden: "Only owners of this account read its activity, and auditors that of others.",
  } as const;
  #entries: AuditEntry[] = [];
  /** Where the next page begins; undefined at the end. */
  #before: string | undefined;
  #subject = SELF;
  /** Names the reading under way: one that was overtaken draws nothing. */
  #reading: object | undefined;
  #names = new Map<string, string>();

  protected override ready(): void {
    super.ready();
    part(this, "subject").addEventListener("change", (event) => {
      this.#subject = (event.target as HTMLSelectElement).value;
      this.say("");
      void this.attempt(() => this.read());
    });
    part(this, "filter").addEventListener("change", () => {
      part(this, "list").replaceChildren();
      this.#add(this.#entries);
    });
    onPress(this, "more", () => void this.attempt(() => this.#readMore()));
  }

  protected override clear(): void {
    this.#reading = undefined;
    this.#entries = [];
    this.#before = undefined;
    this.#names.clear();
    part(this, "list").replaceChildren();
    part(this, "more").hidden = true;
    part(this, "counted").textContent = "";
  }

  protected override choose(accounts: Parameters<PanelElement["choose"]>[0]): void {
    super.choose(accounts);
    const select = part<HTMLSelectElement>(this, "subject");
    const { identity } = this.coffer;
    const options = [
      ...accounts.map(({ id, name }) => new Option(t("Account {name}", { name: nameInWords(name) }), id)),
      new Option(t("Your sign-ins and vaults"), SELF),
      new Option(t("The whole organization (auditors)"), TENANT),
    ];
    select.replaceChildren(...options);
    if (!options.some(({ value }) => value === this.#subject) || this.#subject === SELF)
      this.#subject = accounts[0]?.id ?? SELF;
    select.value = this.#subject;
    if (identity) this.#names.set(identity.user.id, t("You"));
  }

  protected override async read(): Promise<void> {
    this.clear();
    const { identity } = this.coffer;
    if (identity) this.#names.set(identity.user.id, t("You"));
    const subject = this.#subject;
    if (subject !== SELF && subject !== TENANT) {
      // Who somebody is matters less than what was done: without names there are ids.
      const members = await this.coffer.members(subject).catch(() => []);
      for (const { user, name } of members)
        if (!this.#names.has(user) && name !== "") this.#names.set(user, name);
    }
    if (subject === this.#subject) await this.#readMore();
  }

  async #readMore(): Promise<void> {
    const reading = {};
    this.#reading = reading;
    const before = this.#before;
    const own = this.coffer.identity?.user.id;
    const subject = this.#subject === TENANT ? undefined : this.#subject === SELF ? own : this.#subject;
    const more = part<HTMLButtonElement>(this, "more");
    const focused = document.activeElement === more;
    more.disabled = true;
    try {
      const page = await this.coffer.manage((life) => life.audit({ subject, before }));
      if (this.#reading !== reading) return;
      this.#entries.push(...page.entries);
      this.#before = page.before;
      this.#add(page.entries);
    } catch (error) {
      if (this.#reading === reading) throw error;
    } finally {
      more.disabled = false;
      if (focused) (more.hidden ? part(this, "list") : more).focus();
    }
  }

  /** What is on the list stays as it is. */
  #add(entries: readonly AuditEntry[]): void {
    const wanted = part<HTMLSelectElement>(this, "filter").value;
    const added = entries.filter(
      ({ outcome, action }) =>
        wanted === "" || (wanted === "refused" ? outcome !== "allow" : action.startsWith(wanted)),
    );
    const list = part(this, "list");
    list.append(...added.map((entry) => this.#item(entry)));
    part(this, "more").hidden = this.#before === undefined;
    const all = this.#entries.length;
    const oldest = this.#before === undefined ? t("all there are") : t("older ones on request");
    part(this, "counted").textContent = t("{shown} of the newest {all}, {oldest}", {
      shown: list.childElementCount,
      all,
      oldest,
    });
  }

  #item(entry: AuditEntry): HTMLElement {
    const item = document.createElement("li");
    item.toggleAttribute("data-refused", entry.outcome !== "allow");
    const who =
      entry.user === undefined ? t("The system") : shownName(this.#names.get(entry.user) ?? entry.user);
    const [head, detail] = [document.createElement("div"), document.createElement("div")];
    head.className = "deed";
    const [actor, what, when] = [element("bdi", who), element("span", titleOf(entry)), element("time", "")];
    (when as HTMLTimeElement).dateTime = entry.time;
    when.textContent = formatStamp(new Date(entry.time));
    head.append(actor, what, when);
    detail.className = "meta";
    detail.textContent = [outcomeOf(entry), entry.reason].filter(Boolean).join(": ");
    // What all of the list is about need not stand in each entry.
    const about = [`account/${this.#subject}`, `audit/${this.#subject}`];
    const common = about.find((start) => entry.resource.startsWith(start)) ?? "";
    const resource = entry.resource.slice(common.length).replace(/^\//, "");
    const named = [entry.action, resource, t("request {id}", { id: entry.requestId })].filter(
      (name) => name !== "",
    );
    const facts = element("code", named.join(" · "));
    item.append(head, ...(detail.textContent === "" ? [] : [detail]), facts);
    return item;
  }
}

function element(name: "bdi" | "span" | "time" | "code", text: string): HTMLElement {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}
