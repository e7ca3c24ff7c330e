/** `<coffer-flow>`: who called whom in one of the last operations, drawn as a sequence and read as a list. */

import type { Coffer, OperationName } from "#web/browser/index.ts";
import { type Arrow, arrowsOf, type KeyMove, type Party, partiesOf, type Wire } from "./flow-arrows.ts";
import { type Flow, flowLog } from "./flow-log.ts";
import { formatNumber, formatTime } from "./format.ts";
import { shortKey, UNDER, WRAPPINGS } from "./key-words.ts";
import { PanelElement } from "./panel.ts";
import { part, textIn } from "./part.ts";
import { t, type Words, wordFor } from "./words.ts";

const OPERATIONS: Readonly<Record<OperationName, Words>> = {
  seal: "Sealing",
  resume: "Going on with sealing",
  open: "Opening",
  openRanged: "Playing",
  list: "Reading the list",
  finish: "Finishing",
  remove: "Deleting",
  restore: "Restoring",
  reEncrypt: "Sealing again",
  replace: "Saving another version",
  reEncryptAll: "Sealing all again",
  share: "Sharing a document",
  withdraw: "Withdrawing a document",
  decline: "Taking a document off the list",
  openReceived: "Opening a shared document",
};

const PARTY_WORDS: Readonly<Record<Party, Words>> = {
  page: "Page",
  vault: "Vault",
  gateway: "Gateway",
  iam: "IAM",
  kms: "KMS",
  ra: "RA",
  caas: "CaaS",
  datastore: "Storage",
  hsm: "HSM",
};

const WIRES: Readonly<Record<Wire, Words>> = {
  port: "message port",
  proved: "REST with DPoP",
  rest: "REST",
  binding: "service binding",
  kmip: "KMIP over mutual TLS",
};

export class CofferFlow extends PanelElement {
  #shown: Flow | undefined;
  #drawing = false;

  protected override ready(): void {
    super.ready();
    part(this, "flows").addEventListener("change", () => {
      this.#shown = flowLog.flows[part<HTMLSelectElement>(this, "flows").selectedIndex];
      this.#draw();
    });
    flowLog.addEventListener("change", () => this.dialog.open && this.#soon());
  }

  override start(coffer: Coffer): void {
    super.start(coffer);
    flowLog.start(coffer);
  }

  override async show(): Promise<void> {
    this.say("");
    this.#shown = undefined;
    if (!this.dialog.open) this.dialog.showModal();
    await this.attempt(() => this.read());
  }

  protected override clear(): void {
    flowLog.clear();
    this.#shown = undefined;
    for (const name of ["flows", "heads", "arrows"]) part(this, name).replaceChildren();
  }

  /** Of the vault alone: nothing goes over the network for a look. */
  protected override async read(): Promise<void> {
    await flowLog.look();
    this.#draw();
  }

  /** Once a frame, whatever comes. What the vault has asked by itself is asked for when an operation has ended. */
  #soon(): void {
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      if (flowLog.flows[0]?.ended === undefined) this.#draw();
      else void this.attempt(() => this.read());
    });
  }

  #draw(): void {
    const { flows } = flowLog;
    const newest = flows[0];
    const shown = this.#shown && flows.includes(this.#shown) ? this.#shown : newest;
    const select = part<HTMLSelectElement>(this, "flows");
    select.replaceChildren(...flows.map((flow) => new Option(titleOf(flow))));
    select.selectedIndex = shown ? flows.indexOf(shown) : -1;
    part(this, "choose-flow").hidden = flows.length === 0;
    part(this, "none").hidden = flows.length > 0;
    const arrows = shown ? arrowsOf(shown, { asked: flowLog.askedDuring(shown), held: flowLog.held }) : [];
    const parties = partiesOf(arrows);
    this.style.setProperty("--lanes", String(parties.length));
    part(this, "heads").replaceChildren(...parties.map((party) => textIn("span", t(PARTY_WORDS[party]))));
    part(this, "arrows").replaceChildren(...arrows.map((arrow) => rowOf(arrow, parties)));
    const more = part(this, "more");
    more.hidden = !shown || shown.more === 0;
    more.textContent = t("{count} more steps are not shown.", { count: formatNumber(shown?.more ?? 0) });
    part(this, "sum").textContent = shown ? sumOf(shown, arrows) : "";
  }
}

function titleOf({ operations, began }: Flow): string {
  const [first = "list"] = operations;
  const what =
    operations.length === 1
      ? t(OPERATIONS[first])
      : t("{count} operations at once", { count: operations.length });
  return t("{what}, {moment}", { what, moment: formatTime(new Date(began)) });
}

function sumOf({ began, ended }: Flow, arrows: readonly Arrow[]): string {
  if (ended === undefined) return t("Under way…");
  return t("{count} steps in {time} ms", {
    count: formatNumber(arrows.length),
    time: formatNumber(ended - began),
  });
}

function rowOf({ from, to, wire, what, ms, failed, keys }: Arrow, parties: readonly Party[]): HTMLElement {
  const row = document.createElement("li");
  row.toggleAttribute("data-failed", failed !== undefined);
  const lanes = textIn("span", "");
  lanes.className = "lanes";
  lanes.setAttribute("aria-hidden", "true");
  const [a, b] = [parties.indexOf(from), parties.indexOf(to)];
  const line = textIn("i", "");
  line.toggleAttribute("data-back", b < a);
  line.style.setProperty("--from", String(Math.min(a, b)));
  line.style.setProperty("--to", String(Math.max(a, b)));
  lanes.append(line);
  const said = document.createElement("div");
  const who = t("{from} to {to}", { from: t(PARTY_WORDS[from]), to: t(PARTY_WORDS[to]) });
  const how = t("{wire}, {time} ms", { wire: t(WIRES[wire]), time: formatNumber(ms) });
  const meta = textIn("span", failed === undefined ? how : `${how} · ${t("Failed")} (${failed})`);
  meta.className = "meta";
  said.append(textIn("strong", who), textIn("code", what), meta, ...keys.map(keyOf));
  row.append(lanes, said);
  return row;
}

function keyOf({ key, wrapping, under }: KeyMove): HTMLElement {
  const values = {
    key: shortKey(key),
    wrapping: wordFor(WRAPPINGS, wrapping),
    under: wordFor(UNDER, under),
  };
  const known = wrapping !== "" && under !== "";
  const words = known
    ? t("Data key {key} came in by {wrapping}. At rest: {under}.", values)
    : t("Data key {key} came in.", values);
  const line = textIn("span", words);
  line.className = "moved";
  return line;
}
